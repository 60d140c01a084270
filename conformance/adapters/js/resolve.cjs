// SPDX-License-Identifier: MIT
/*
 * resolve.cjs: asks the runtime's own require.resolve, for modules.cjs, in a
 * process that was started with other conditions.
 *
 *     node --conditions=NAME resolve.cjs '{"file": "/a.js", "specifier": "p"}'
 *
 * Invariant: one JSON object on stdout: `found`, or the details of `error`.
 */
'use strict';

const Module = require('module');

const {file, specifier} = JSON.parse(process.argv[2]);
let answer = null;
try {
  answer = {found: Module.createRequire(file).resolve(specifier)};
} catch (error) {
  const {name, message, code, path, requestPath, requireStack} = error;
  answer = {error: {name, message, code, path, requestPath, requireStack}};
}
process.stdout.write(JSON.stringify(answer));
