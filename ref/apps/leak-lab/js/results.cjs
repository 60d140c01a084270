// SPDX-License-Identifier: MIT
/* A module lives as long as the program, and what it has at its top with it. */
'use strict';

let results = [];

exports.add = (result) => results.push(result);
exports.count = () => results.length;

/* The cure: whoever reads them takes them away. */
exports.take = () => {
  const taken = results;
  results = [];
  return taken;
};
