// SPDX-License-Identifier: MIT
/*
 * slices: of each packet of 16 KiB the first byte is kept, in a ring of 4,096.
 * The author thinks of 4 KiB; but a slice shares the packet's store, so the
 * ring keeps whole packets, 64 MiB when it is full.
 *
 * Cure: the byte is copied to where it is to stay.
 */
'use strict';

const RING = 4096;

function begin(cured) {
  const bytes = Buffer.alloc(RING);
  const slices = new Array(RING).fill(null);
  let kept = 0;
  return {
    turn(n) {
      const packet = Buffer.allocUnsafeSlow(16384).fill(n & 255);
      const first = packet.slice(0, 1);
      if (cured) first.copy(bytes, n % RING);
      else slices[n % RING] = first;
      kept = Math.min(kept + 1, RING);
    },
    kept: () => kept,
  };
}

module.exports = {culprit: 'Buffer', begin};
