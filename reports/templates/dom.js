// SPDX-License-Identifier: MIT
// What every part of the page needs: the data, elements, words for results.
// Text from the data only ever becomes text nodes.
'use strict';
window.plumb = (() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  // What report/_pack.py has left out.
  function whole(result) {
    if (typeof result === 'number') return {v: 'pass', ms: result};
    if (typeof result !== 'string') return result;
    return {v: 'unsupported', t: [], ms: 0, d: result};
  }
  data.cases = data.cases.map((one) => {
    const [area, topic] = one.id.split('/', 2);
    return {
      claim: '', runs: 1, isolation: 'shared', needs: [], byTrait: [],
      disputed: null, traces: [], lanes: {}, area,
      level: data.rules[one.rule].level, ...one,
      at: typeof one.at === 'number' ?
        `conformance/cases/${area}/${topic}.yaml:${one.at}` : one.at,
      results: one.results.map(whole),
    };
  });

  // A case's program, as `program` or as `javascript`.
  const source = (one, how) =>
    (one[how] || []).map((n) => data.lines[n]).join('\n');
  const labels = data.implementations.map((one) => one.label);
  const calm = ['pass', 'differs', 'unsupported', 'disputed', 'inconclusive'];

  // element('p.small', {title: 'x'}, child, 'text', ...)
  function element(kind, attributes, ...children) {
    const [tag, ...classes] = kind.split('.');
    const made = document.createElement(tag);
    if (classes.length) made.className = classes.join(' ');
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
      else if (value !== null && value !== false) {
        made.setAttribute(name, value === true ? '' : value);
      }
    }
    for (const child of children.flat(2)) {
      if (child !== null && child !== undefined && child !== false) {
        made.append(child);
      }
    }
    return made;
  }

  const symbol = (result) => (result ? data.marks[result.v][0] : '·');

  function styles(result) {
    if (!result) return 'v-absent';
    const known = !result.u && !calm.includes(result.v);
    return `v-${result.v}${result.u ? ' unexpected' : ''}${
      known ? ' known' : ''}`;
  }

  function said(result) {
    if (!result) return 'not run';
    const more = result.u ? ', unexpected' : result.x ? ', as expected' : '';
    return result.v + more;
  }

  // What the overview counts a result as: report/_overview.py, KINDS.
  function kind(result) {
    if (!result) return 'absent';
    if (result.u) return 'unexpected';
    return calm.includes(result.v) ? result.v : 'known';
  }

  // A button that copies `text()`; where a browser forbids that, it says so.
  function copier(text, title, word) {
    const said = (button, now) => {
      button.textContent = now;
      setTimeout(() => { button.textContent = word; }, 1500);
    };
    return element('button.copy', {type: 'button', title,
      'aria-label': title, onclick: (event) => {
        const button = event.currentTarget;
        // A page from another machine without TLS has no clipboard.
        Promise.resolve().then(() => navigator.clipboard.writeText(text()))
          .then(() => said(button, 'copied'),
            () => said(button, 'select it'));
      }}, word);
  }

  // Text in which `this` becomes code.
  function marked(text) {
    return text.split('`').map((part, n) =>
      (n % 2 ? element('code', null, part) : part));
  }

  // An id whose folders stand back.
  function name(id) {
    const cut = id.lastIndexOf('/') + 1;
    return [element('span.topic', null, id.slice(0, cut)), id.slice(cut)];
  }

  function tabs(title, items, chosen, choose) {
    return element('div.tabs', {role: 'tablist', 'aria-label': title},
      items.map(([key, ...content]) => element('button', {
        type: 'button', role: 'tab', 'data-key': key,
        'aria-selected': String(key === chosen),
        onclick: () => choose(key),
      }, content)));
  }

  function block(title, text, wrap) {
    return text ? [element('h3', null, title),
      element(wrap ? 'pre.wrap' : 'pre', {tabindex: 0}, text)] : [];
  }

  return {
    $: (id) => document.getElementById(id), block, byId: new Map(
      data.cases.map((one) => [one.id, one])),
    calm, copier, data, element, kind, labels, marked, name, said, styles,
    source, symbol, tabs,
  };
})();
