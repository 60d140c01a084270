// SPDX-License-Identifier: MIT
/*
 * checks.cjs: checkers of values, in which the operations say what they take.
 *
 * Invariant: a checker looks at one value and calls nothing of it; whether an
 * id names an object is for the whole program to say (compiler.cjs).
 */
'use strict';

// What a checker says is wrong with a value, or null: (value) -> text.
const check = {
  any: () => null,
  text: (v) => typeof v === 'string' && v !== '' ? null : 'a non-empty string',
  texts: (v) => Array.isArray(v) && v.every((t) => !check.text(t))
    ? null : 'a list of texts',
  whole: (min, max) => (v) => Number.isInteger(v) && v >= min && v <= max
    ? null : `a whole number from ${min} to ${max}`,
  oneOf: (names) => (v) => names.includes(v)
    ? null : `one of ${names.join(', ')}`,
  delay: (v) => typeof v === 'number' || hasOwn(DELAYS, v)
    ? null : `a number or one of ${Object.keys(DELAYS).join(', ')}`,
  scalar: (v) => v === null ||
    ['string', 'number', 'boolean'].includes(typeof v)
    ? null : 'a string, a number, true, false or null',
  event: (v) => check.text(v) === null || (Array.isArray(v) && v.length === 2 &&
    check.text(v[0]) === null && check.scalar(v[1]) === null)
    ? null : 'a label or [label, value]',
  message: (v) => typeof v === 'string' || Number.isInteger(v)
    ? null : 'a string or a whole number',
  status: (v) => isEmptyObject(v) || check.whole(0, 255)(v) === null
    ? null : 'an exit status from 0 to 255, or {}',
};

const DELAYS = {
  'NaN': NaN, 'Infinity': Infinity, '-Infinity': -Infinity,
  'undefined': undefined,
};

function hasOwn(object, name) {
  return Object.prototype.hasOwnProperty.call(object, name);
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isEmptyObject(value) {
  return isObject(value) && Object.keys(value).length === 0;
}

// A checker of a use of an id; the kinds are what it may name.
function idOf(...kinds) {
  const checker = (v) => check.text(v) === null ? null : 'the id of an object';
  checker.kinds = kinds;
  return checker;
}

module.exports = {DELAYS, check, hasOwn, idOf, isObject};
