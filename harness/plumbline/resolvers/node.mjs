// SPDX-License-Identifier: MIT
// Answers what Node answers: lines `mode TAB from TAB specifier` (the last two
// as JSON strings) in, one JSON object per line out. mode is r or i.
// Run with --experimental-import-meta-resolve, for import's second argument.
import { createRequire, isBuiltin } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { readFileSync, statSync } from 'node:fs';

const loadable = ['file:', 'data:', 'node:'];

// import() fails where import.meta.resolve() gives a URL: for what is missing or
// a directory, and, when it loads, for unknown core modules and other schemes.
function importOf(from, specifier) {
  const url = import.meta.resolve(specifier, pathToFileURL(`${from}/[from]`).href);
  const { protocol } = new URL(url);
  if (protocol === 'node:' && !isBuiltin(url))
    return { code: 'ERR_UNKNOWN_BUILTIN_MODULE' };
  if (!loadable.includes(protocol)) return { code: 'ERR_UNSUPPORTED_ESM_URL_SCHEME' };
  if (protocol !== 'file:') return { path: url, url };
  const path = fileURLToPath(url);
  const found = stat(path);
  if (path.endsWith('/') || found?.isDirectory()) return { code: 'ERR_UNSUPPORTED_DIR_IMPORT' };
  return found === undefined ? { code: 'ERR_MODULE_NOT_FOUND' } : { path, url };
}

function stat(path) {
  try {
    return statSync(path);
  } catch {
    return undefined; // ENOENT, ENOTDIR, ELOOP: all the same to Node
  }
}

function answer(mode, from, specifier) {
  try {
    if (mode === 'i') return importOf(from, specifier);
    return { path: createRequire(`${from}/[from]`).resolve(specifier) };
  } catch (error) {
    // A hint at what require() would have found is no part of the answer.
    const message = mode === 'i' ? error.message.split('\nDid you mean to import')[0]
      : error.message;
    return { code: error.code ?? null, name: error.name, message,
             errorPath: error.path, requestPath: error.requestPath };
  }
}

process.removeAllListeners('warning');
let out = '';
for (const line of readFileSync(0, 'utf8').split('\n')) {
  if (line === '') continue;
  const [mode, from, specifier] = line.split('\t');
  out += JSON.stringify(answer(mode, JSON.parse(from), JSON.parse(specifier))) + '\n';
}
process.stdout.write(out);
