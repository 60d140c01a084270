// SPDX-License-Identifier: MIT
/*
 * process.cjs: the operations of the process area, for adapter.cjs.
 *
 * Invariant: an operation is one call of child_process with the options that
 * stand in it and no others; what is told is what the runtime's objects say.
 */
'use strict';

const {check, idOf, isObject} = require('./checks.cjs');
const {describe, environment, isPeer, ownCommand} = require('./roles.cjs');

const load = () => require('child_process');

// Names of options as they stand in a program, and as child_process has them.
const OPTIONS = {
  'cwd': 'cwd', 'detached': 'detached', 'shell': 'shell', 'argv0': 'argv0',
  'timeout': 'timeout', 'kill-signal': 'killSignal', 'uid': 'uid',
  'max-buffer': 'maxBuffer', 'serialization': 'serialization',
  'silent': 'silent', 'stdio': 'stdio', 'input': 'input',
};

// The options of an operation, in the words of child_process.
function options(run, argument) {
  const result = {env: environment(run, argument)};
  for (const name of Object.keys(OPTIONS))
    if (argument[name] !== undefined) result[OPTIONS[name]] = argument[name];
  if (result.cwd !== undefined) result.cwd = run.path(result.cwd);
  return result;
}

// The words that start what an operation names: its role, or a command.
function command(run, {role, command: name, args = []}) {
  const words = args.map((word) => word.split('$nul').join('\0'));
  if (role === undefined) return [name, words];
  const [first, ...rest] = isPeer(role) ? [run.peer] : ownCommand();
  return [first, [...rest, ...words]];
}

/* Does what may throw; with `log` the outcome is told ("ok", or "!" with the
 * error's code), without it the error goes on. */
function attempt(run, log, work) {
  let result = null;
  try {
    result = work();
  } catch (error) {
    if (log === undefined) throw error;
    run.record([log, `!${codeOf(error)}`]);
    return null;
  }
  if (log !== undefined) run.record([log, 'ok']);
  return result;
}

const status = (code, signal) => code === null || code === undefined
  ? signal : code;
// An error's code, of a DOMException its name.
const codeOf = (error) => error.code === undefined || error.code === null ||
  error.name === 'DataCloneError' ? error.name : error.code;

// What listeners of a child are given: [event, (given...) -> [result, given]].
const CHILD_EVENTS = {
  'spawn': ['spawn', () => [null, {}]],
  'exit': ['exit', (code, signal) => [status(code, signal), {code, signal}]],
  'close': ['close', (code, signal) => [status(code, signal), {code, signal}]],
  'disconnect': ['disconnect', () => [null, {}]],
  'error': ['error', (error) => [codeOf(error), errorParts(error)]],
};

function errorParts(error) {
  const {errno, syscall, path, spawnargs, code, signal, killed, cmd} = error;
  return {errno, syscall, path, code, signal, killed, cmd,
          name: error.name, message: error.message,
          spawnargs: spawnargs && spawnargs.join(' ')};
}

// What may be asked of a child, by the words of a program.
const CHILD_FIELDS = {
  'pid': (child) => typeof child.pid,
  'connected': (child) => child.connected,
  'killed': (child) => child.killed,
  'exit-code': (child) => child.exitCode,
  'signal-code': (child) => child.signalCode,
  'spawn-file': (child) => child.spawnfile,
  'spawn-args': (child) => child.spawnargs && child.spawnargs.join(' '),
  'stdin': (child) => kindOf(child.stdin),
  'stdout': (child) => kindOf(child.stdout),
  'stdio-length': (child) => child.stdio.length,
  'channel': (child) => kindOf(child.channel),
};

const RESULT_FIELDS = {
  'status': (r) => r.status,
  'signal': (r) => r.signal,
  'stdout': (r) => r.stdout === null ? null : describe(String(r.stdout)),
  'stderr': (r) => r.stderr === null ? null : describe(String(r.stderr)),
  'stdout-length': (r) => String(r.stdout).length,
  'output-length': (r) => r.output && r.output.length,
  'error': (r) => r.error ? r.error.code : null,
  'pid': (r) => typeof r.pid,
};

// null, undefined, or that there is something.
function kindOf(value) {
  return value === null || value === undefined ? String(value) : 'object';
}

function operations() {
  const anything = () => null;
  const flag = (v) => typeof v === 'boolean' ? null : 'true or false';
  const list = (v) => Array.isArray(v) ? null : 'a list';
  const object = (v) => isObject(v) ? null : 'an object';
  const program = {
    'role': check.text, 'command': check.text, 'args': list, 'env': object,
    'env-only': object, 'cwd': check.text, 'detached': flag, 'shell': anything,
    'argv0': check.text, 'timeout': check.whole(0, 60000),
    'kill-signal': anything, 'uid': check.whole(0, 65535), 'stdio': anything,
    'serialization': check.text, 'silent': flag, 'log': check.text,
  };
  const collected = (run, argument, call, start) => {
    const child = attempt(run, argument.log, () =>
      start(options(run, argument), (error, stdout, stderr) => call(
        error ? codeOf(error) : 'ok', Object.assign(
          {stdout: describe(String(stdout)), stderr: describe(String(stderr)),
           'stdout-length': stdout.length, 'stderr-length': stderr.length},
          error ? errorParts(error) : {}))));
    return child;
  };
  const child = idOf('spawn', 'fork', 'exec');

  return {
    'spawn': {
      needs: 'process.spawn', kind: 'spawn', members: program,
      perform: (run, argument) => attempt(run, argument.log, () =>
        load().spawn(...command(run, argument), options(run, argument))),
    },
    'exec': {
      needs: 'process.exec', kind: 'exec', callback: true,
      members: Object.assign({'max-buffer': check.whole(0, 1 << 30)}, program),
      required: ['command'],
      perform: (run, argument, call) => collected(run, argument, call,
        (given, done) => load().exec(argument.command, given, done)),
    },
    'exec-file': {
      needs: 'process.exec', kind: 'exec', callback: true,
      members: Object.assign({'max-buffer': check.whole(0, 1 << 30)}, program),
      perform: (run, argument, call) => collected(run, argument, call,
        (given, done) =>
          load().execFile(...command(run, argument), given, done)),
    },
    'spawn-sync': {
      needs: 'process.sync', kind: 'result',
      members: Object.assign({'max-buffer': check.whole(0, 1 << 30),
                              'input': check.text}, program),
      perform: (run, argument) => attempt(run, argument.log, () =>
        load().spawnSync(...command(run, argument), options(run, argument))),
    },
    'exec-sync': {
      needs: 'process.sync', kind: 'result',
      members: Object.assign({'max-buffer': check.whole(0, 1 << 30),
                              'input': check.text}, program),
      required: ['command'],
      perform: (run, argument) => {
        try {
          const stdout = load().execSync(argument.command, Object.assign(
            {stdio: 'pipe'}, options(run, argument)));
          if (argument.log !== undefined) run.record([argument.log, 'ok']);
          return {status: 0, signal: null, stdout, stderr: ''};
        } catch (error) {
          if (argument.log === undefined) throw error;
          run.record([argument.log, `!${error.code ||
            (error.status === null ? error.signal : error.status)}`]);
          return error;
        }
      },
    },
    'kill': {
      needs: 'process.spawn',
      members: {of: idOf('spawn', 'fork', 'exec', 'worker'), signal: anything,
                log: check.text},
      required: ['of'],
      perform: (run, {of, signal, log}) => {
        const found = run.object(of);
        if (found === null) return;
        let result = null;
        try {
          const target = found.kind === 'worker'
            ? found.handle.process : found.handle;
          result = signal === undefined ? target.kill() : target.kill(signal);
        } catch (error) {
          if (log === undefined) throw error;
          result = `!${error.code || error.name}`;
        }
        if (log !== undefined) run.record([log, describe(result)]);
      },
    },
    'input': {
      needs: 'process.spawn', callback: true,
      members: {of: child, text: check.text, bytes: check.whole(0, 1 << 24),
                end: flag},
      required: ['of'],
      perform: (run, {of, text, bytes, end}, call) => {
        const found = run.object(of);
        if (found === null) return;
        const {stdin} = found.handle;
        const data = text !== undefined ? text
          : bytes !== undefined ? 'x'.repeat(bytes) : undefined;
        const done = (error) => call(error ? codeOf(error) : 'ok');
        if (data !== undefined) stdin.write(data, done);
        if (end) stdin.end();
      },
    },
    'collect': {
      needs: 'process.spawn', callback: true,
      members: {of: child, from: check.whole(1, 9)},
      required: ['of', 'from'],
      perform: (run, {of, from}, call) => {
        const found = run.object(of);
        if (found === null) return;
        const stream = found.handle.stdio[from];
        let text = '';
        stream.setEncoding('utf8');
        stream.on('data', (part) => { text += part; });
        stream.on('end', () => call(describe(text), {length: text.length}));
      },
    },
    'stop-reading': {
      needs: 'process.spawn',
      members: {of: child, from: check.whole(1, 9)},
      required: ['of', 'from'],
      perform: (run, {of, from}) => {
        const found = run.object(of);
        if (found !== null) found.handle.stdio[from].destroy();
      },
    },
    'child.ref': {
      needs: 'process.spawn', value: child,
      perform: (run, of) => {
        const found = run.object(of);
        if (found !== null) found.handle.ref();
      },
    },
    'child.unref': {
      needs: 'process.spawn', value: child,
      perform: (run, of) => {
        const found = run.object(of);
        if (found !== null) found.handle.unref();
      },
    },
    'given': {
      members: {name: check.text, log: check.text},
      required: ['name', 'log'],
      perform: (run, {name, log}, call, frame) => {
        const value = frame.given ? frame.given[name] : undefined;
        run.record([log, describe(value)]);
      },
    },
  };
}

module.exports = {
  CHILD_EVENTS, CHILD_FIELDS, RESULT_FIELDS, attempt, codeOf, command,
  errorParts, kindOf, load, operations, options, status,
};
