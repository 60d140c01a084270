// SPDX-License-Identifier: MIT
/*
 * rooms: connections are members of rooms: one for all, and one of their own.
 * When a connection closes, its rooms do not know.
 *
 * Cure: what closes leaves its rooms, and a room without members goes.
 */
'use strict';

const Emitter = require('events');
const {text} = require('./text.cjs');

class Connection extends Emitter {
  constructor(n) {
    super();
    this.name = `connection ${n}`;
    this.received = text(1024, n);
  }

  close() {
    this.emit('close');
  }
}

class Rooms {
  constructor() {
    this.members = new Map();
  }

  join(name, connection) {
    let room = this.members.get(name);
    if (room === undefined) this.members.set(name, room = new Set());
    room.add(connection);
  }

  leave(name, connection) {
    const room = this.members.get(name);
    room.delete(connection);
    if (room.size === 0) this.members.delete(name);
  }
}

function begin(cured) {
  const rooms = new Rooms();
  const open = [];
  return {
    turn(n) {
      const connection = new Connection(n);
      for (const name of ['all', connection.name]) {
        rooms.join(name, connection);
        if (cured) connection.on('close', () => rooms.leave(name, connection));
      }
      open.push(connection);
      if (open.length > 20) open.shift().close();
    },
    kept: () => rooms.members.size,
  };
}

module.exports = {culprit: 'Connection', begin};
