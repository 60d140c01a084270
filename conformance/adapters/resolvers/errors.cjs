// SPDX-License-Identifier: MIT
/*
 * errors.cjs: what the texts of resolvers' errors are in Node's codes.
 *
 * Invariant: the first line that matches counts; a text that none matches is
 * told as it is, so that nothing is taken for a code by accident.
 */
'use strict';

const TEXTS = [
  // enhanced-resolve
  [/^Can't resolve /, 'MODULE_NOT_FOUND'],
  [/, but no valid target file was found/, 'MODULE_NOT_FOUND'],
  [/^Package path .* is not exported from package/,
    'ERR_PACKAGE_PATH_NOT_EXPORTED'],
  [/^Package import .* is not imported from package/,
    'ERR_PACKAGE_IMPORT_NOT_DEFINED'],
  [/^Resolving to directories is not possible with the exports field/,
    'ERR_PACKAGE_PATH_NOT_EXPORTED'],
  [/\(directory description file\): SyntaxError: /,
    'ERR_INVALID_PACKAGE_CONFIG'],
  [/^Exports field key should be relative path/, 'ERR_INVALID_PACKAGE_CONFIG'],
  [/^Expecting file to file mapping\./, 'ERR_INVALID_PACKAGE_TARGET'],
  [/^Request should have at least 2 characters/,
    'ERR_INVALID_MODULE_SPECIFIER'],
  // oxc-resolver
  [/^Cannot find module /, 'MODULE_NOT_FOUND'],
  [/ is not defined by "exports" in /, 'ERR_PACKAGE_PATH_NOT_EXPORTED'],
  [/^Package import specifier .* is not defined/,
    'ERR_PACKAGE_IMPORT_NOT_DEFINED'],
  [/^JSONError \{/, 'ERR_INVALID_PACKAGE_CONFIG'],
  [/^Invalid package config /, 'ERR_INVALID_PACKAGE_CONFIG'],
  [/^Invalid module /, 'ERR_INVALID_MODULE_SPECIFIER'],
  // both
  [/ is not exported under the condition/, 'ERR_PACKAGE_PATH_NOT_EXPORTED'],
  [/^Invalid "(?:exports|imports)" target /, 'ERR_INVALID_PACKAGE_TARGET'],
];

function codeOf(text) {
  for (const [pattern, code] of TEXTS)
    if (pattern.test(text)) return code;
  return text;
}

module.exports = {codeOf};
