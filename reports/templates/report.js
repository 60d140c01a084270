// SPDX-License-Identifier: MIT
// The report's page: builds the matrix from the data beside it, filters it,
// and shows one case in the panel at the side. Text from the data only ever
// becomes text nodes. The address's hash holds filters and the open case.
'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const $ = (id) => document.getElementById(id);
  const filters = ['q', 'verdict', 'impl', 'level', 'area'];
  const labels = data.implementations.map((one) => one.label);
  const byId = new Map(data.cases.map((one) => [one.id, one]));
  const state = {open: null, at: 0, tab: 'program'};

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
    for (const child of children.flat()) {
      if (child !== null && child !== undefined) made.append(child);
    }
    return made;
  }

  const symbol = (result) =>
    result ? data.marks[result.v][0] : '·';

  function styles(result) {
    if (!result) return 'v-absent';
    const calm = ['pass', 'differs', 'unsupported', 'disputed',
      'inconclusive'];
    const known = !result.u && !calm.includes(result.v);
    return `v-${result.v}${result.u ? ' unexpected' : ''}${
      known ? ' known' : ''}`;
  }

  function said(result) {
    if (!result) return 'not run';
    const more = result.u ? ', unexpected' : result.x ? ', as expected' : '';
    return result.v + more;
  }

  // -- the matrix --------------------------------------------------------

  function cell(one, n) {
    const result = one.results[n];
    const button = document.createElement('button');
    button.type = 'button';
    button.tabIndex = -1;
    button.className = styles(result);
    button.dataset.n = n;
    button.title = `${labels[n]}: ${said(result)}`;
    button.setAttribute('aria-label', button.title);
    button.textContent = symbol(result);
    const td = document.createElement('td');
    td.append(button);
    return td;
  }

  function row(one) {
    const cut = one.id.lastIndexOf('/') + 1;
    const link = element('a', {href: '#'},
      element('span.topic', null, one.id.slice(0, cut)), one.id.slice(cut));
    const tr = element('tr.case', {'data-id': one.id},
      element('th', {scope: 'row'}, link));
    one.results.forEach((_, n) => tr.append(cell(one, n)));
    one.row = tr;
    one.text = [one.id, one.rule, one.claim, one.program,
      data.rules[one.rule].title].join('\n').toLowerCase();
    const seen = new Set(one.results.filter(Boolean).map((r) => r.v)
      .filter((v) => v !== 'unsupported'));
    one.disagree = seen.size > 1;
    return tr;
  }

  function ruleRow(name) {
    const rule = data.rules[name];
    const body = element('tbody', {'data-rule': name});
    body.append(element('tr.rule', null,
      element('th', {colspan: labels.length + 1, scope: 'rowgroup'},
        element('span.id', null, name),
        rule.level && element(`span.badge.l-${rule.level}`, null, rule.level),
        element('span.title', null, rule.title))));
    return body;
  }

  function build() {
    const bodies = new Map();
    for (const one of data.cases) {
      if (!bodies.has(one.rule)) bodies.set(one.rule, ruleRow(one.rule));
      bodies.get(one.rule).append(row(one));
    }
    $('cases').append(...bodies.values());
    const first = $('cases').querySelector('td button');
    if (first) first.tabIndex = 0;
    for (const key of ['level', 'area']) {
      const values = new Set(data.cases.map((one) => one[key]));
      $(key).append(...[...values].sort().map((v) =>
        element('option', null, v)));
    }
  }

  function fits(one, want, column) {
    if (want.level && one.level !== want.level) return false;
    if (want.area && one.area !== want.area) return false;
    if (!want.q.every((word) => one.text.includes(word))) return false;
    if (want.verdict === 'disagree') return one.disagree;
    const some = column < 0 ? one.results : [one.results[column]];
    if (want.verdict === 'unexpected') return some.some((r) => r && r.u);
    if (want.verdict) return some.some((r) => r && r.v === want.verdict);
    return column < 0 || some[0] !== null;
  }

  function filter() {
    const want = Object.fromEntries(filters.map((id) => [id, $(id).value]));
    want.q = want.q.toLowerCase().split(/\s+/).filter(Boolean);
    const column = labels.indexOf(want.impl);
    let shown = 0;
    for (const one of data.cases) {
      const hide = !fits(one, want, column);
      if (one.row.hidden !== hide) one.row.hidden = hide;
      shown += !hide;
    }
    for (const body of $('cases').tBodies) {
      const rows = [...body.rows].slice(1);
      body.hidden = rows.every((tr) => tr.hidden);
    }
    $('count').textContent = shown === data.cases.length ?
      `${shown} cases` : `${shown} of ${data.cases.length} cases`;
    $('none').hidden = shown > 0;
  }

  // -- the address -------------------------------------------------------

  function writeHash() {
    const hash = new URLSearchParams();
    for (const id of filters) if ($(id).value) hash.set(id, $(id).value);
    if (state.open) {
      hash.set('case', state.open.id);
      hash.set('in', labels[state.at]);
    }
    const text = `#${hash}`;
    if (text !== location.hash) history.replaceState(null, '', text);
  }

  function readHash() {
    if (/^#(overview|matrix)?$/.test(location.hash)) return;
    const hash = new URLSearchParams(location.hash.slice(1));
    for (const id of filters) $(id).value = hash.get(id) || '';
    for (const id of filters) if ($(id).value === '') $(id).value = '';
    filter();
    const one = byId.get(hash.get('case'));
    if (one) show(one, Math.max(0, labels.indexOf(hash.get('in'))));
    else close();
  }

  // -- one case ----------------------------------------------------------

  function tabs(name, items, chosen, choose) {
    return element('div.tabs', {role: 'tablist', 'aria-label': name},
      items.map(([key, ...content]) => element('button', {
        type: 'button', role: 'tab', 'data-key': key,
        'aria-selected': String(key === chosen),
        onclick: () => choose(key),
      }, content)));
  }

  function traceList(trace, explanation) {
    const at = explanation ? explanation.at : null;
    const list = element('ol.trace', null, trace[0].map((event, n) =>
      element(n === at ? 'li.mono.at' : 'li.mono', null, event)));
    const ends = at !== null && at >= trace[0].length;
    if (ends || !trace[0].length) {
      list.append(element(ends ? 'li.at.end' : 'li.end', null,
        trace[0].length ? 'ends here' : 'no event'));
    }
    return list;
  }

  function histogram(traces, more) {
    const most = Math.max(...traces.map((t) => t[1]));
    const all = traces.reduce((sum, t) => sum + t[1], 0);
    const sorted = [...traces].sort((a, b) => b[1] - a[1]);
    const lines = sorted.map((t) => element('tr', null,
      element('td.n', null, `${t[1]} ×`),
      element(`td.b.${t[2] ? 'v-pass' : 'v-fail'}`,
        {title: `${(100 * t[1] / all).toFixed(1)} %`},
        element('i', {style: `width:${100 * t[1] / most}%`})),
      element('td', null, t[2] ? '✓ allowed' : '✗ forbidden'),
      element('td', null, traceList(t, null))));
    return [
      element('h3', null, `${all} runs, ${traces.length + (more || 0)} ` +
        `distinct ${traces.length + (more || 0) === 1 ? 'trace' : 'traces'}`),
      element('table.hist', null, element('tbody', null, lines)),
      more ? element('p.small', null, `… and ${more} more`) : null,
    ];
  }

  function traces(one, result) {
    const list = result.t || one.traces;
    if (!list.length) return [];
    const parts = [];
    const bad = list.find((t) => !t[2]);
    if (list.length === 1 || bad) {
      parts.push(element('h3', null, 'Trace'),
        traceList(bad || list[0], result.ex));
    }
    const runs = list.reduce((sum, t) => sum + t[1], 0);
    if (runs > 1) parts.push(...histogram(list, result.more));
    return parts;
  }

  function copy(button, text) {
    const told = (word) => { button.textContent = word; };
    navigator.clipboard.writeText(text).then(
      () => told('copied'), () => told('select it'));
  }

  // Text in which `this` becomes code.
  function marked(text) {
    return text.split('`').map((part, n) =>
      n % 2 ? element('code', null, part) : part);
  }

  function block(title, text, wrap) {
    return text ? [element('h3', null, title),
      element(wrap ? 'pre.wrap' : 'pre', {tabindex: 0}, text)] : [];
  }

  function told(one, n) {
    const result = one.results[n];
    const box = element('div', {role: 'tabpanel'});
    if (!result) {
      box.append(element('p.small', null,
        'This case was not selected in that run.'));
      return box;
    }
    box.append(element('p.verdict-line', null,
      element(`b.${styles(result).replace(' ', '.')}`, null,
        `${symbol(result)} ${result.v}`),
      result.u ? `unexpected: ${(result.x || ['pass']).join(' or ')} was ` +
        'expected' : result.x ? 'as expected' : '',
      element('span.small', null, ` ${result.ms} ms`)));
    if (result.why) {
      box.append(element('p.why', null, `Known: ${result.why}`));
    }
    if (result.ex) {
      box.append(element('p.text', null, marked(result.ex.text)));
      if (result.ex.expected.length) {
        box.append(element('p.small', null, 'Possible at that point: ',
          element('span.mono', null, result.ex.expected.join(', '))));
      }
    }
    const evidence = result.ev ? JSON.stringify(result.ev, null, 1) : '';
    box.append(...traces(one, result).filter(Boolean),
      ...block('Detail', result.d, true), ...block('stderr', result.s, true),
      ...block('Evidence', evidence, true));
    const again = data.implementations[n].again;
    if (again) {
      const text = again + one.id;
      box.append(element('h3', null, 'Run it again'),
        element('div.command', null, element('pre.wrap', null, text),
          element('button', {type: 'button',
            onclick: (event) => copy(event.target, text)}, 'copy')));
    }
    return box;
  }

  function described(one) {
    if (!one.program) {
      return [element('p.small', null,
        'The corpus no longer has this case.')];
    }
    const code = element('pre', {tabindex: 0, role: 'tabpanel'},
      one[state.tab]);
    return [
      ...block('Expectation', one.expect),
      ...one.byTrait.flatMap(([trait, text]) =>
        block(`Expectation with ${trait}`, text)),
      element('h3', null, 'Program'),
      tabs('Program as', [['program', 'Vocabulary'],
        ['javascript', 'JavaScript']], state.tab, (key) => {
        state.tab = key;
        show(one, state.at, `[data-key="${key}"]`);
      }),
      code,
      element('p.small', null, one.at),
    ];
  }

  function ruleOf(one) {
    const rule = data.rules[one.rule];
    return [
      element('h3', null, `Rule ${one.rule}`),
      element('p', null, element('b', null, rule.title)),
      rule.text && element('p.text', null, rule.text),
      rule.source && element('p.small', null, `Source: ${rule.source}${
        rule.since ? ` Since ${rule.since}.` : ''}`),
      rule.at && element('p.small', null, rule.at),
    ].filter(Boolean);
  }

  function badges(one) {
    const list = [[one.level, `l-${one.level}`]];
    if (one.runs > 1) list.push([`litmus, ${one.runs} runs`, '']);
    if (one.isolation === 'process') list.push(['process of its own', '']);
    for (const need of one.needs || []) list.push([need, '']);
    return element('div.badges', null, list.map(([text, style]) =>
      element(`span.badge${style && `.${style}`}`, null, text)));
  }

  function show(one, at, focus) {
    if (state.open) state.open.row.classList.remove('open');
    state.open = one;
    state.at = at;
    one.row.classList.add('open');
    const pane = $('detail');
    const scroll = focus ? pane.scrollTop : 0;
    const cut = one.id.lastIndexOf('/') + 1;
    pane.replaceChildren(
      element('header', null,
        element('h2', {id: 'detail-title', tabindex: -1},
          element('small', null, one.id.slice(0, cut)), one.id.slice(cut)),
        element('button', {type: 'button', title: 'Previous case (k)',
          onclick: () => step(-1)}, '↑'),
        element('button', {type: 'button', title: 'Next case (j)',
          onclick: () => step(1)}, '↓'),
        element('button', {type: 'button', id: 'close',
          title: 'Close (Esc)', onclick: close}, '✕')),
      badges(one),
      ...(one.claim ? [element('p.text', null, one.claim)] : []),
      ...(one.disputed ? [element('p.why', null,
        `Disputed: ${one.disputed.reason} ${one.disputed.link || ''}`)] : []),
      element('h3', null, 'What happened'),
      tabs('Implementation', labels.map((label, n) => [String(n),
        element(`span.verdict.${styles(one.results[n]).split(' ')[0]}`, null,
          symbol(one.results[n])), label]), String(at),
      (key) => show(one, Number(key), `[data-key="${key}"]`)),
      told(one, at), ...described(one), ...ruleOf(one));
    pane.hidden = false;
    pane.scrollTop = scroll;
    const target = focus ? pane.querySelector(focus) : $('detail-title');
    target.focus({preventScroll: true});
    writeHash();
  }

  function close() {
    const {open, at} = state;
    if (!open) return;
    open.row.classList.remove('open');
    state.open = null;
    $('detail').hidden = true;
    enter(open.row.cells[at + 1].firstChild);
    writeHash();
  }

  function visible() {
    return data.cases.filter((one) => !one.row.hidden);
  }

  function step(by) {
    const list = visible();
    const next = list[list.indexOf(state.open) + by];
    if (!next) return;
    show(next, state.at);
    next.row.scrollIntoView({block: 'nearest'});
  }

  // -- keys --------------------------------------------------------------

  function enter(button) {
    for (const old of $('cases').querySelectorAll('button[tabindex="0"]')) {
      old.tabIndex = -1;
    }
    button.tabIndex = 0;
    button.focus();
  }

  function move(button, key) {
    const tr = button.closest('tr');
    const n = Number(button.dataset.n);
    if (key === 'ArrowLeft' || key === 'ArrowRight') {
      const next = tr.cells[n + 1 + (key === 'ArrowLeft' ? -1 : 1)];
      if (next && next.firstChild.dataset) enter(next.firstChild);
      return;
    }
    const list = visible();
    const here = list.findIndex((one) => one.row === tr);
    const next = list[here + (key === 'ArrowUp' ? -1 : 1)];
    if (next) enter(next.row.cells[n + 1].firstChild);
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === 'Escape') close();
    else if (typing) return;
    else if (event.key === '/') {
      event.preventDefault();
      $('q').focus();
    } else if (state.open && (event.key === 'j' || event.key === 'k')) {
      step(event.key === 'j' ? 1 : -1);
    } else if (event.key.startsWith('Arrow') &&
        event.target.dataset.n !== undefined) {
      event.preventDefault();
      move(event.target, event.key);
    }
  }

  function onChoose(event) {
    const tr = event.target.closest('tr.case');
    if (!tr) return;
    const button = event.target.closest('button');
    const link = event.target.closest('a');
    if (!button && !link) return;
    event.preventDefault();
    const one = byId.get(tr.dataset.id);
    const wrong = one.results.findIndex((r) => r && r.u);
    show(one, button ? Number(button.dataset.n) : Math.max(0, wrong));
  }

  function theme() {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === 'dark' :
      matchMedia('(prefers-color-scheme: dark)').matches;
    root.dataset.theme = dark ? 'light' : 'dark';
    try {
      localStorage.setItem('plumbline-theme', root.dataset.theme);
    } catch { /* a page from disk may have no storage */ }
  }

  try {
    const kept = localStorage.getItem('plumbline-theme');
    if (kept) document.documentElement.dataset.theme = kept;
  } catch { /* as above */ }
  build();
  filter();
  readHash();
  for (const id of filters) {
    $(id).addEventListener('input', () => { filter(); writeHash(); });
  }
  $('filters').addEventListener('submit', (event) => event.preventDefault());
  $('reset').addEventListener('click', () => {
    for (const id of filters) $(id).value = '';
    filter();
    writeHash();
  });
  $('cases').addEventListener('click', onChoose);
  $('theme').addEventListener('click', theme);
  document.addEventListener('keydown', onKey);
  addEventListener('hashchange', readHash);
})();
