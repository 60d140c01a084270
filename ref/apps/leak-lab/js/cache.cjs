// SPDX-License-Identifier: MIT
/*
 * cache: pages by address. Every visitor has an address of his own (a session
 * in it), so what is cached is never asked for again and never thrown away.
 *
 * Cure: the 100 used last stay. A Map keeps the order of insertion, so what is
 * used is put behind all others, and the first one goes.
 */
'use strict';

const {text} = require('./text.cjs');

class Page {
  constructor(address) {
    this.address = address;
    this.body = text(2048, address);
  }
}

class Lru {
  constructor(most) {
    this.most = most;
    this.entries = new Map();
  }

  get size() {
    return this.entries.size;
  }

  get(key) {
    const found = this.entries.get(key);
    if (found !== undefined) {
      this.entries.delete(key);
      this.entries.set(key, found);
    }
    return found;
  }

  set(key, value) {
    this.entries.set(key, value);
    if (this.entries.size > this.most)
      this.entries.delete(this.entries.keys().next().value);
  }
}

function begin(cured) {
  const cache = cured ? new Lru(100) : new Map();
  return {
    turn(n) {
      for (const address of [n, n >> 1]) {
        if (cache.get(address) === undefined)
          cache.set(address, new Page(address));
      }
    },
    kept: () => cache.size,
  };
}

module.exports = {culprit: 'Page', begin};
