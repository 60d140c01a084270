// SPDX-License-Identifier: MIT
/*
 * listeners: each request listens to an emitter that lives as long as the
 * program; its listener keeps the request when it was answered long ago.
 *
 * Cure: a request that is over takes its listener away. Five are under way at
 * a time: an emitter warns of more than ten.
 */
'use strict';

const Emitter = require('events');
const {text} = require('./text.cjs');

class Request {
  constructor(n) {
    this.body = text(1024, n);
    this.beats = 0;
    this.listener = () => { this.beats++; };
  }
}

function begin(cured) {
  const clock = new Emitter();
  const open = [];
  return {
    turn(n) {
      const request = new Request(n);
      clock.on('beat', request.listener);
      open.push(request);
      if (open.length > 5) {
        const over = open.shift();
        if (cured) clock.removeListener('beat', over.listener);
      }
      clock.emit('beat');
    },
    kept: () => clock.listenerCount('beat'),
  };
}

module.exports = {culprit: 'Function', begin};
