// SPDX-License-Identifier: MIT
/*
 * compiler.cjs: checks a program and makes its steps, which steps.cjs performs.
 *
 * Invariant: a program is checked whole before anything of it runs.
 *
 * An operation, by its name in the tables of the areas, is {
 *   needs       its capability
 *   value       the checker of an argument that is no object
 *   members     those of one that is; `required` names some of them
 *   kind        of the object that it makes, which may have an id
 *   callback    whether it takes then/each; `then`, whether it takes that alone
 *   bodies      names of further bodies
 *   isolating   (argument): whether it needs a process of its own
 *   inModule    whether it stands in a module only
 *   perform     (run, argument, call, frame, bodies); returns the object made
 * } */
'use strict';

const {check, hasOwn, isObject} = require('./checks.cjs');
const {VALUES, splitValue} = require('./events.cjs');
const {CAPABILITIES, OPERATIONS} = require('./runtime.cjs');
const roles = require('./roles.cjs');
const {Later, callsOf, makeCall} = require('./steps.cjs');

/* Checks a program and makes its steps. Collected, and valid after check():
 *   main         the steps of main
 *   bodies       those of each module: {steps, imports}, its ids if an ES one
 *   unsupported  what this adapter does not know, in words
 *   faults       what is malformed: {at, message}
 *   isolating    places of operations that need a process of their own
 *   sockets      how many socket operations the text has */
class Compiler {
  constructor() {
    this.main = [];
    this.bodies = [];
    this.modular = false;
    this.remembers = false;
    this.inModule = false;
    this.unsupported = [];
    this.faults = [];
    this.isolating = [];
    this.sockets = 0;
    this.kinds = new Map();
    this.uses = [];
  }

  /* Checks a program whole; of several processes every role, each of which
   * has its own objects. What is wrong with one is wrong with all. */
  checkAll(program) {
    this.check(program);
    const others = isObject(program) && isObject(program.roles)
      ? program.roles : {};
    for (const role of Object.keys(others)) {
      if (roles.isPeer(role)) continue;
      const other = new Compiler().check({main: others[role]});
      this.unsupported.push(...other.unsupported);
      this.faults.push(...other.faults);
    }
    return this;
  }

  check(program) {
    if (!isObject(program)) this.fault('program', 'must be an object');
    else this.program(program);
    for (const {at, id, kinds, what} of this.uses) {
      const kind = this.kinds.get(id);
      if (kind === undefined)
        this.fault(at, `names \`${id}\`, which no operation makes`);
      else if (kinds.includes(kind)) continue;
      else if (kind === 'signal')
        this.unsupported.push(`${what} of a signal listener`);
      else
        this.fault(at, `names \`${id}\`, a ${kind}; it takes: ${
          kinds.join(', ')}`);
    }
    return this;
  }

  program({main, bodies = []}) {
    this.main = this.body(main, 'main');
    this.inModule = true;
    if (!Array.isArray(bodies)) this.fault('bodies', 'must be a list');
    else this.bodies = bodies.map((body, i) => this.module(body, i));
  }

  // The body of a module: operations, or {imports, do} of an ES module.
  module(body, i) {
    const at = `bodies[${i}]`;
    if (!isObject(body))
      return {steps: this.body(body, at), imports: null};
    const imports = Array.isArray(body.imports) ? body.imports : [];
    for (const id of imports) this.makes(id, 'import', `${at}.imports`);
    return {steps: this.body(body.do, `${at}.do`), imports};
  }

  fault(at, message) {
    this.faults.push({at, message: `${at}: ${message}`});
  }

  body(operations, at) {
    if (Array.isArray(operations))
      return operations.map((op, i) => this.operation(op, `${at}[${i}]`));
    this.fault(at, 'must be a list of operations');
    return [];
  }

  operation(operation, at) {
    const names = isObject(operation) ? Object.keys(operation) : [];
    if (names.length !== 1) {
      this.fault(at, 'an operation is an object with exactly one key');
      return null;
    }
    const name = names[0];
    const known = hasOwn(OPERATIONS, name) ? OPERATIONS[name] : null;
    if (known === null || (known.needs && !CAPABILITIES.has(known.needs))) {
      this.unsupported.push(`operation \`${name}\``);
      return null;
    }
    if (known.isolating && known.isolating(operation[name]))
      this.isolating.push({at, name});
    if (known.socket) this.sockets++;
    if (known.needs && known.needs.startsWith('modules.')) this.modular = true;
    if (name.startsWith('heap.')) this.remembers = true;
    if (known.inModule && !this.inModule)
      this.fault(at, `\`${name}\` stands in no module`);
    return this.step(known, name, operation[name], `${at}.${name}`);
  }

  step(known, name, argument, at) {
    const {perform, kind} = known;
    if (known.value) {
      this.checked(known.value, argument, at, name);
      return (run, frame) => perform(run, argument, null, frame);
    }
    if (!isObject(argument)) {
      this.fault(at, 'must be an object');
      return null;
    }
    const bodies = this.members(known, name, argument, at);
    const others = this.others(known, argument, at);
    return (run, frame) => {
      const call = bodies === null ? null : makeCall(run, bodies, frame);
      if (call !== null) call.wanted = 'then' in argument || 'each' in argument;
      const handle = perform(run, argument, call, frame,
                             callsOf(run, others, frame));
      if (handle instanceof Later) return handle;
      if (argument.id !== undefined)
        run.objects.set(argument.id, {kind, handle});
      return undefined;
    };
  }

  // The bodies under the other names that an operation has for some.
  others(known, argument, at) {
    if (!known.bodies) return null;
    return known.bodies.map((name) => [name, hasOwn(argument, name)
      ? this.body(argument[name], `${at}.${name}`) : []]);
  }

  // Checks the members of an argument; returns the callback's bodies.
  members(known, name, argument, at) {
    const members = known.members || {};
    const required = known.required || [];
    let bodies = known.callback || known.then ? [[]] : null;
    for (const member of required)
      if (!hasOwn(argument, member)) this.fault(at, `lacks \`${member}\``);
    for (const member of Object.keys(argument)) {
      const value = argument[member];
      const place = `${at}.${member}`;
      if (hasOwn(members, member)) {
        this.checked(members[member], value, place, name);
      } else if (member === 'id' && known.kind) {
        this.makes(value, known.kind, place);
      } else if (known.bodies && known.bodies.includes(member)) {
        continue; // others() reads it
      } else if (member === 'then' && bodies) {
        bodies = [this.body(value, place)];
      } else if (member === 'each' && known.callback) {
        if (Array.isArray(value) && value.length > 0)
          bodies = value.map((ops, i) => this.body(ops, `${place}[${i}]`));
        else this.fault(place, 'must be a list of bodies');
      } else {
        this.fault(place, `\`${name}\` takes no \`${member}\``);
      }
    }
    if ('then' in argument && 'each' in argument)
      this.fault(at, 'has both `then` and `each`');
    return bodies;
  }

  makes(id, kind, at) {
    const before = this.kinds.get(id);
    if (check.text(id) !== null) this.fault(at, 'must be a non-empty string');
    else if (before !== undefined && before !== kind)
      this.fault(at, `\`${id}\` is already the id of a ${before}`);
    else this.kinds.set(id, kind);
  }

  checked(checker, value, at, name) {
    const wanted = checker(value);
    if (wanted !== null) this.fault(at, `must be ${wanted}`);
    else if (checker.kinds)
      this.uses.push({at, id: value, kinds: checker.kinds,
                      what: `operation \`${name}\``});
    else if (checker === check.event && Array.isArray(value))
      this.eventValue(value[1], at);
  }

  // A value that starts with $ must be one that this adapter can tell.
  eventValue(value, at) {
    if (typeof value !== 'string' || value[0] !== '$') return;
    const [name, id] = splitValue(value);
    const known = hasOwn(VALUES, name) ? VALUES[name] : null;
    if (known === null || (known.kinds !== undefined) !== (id !== undefined))
      this.unsupported.push(`value \`${value}\``);
    else if (known.kinds)
      this.uses.push({at, id, kinds: known.kinds, what: `value \`${value}\``});
  }
}

module.exports = {Compiler};
