// SPDX-License-Identifier: MIT
// The page: filters, the panel, keys. The address's hash holds the filters and
// what is open, so that a link shows what its sender saw.
'use strict';
(() => {
  const {$, byId, calm, copier, data, element, kind, labels, matrix,
    panel, source} = window.plumb;
  const filters = ['q', 'verdict', 'impl', 'level', 'area', 'needs'];
  const TITLE = document.title;
  // What is open: {one, at}, {rule} or {impl}; and how programs are shown.
  const state = {open: null, tab: 'program'};

  // -- filters -----------------------------------------------------------

  // The choices of the box of verdicts, each with a bit. A result has the bit
  // of what the overview counts it as and, where that is not a calm one, the
  // bit of its verdict, expected or not.
  const choices = [...$('verdict').options].slice(1);
  const bits = new Map(choices.map((option, n) => [option.value, 1 << n]));

  function maskOf(one, column) {
    return column < 0 ? one.any : one.masks[column] | one.any & bits.get(
      'disagree');
  }

  // An area and a topic are one filter: `loop` or `loop/timeouts`.
  const topicOf = (one) => one.id.slice(0, one.id.lastIndexOf('/'));

  function prepare() {
    for (const one of data.cases) {
      one.masks = one.results.map((result) => bits.get(kind(result)) |
        (result && !calm.includes(result.v) ? bits.get(result.v) : 0));
      one.text = [one.id, one.rule, one.claim, source(one, 'program'),
        data.rules[one.rule].title].join('\n').toLowerCase();
      const seen = new Set(one.results.filter(Boolean).map((r) => r.v)
        .filter((v) => v !== 'unsupported'));
      one.any = one.masks.reduce((all, mask) => all | mask,
        seen.size > 1 ? bits.get('disagree') : 0);
    }
    const values = {
      level: data.cases.map((one) => one.level),
      area: data.cases.flatMap((one) => [one.area, topicOf(one)]),
      needs: data.cases.flatMap((one) => one.needs || []),
    };
    for (const [key, list] of Object.entries(values)) {
      $(key).append(...[...new Set(list)].sort().map((v) =>
        element('option', null, v)));
    }
  }

  function fits(one, want) {
    if (want.level && one.level !== want.level) return false;
    if (want.area && one.area !== want.area && topicOf(one) !== want.area) {
      return false;
    }
    if (want.needs && !(one.needs || []).includes(want.needs)) return false;
    return want.q.every((word) => one.text.includes(word));
  }

  // How many cases each choice of verdict would show, with the other filters
  // as they are.
  function countChoices(cases, column) {
    const counts = choices.map(() => 0);
    for (const one of cases) {
      for (let mask = maskOf(one, column); mask; mask &= mask - 1) {
        counts[31 - Math.clz32(mask & -mask)] += 1;
      }
    }
    choices.forEach((option, n) => {
      option.textContent = `${option.dataset.name} (${counts[n]})`;
    });
  }

  function filter() {
    const want = Object.fromEntries(filters.map((id) => [id, $(id).value]));
    want.q = want.q.toLowerCase().split(/\s+/).filter(Boolean);
    const column = labels.indexOf(want.impl);
    const fitting = data.cases.filter((one) => fits(one, want));
    countChoices(fitting, column);
    const bit = bits.get(want.verdict);
    const cases = fitting.filter((one) =>
      !bit || maskOf(one, column) & bit);
    matrix.set(cases);
    $('count').textContent = cases.length === data.cases.length ?
      `${cases.length} cases` : `${cases.length} of ${
        data.cases.length} cases`;
    $('none').hidden = cases.length > 0;
  }

  // -- the address -------------------------------------------------------

  // What is opened becomes a step of the browser's history, so that Back
  // closes it; what is typed into a filter and the next case do not.
  function writeHash(step) {
    const hash = new URLSearchParams();
    for (const id of filters) if ($(id).value) hash.set(id, $(id).value);
    const {open} = state;
    if (open && open.one) {
      hash.set('case', open.one.id);
      hash.set('in', labels[open.at]);
    } else if (open && open.rule) hash.set('rule', open.rule);
    else if (open) hash.set('of', labels[open.impl]);
    const text = `#${hash}`;
    document.title = open ? `${nameOf(open)} · ${TITLE}` : TITLE;
    if (text === location.hash) return;
    if (step) history.pushState(null, '', text);
    else history.replaceState(null, '', text);
  }

  function readHash() {
    if (/^#(overview|matrix|coverage)$/.test(location.hash)) return;
    const hash = new URLSearchParams(location.hash.slice(1));
    const old = filters.map((id) => $(id).value).join();
    for (const id of filters) $(id).value = hash.get(id) || '';
    for (const id of filters) if ($(id).value === '') $(id).value = '';
    const changed = filters.map((id) => $(id).value).join() !== old;
    if (changed) filter();
    const one = byId.get(hash.get('case'));
    const impl = labels.indexOf(hash.get('of'));
    if (one) {
      put({one, at: Math.max(0, labels.indexOf(hash.get('in')))});
      matrix.reveal(one);
    } else if (data.rules[hash.get('rule')]) put({rule: hash.get('rule')});
    else if (impl >= 0) put({impl});
    else {
      remove();
      if (changed) $('matrix').scrollIntoView();
    }
  }

  // -- the panel ---------------------------------------------------------

  const go = {
    implementation: (n) => show({one: state.open.one, at: n},
      `[data-key="${n}"]`),
    tab: (key) => {
      state.tab = key;
      show(state.open, `[data-key="${key}"]`);
    },
    rule: (rule) => show({rule}),
    open: (one) => {
      choose(one);
      matrix.reveal(one);
    },
  };

  function title(open) {
    if (open.rule) return [element('small', null, 'Rule'), open.rule];
    if (open.impl !== undefined) {
      return [element('small', null, 'Implementation'), labels[open.impl]];
    }
    const cut = open.one.id.lastIndexOf('/') + 1;
    return [element('small', null, open.one.id.slice(0, cut)),
      open.one.id.slice(cut)];
  }

  function contents(open) {
    if (open.rule) return panel.ofRule(open.rule, go);
    if (open.impl !== undefined) return panel.ofImplementation(open.impl, go);
    return panel.ofCase(open.one, open.at, state.tab, go);
  }

  function nameOf(open) {
    return open.rule || (open.one ? open.one.id : labels[open.impl]);
  }

  function show(open, focus) {
    const step = !state.open || nameOf(state.open) !== nameOf(open);
    put(open, focus, step);
  }

  function put(open, focus, step) {
    state.open = open;
    matrix.mark(open.one || null);
    const pane = $('detail');
    const scroll = focus ? pane.scrollTop : 0;
    const button = (text, hint, onclick, id) => element('button',
      {type: 'button', title: hint, 'aria-label': hint, onclick, id}, text);
    pane.replaceChildren(
      element('header', null,
        element('h2', {id: 'detail-title', tabindex: -1}, title(open)),
        open.one && button('↑', 'Previous case (k)', () => step(-1), null),
        open.one && button('↓', 'Next case (j)', () => step(1), null),
        copier(() => location.href, 'Copy a link to this', 'link'),
        button('✕', 'Close (Esc)', close, 'close')),
      ...contents(open).filter(Boolean));
    pane.hidden = false;
    pane.scrollTop = scroll;
    const target = focus ? pane.querySelector(focus) : $('detail-title');
    target.focus({preventScroll: true});
    writeHash(step);
  }

  function close() {
    remove(true);
  }

  function remove(step) {
    const {open} = state;
    if (!open) return;
    state.open = null;
    matrix.mark(null);
    $('detail').hidden = true;
    if (open.one) matrix.enter(open.one, open.at);
    writeHash(step);
  }

  function step(by) {
    const {one, at} = state.open;
    const next = matrix.neighbour(one, by);
    if (!next) return;
    matrix.reveal(next);
    put({one: next, at});
  }

  // The case, in the implementation that has something to say.
  function choose(one, n) {
    const wrong = one.results.findIndex((r) => r && r.u);
    show({one, at: n === undefined ? Math.max(0, wrong) : n});
  }

  // -- keys and clicks ---------------------------------------------------

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === 'Escape') close();
    else if (typing) return;
    else if (event.key === '/') {
      event.preventDefault();
      $('q').focus();
    } else if (state.open && state.open.one &&
        (event.key === 'j' || event.key === 'k')) {
      step(event.key === 'j' ? 1 : -1);
    } else if (event.key.startsWith('Arrow') &&
        event.target.dataset.n !== undefined) {
      event.preventDefault();
      matrix.move(event.target, event.key);
    }
  }

  function onChoose(event) {
    const button = event.target.closest('button');
    if (!button && !event.target.closest('a')) return;
    event.preventDefault();
    const tr = event.target.closest('tr');
    if (tr.dataset.rule) show({rule: tr.dataset.rule});
    else choose(byId.get(tr.dataset.id), button ?
      Number(button.dataset.n) : undefined);
  }

  // Links of the overview: data-of names an implementation, data-rule a rule.
  function onLink(event) {
    const link = event.target.closest('[data-of], a[data-rule]');
    if (!link || link.closest('#cases')) return;
    event.preventDefault();
    if (link.dataset.rule) show({rule: link.dataset.rule});
    else show({impl: labels.indexOf(link.dataset.of)});
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
  prepare();
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
  document.addEventListener('click', onLink);
  document.addEventListener('keydown', onKey);
  addEventListener('hashchange', readHash);
})();
