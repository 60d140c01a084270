// SPDX-License-Identifier: MIT
/*
 * holders.cjs: what may refer to an object in a JavaScript runtime, for
 * heap.hold. Each is a function of the object that gives {root, release}: what
 * has to be kept for the runtime itself to keep the object (undefined where it
 * is a root of its own), and how that ends by its own means.
 *
 * Invariant: nothing here refers to the object but what the name says.
 */
'use strict';

const Emitter = require('events');

// A structure that is kept whole; release empties it.
function kept(root, release) {
  return {root, release: () => release(root)};
}

// Nothing is kept: whoever made it has let it go.
const lost = () => ({root: null, release: () => {}});

class Private {
  #held;
  constructor(object) {
    this.#held = object;
  }
  clear() {
    this.#held = null;
  }
  read() {
    return this.#held;
  }
}

const emitter = new Emitter();
const FAR = 1 << 30;

// An array with one element, so that nobody refers to the object by name.
function cell(object) {
  return [object];
}

function generatorOver(object) {
  return (function* (local) {
    yield 1;
    yield local;
  })(object);
}

async function wait(gate, local) {
  await gate;
  return typeof local;
}

// A promise and the function that resolves it.
function gate() {
  const made = {};
  made.promise = new Promise((resolve) => { made.open = resolve; });
  return made;
}

function errorOf(argument) {
  return new Error(`of ${typeof argument}`);
}

const HOLDERS = {
  'global': (o) => {
    globalThis.plumbHeld = o;
    return {root: undefined, release: () => { delete globalThis.plumbHeld; }};
  },
  'property': (o) => kept({p: o}, (h) => { delete h.p; }),
  'element': (o) => kept([o], (h) => { h.length = 0; }),
  'map-key': (o) => kept(new Map([[o, 1]]), (h) => h.clear()),
  'map-value': (o) => kept(new Map([[1, o]]), (h) => h.delete(1)),
  'set': (o) => kept(new Set([o]), (h) => h.clear()),
  'closure': (o) => {
    let local = o;
    return {root: () => local, release: () => { local = null; }};
  },
  'bound-function': (o) => kept({f: wait.bind(o)}, (h) => { h.f = null; }),
  'private-field': (o) => kept(new Private(o), (h) => h.clear()),
  'symbol-property': (o) => {
    const name = Symbol('held');
    return kept({[name]: o}, (h) => { delete h[name]; });
  },
  'accessor': (o) => {
    const own = cell(o);
    return kept(Object.defineProperty({}, 'p', {
      configurable: true, get: () => own[0],
    }), (h) => { delete h.p; });
  },
  'prototype': (o) => kept({p: Object.create(o)}, (h) => { h.p = null; }),
  'timeout': (o) => {
    const timer = setTimeout((own) => own, FAR, o).unref();
    return {root: undefined, release: () => clearTimeout(timer)};
  },
  'interval': (o) => {
    const timer = setInterval((own) => own, FAR, o).unref();
    return {root: undefined, release: () => clearInterval(timer)};
  },
  'immediate': (o) => {
    setImmediate((own) => own, o);
    return lost();
  },
  'microtask': (o) => {
    Promise.resolve().then(() => o);
    return lost();
  },
  'tick': (o) => {
    process.nextTick((own) => own, o);
    return lost();
  },
  'listener': (o) => {
    const listener = () => o;
    emitter.on('held', listener);
    return {root: undefined,
            release: () => emitter.removeListener('held', listener)};
  },
  'once-listener': (o) => {
    emitter.once('once', () => o);
    return {root: undefined, release: () => emitter.emit('once')};
  },
  'resolved-promise': (o) => kept({p: Promise.resolve(o)},
                                  (h) => { h.p = null; }),
  'promise-reaction': (o) => {
    const made = gate();
    made.promise.then(() => o);
    return {root: made, release: made.open};
  },
  'lost-promise': (o) => {
    gate().promise.then(() => o);
    return lost();
  },
  'generator': (o) => {
    const made = generatorOver(o);
    made.next();
    // A generator that has ended may keep its variables: it is let go.
    return kept({made}, (h) => { h.made = null; });
  },
  'lost-generator': (o) => {
    generatorOver(o).next();
    return lost();
  },
  'async-function': (o) => {
    const made = gate();
    wait(made.promise, o);
    return {root: made, release: made.open};
  },
  'lost-async-function': (o) => {
    wait(gate().promise, o);
    return lost();
  },
  // That of an array keeps it, even at its end (V8).
  'iterator': (o) => kept(new Set([o]).values(),
                          (h) => { h.next(); h.next(); }),
  'proxy': (o) => {
    const {proxy, revoke} = Proxy.revocable(o, {});
    return {root: proxy, release: revoke};
  },
  'module-cache': (o) => {
    const key = `${__filename}?held`;
    require.cache[key] = {exports: o};
    return {root: undefined, release: () => { delete require.cache[key]; }};
  },
  'error': (o) => ({root: errorOf(o), release: () => {}}),
  'async-local': (o) => {
    const {AsyncLocalStorage} = require('async_hooks');
    const storage = new AsyncLocalStorage();
    storage.run(o, () => {});
    return {root: storage, release: () => {}};
  },
};

module.exports = {HOLDERS};
