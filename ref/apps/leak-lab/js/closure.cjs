// SPDX-License-Identifier: MIT
/*
 * closure: the closures of one call share one scope. `forgotten` is never kept,
 * but because it uses `previous` the scope has it, and `thing.method`, which
 * uses nothing, keeps the scope: each thing keeps the one before.
 *
 * Cure: the variable is emptied when the function is done with it.
 *
 * Source: An interesting kind of JavaScript memory leak (Meteor, 2013).
 */
'use strict';

const {text} = require('./text.cjs');

class Thing {
  constructor(n, method) {
    this.text = text(2048, n);
    this.method = method;
  }
}

function begin(cured) {
  let thing = null;
  return {
    turn(n) {
      let previous = thing;
      const forgotten = () => previous !== null;
      thing = new Thing(n, () => n);
      if (cured) previous = null;
      return forgotten;
    },
    kept: () => thing === null ? 0 : 1,
  };
}

module.exports = {culprit: 'Thing', begin};
