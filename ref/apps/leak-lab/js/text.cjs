// SPDX-License-Identifier: MIT
'use strict';

/* A flat text of its own, of so many bytes: what a response or a file is. */
function text(bytes, n) {
  return Buffer.alloc(bytes, 97 + n % 26).toString('latin1');
}

module.exports = {text};
