// An adapter that lets Plumbline judge @NAME@.
//
// It reads a command per line on stdin and answers each with a line on stdout;
// stderr is a free log. The protocol: conformance/schema/protocol.schema.json;
// the operations: conformance/spec/vocabulary.md. (Node, Bun and Deno have a
// fuller adapter, conformance/adapters/js; begin here for a runtime of your
// own that has neither its modules nor its loop.)
'use strict';
const fs = require('node:fs');

const implementation = {name: '@NAME@', version: '0.1.0',
  language: 'JavaScript', homepage: ''};
// A capability promises its operations; a program that needs one you have not
// promised is not sent. Traits are legitimate variants: see vocabulary.md.
const capabilities = ['loop.timeout'];
const traits = [];

const now = () => performance.now();

// ---------------------------------------------------------------------------
// The implementation under test. Put yours in its place.

class Loop { // a loop with timers alone
  constructor() {
    this.timers = [];
    this.made = 0;
  }

  // Like setTimeout and, with `every`, setInterval; gives a handle.
  setTimeout(callback, delay, every) {
    const handle = {callback, every, cleared: false};
    this.start(handle, delay);
    return handle;
  }

  clear(handle) {
    handle.cleared = true;
  }

  run() { // until nothing is left
    const order = (a, b) => a.due - b.due || a.order - b.order;
    while (this.timers.length) {
      this.timers.sort(order);
      const handle = this.timers.shift();
      if (handle.cleared) continue;
      const wait = handle.due - now();
      if (wait > 0) {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, wait);
      }
      handle.callback();
      if (handle.every !== undefined && !handle.cleared) {
        this.start(handle, handle.every);
      }
    }
  }

  start(handle, delay) {
    handle.due = now() + delay;
    handle.order = this.made++;
    this.timers.push(handle);
  }
}

// ---------------------------------------------------------------------------

// The delay that Node makes of a value: whole, from 1 to 2^31 - 1.
function milliseconds(value) {
  const number = Number(value === 'undefined' ? undefined : value);
  return number >= 1 && number <= 2 ** 31 - 1 ? Math.trunc(number) : 1;
}

class Unsupported extends Error {}

// Checks a program, then runs it and collects its events.
class Program {
  constructor(record) {
    this.record = record;
    this.loop = new Loop();
    this.objects = new Map();
    this.begun = now();
    this.count = 0;
  }

  // Nothing may run before everything in it is known.
  check(body) {
    for (const operation of body) {
      const [[name, value]] = Object.entries(operation);
      if (!Object.hasOwn(operations, name)) {
        throw new Unsupported(`the operation ${name}`);
      }
      if (name === 'log' && Array.isArray(value) &&
          typeof value[1] === 'string' && value[1].startsWith('$') &&
          !['$count', '$elapsed'].includes(value[1])) {
        throw new Unsupported(`the value ${value[1]}`);
      }
      if (value && typeof value === 'object') {
        for (const inner of [value.then || [], ...(value.each || [])]) {
          this.check(inner);
        }
      }
    }
  }

  perform(body) {
    for (const operation of body) {
      const [[name, value]] = Object.entries(operation);
      operations[name](this, value);
    }
  }

  // `then` is the body of every call; of `each` the first call gets the
  // first, and the last body serves every further call.
  callback(value) {
    const bodies = value.each || [value.then || []];
    let calls = 0;
    return () => {
      this.count = ++calls;
      this.perform(bodies[Math.min(calls, bodies.length) - 1]);
    };
  }

  keep(value, handle) {
    if (value.id !== undefined) this.objects.set(value.id, handle);
  }
}

const operations = {
  log(program, value) {
    if (Array.isArray(value)) {
      let logged = value[1];
      if (logged === '$count') logged = program.count;
      if (logged === '$elapsed') logged = Math.trunc(now() - program.begun);
      value = [value[0], logged];
    }
    program.record(value);
  },
  block(program, value) {
    const end = now() + value;
    while (now() < end);
  },
  timeout(program, value) {
    program.keep(value, program.loop.setTimeout(
      program.callback(value), milliseconds(value.after)));
  },
  interval(program, value) {
    const every = milliseconds(value.every);
    program.keep(value, program.loop.setTimeout(
      program.callback(value), every, every));
  },
  clear(program, value) {
    program.loop.clear(program.objects.get(value));
  },
};

// One line, at once: in a streamed run nothing may be lost at the end.
function answer(message) {
  const bytes = Buffer.from(`${JSON.stringify(message)}\n`);
  let done = 0;
  while (done < bytes.length) done += fs.writeSync(1, bytes, done);
}

// Answers a run; true where the process must end with it.
function run({seq, program, stream}) {
  const events = [];
  const interpreter = new Program((event) => {
    if (stream) answer({seq, event});
    else events.push(event);
  });
  try {
    if (Object.keys(program).some((key) => !['main', 'pool'].includes(key))) {
      throw new Unsupported('programs of this kind');
    }
    interpreter.check(program.main);
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error;
    answer({seq, unsupported: error.message});
    return stream;
  }
  interpreter.perform(program.main);
  interpreter.loop.run();
  if (!stream) answer({seq, events});
  return stream;
}

// Lines of stdin, read with blocking reads.
function* lines() {
  const chunk = Buffer.alloc(65536);
  let rest = Buffer.alloc(0);
  for (;;) {
    const end = rest.indexOf(10);
    if (end >= 0) {
      yield rest.toString('utf8', 0, end);
      rest = rest.subarray(end + 1);
      continue;
    }
    const got = fs.readSync(0, chunk);
    if (!got) return;
    rest = Buffer.concat([rest, chunk.subarray(0, got)]);
  }
}

for (const line of lines()) {
  const command = JSON.parse(line);
  if (command.cmd === 'start') {
    answer({protocol: 1, implementation, capabilities, traits});
  } else if (command.cmd === 'run') {
    if (run(command)) break;
  } else if (command.cmd === 'stop') break;
  else {
    answer({seq: command.seq, unsupported: `the command ${command.cmd}`});
  }
}
