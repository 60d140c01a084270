// SPDX-License-Identifier: MIT
// The matrix: rules and their cases against implementations. Only the rows in
// view are in the page, between two spacers, so that thousands of cases cost
// as much as a screenful; every row of a kind is as high as the next.
'use strict';
window.plumb.matrix = (() => {
  const {$, data, element, labels, marked, name, said, styles,
    symbol} = window.plumb;
  const OVERSCAN = 15; // rows above and below the view
  const body = element('tbody');
  const above = element('tr.space', {'aria-hidden': 'true'},
    element('td', {colspan: labels.length + 1}));
  const below = above.cloneNode(true);
  let items = []; // what fits the filters: {rule} or {one}
  let offsets = [0]; // where each begins, in pixels, and where all end
  let shown = []; // the items that are rows now
  let visible = []; // the cases of `items`
  let here = null; // the cell that Tab leads to: {one, n}
  let open = null;

  // -- rows --------------------------------------------------------------

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

  function caseRow(one) {
    const tr = element('tr.case', {'data-id': one.id},
      element('th', {scope: 'row', title: one.id},
        element('a', {href: '#'}, name(one.id))));
    one.results.forEach((_, n) => tr.append(cell(one, n)));
    return tr;
  }

  function ruleRow(id) {
    const rule = data.rules[id];
    return element('tr.rule', {'data-rule': id},
      element('th', {colspan: labels.length + 1, scope: 'rowgroup',
        title: rule.title},
      element('a.id', {href: '#'}, id),
      rule.level && element(`span.badge.l-${rule.level}`, null, rule.level),
      element('span.title', null, marked(rule.title))));
  }

  function rowOf(item) {
    if (!item.row) {
      item.row = item.one ? caseRow(item.one) : ruleRow(item.rule);
    }
    return item.row;
  }

  // -- what is in view ---------------------------------------------------

  function heights() {
    const style = getComputedStyle($('cases'));
    const of = (key) => parseFloat(style.getPropertyValue(key)) *
      parseFloat(getComputedStyle(document.documentElement).fontSize);
    return [of('--case-row'), of('--rule-row')];
  }

  // Column heads stay in view below the filters where the table needs no
  // scrolling of its own.
  function hold() {
    const box = $('cases').parentNode;
    box.classList.toggle('fits', $('cases').scrollWidth <= box.clientWidth);
    const sticky = getComputedStyle($('filters')).position === 'sticky';
    box.style.setProperty('--bar',
      `${sticky ? $('filters').offsetHeight : 0}px`);
  }

  function measure() {
    hold();
    const [caseHeight, ruleHeight] = heights();
    offsets = new Array(items.length + 1);
    offsets[0] = 0;
    items.forEach((item, n) => {
      offsets[n + 1] = offsets[n] + (item.one ? caseHeight : ruleHeight);
    });
  }

  // The item at this many pixels below the first row.
  function at(pixels) {
    let low = 0;
    let high = items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (offsets[middle + 1] <= pixels) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  function render() {
    const top = body.getBoundingClientRect().top;
    const first = Math.max(0, at(-top) - OVERSCAN);
    const last = Math.min(items.length, at(innerHeight - top) + OVERSCAN);
    const next = items.slice(first, last);
    const keep = new Set(next);
    for (const item of shown) if (!keep.has(item)) item.row.remove();
    let before = above.nextSibling;
    for (const item of next) {
      const row = rowOf(item);
      if (row === before) before = row.nextSibling;
      else body.insertBefore(row, before);
      if (item.one) row.classList.toggle('open', item.one === open);
      row.setAttribute('aria-rowindex', String(item.index + 2));
    }
    shown = next;
    above.firstChild.style.height = `${offsets[first] || 0}px`;
    below.firstChild.style.height =
      `${offsets[items.length] - (offsets[last] || 0)}px`;
    above.hidden = !first;
    below.hidden = last === items.length;
    if (!body.querySelector('button[tabindex="0"]')) {
      const button = (here && cellOf(here.one, here.n)) ||
        body.querySelector('td button');
      if (button) button.tabIndex = 0;
    }
  }

  let waiting = false;
  function soon() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; render(); });
  }

  function set(cases) {
    visible = cases;
    items = [];
    let rule = null;
    for (const one of cases) {
      if (one.rule !== rule) {
        rule = one.rule;
        const head = data.rules[rule];
        head.item = head.item || {rule};
        items.push(head.item);
      }
      one.item = one.item || {one};
      items.push(one.item);
    }
    items.forEach((item, n) => { item.index = n; });
    $('cases').setAttribute('aria-rowcount', String(items.length + 1));
    measure();
    render();
  }

  // Scrolls no more than is needed for a row to be seen.
  function reveal(one) {
    if (!one.item || items[one.item.index] !== one.item) return;
    const top = body.getBoundingClientRect().top + offsets[one.item.index];
    const bottom = top + offsets[one.item.index + 1] -
      offsets[one.item.index];
    const start = Math.max(0, ...[$('filters'), $('cases').tHead]
      .map((bar) => bar.rows ? bar.rows[0].cells[0] : bar)
      .map((bar) => bar.getBoundingClientRect().bottom)
      .filter((bottom) => bottom < innerHeight / 2));
    if (top < start) scrollBy(0, top - start - 8);
    else if (bottom > innerHeight) scrollBy(0, bottom - innerHeight + 8);
    render();
  }

  function cellOf(one, n) {
    const row = one.item && one.item.row;
    return row && row.isConnected ? row.cells[n + 1].firstChild : null;
  }

  function enter(one, n) {
    reveal(one);
    for (const old of body.querySelectorAll('button[tabindex="0"]')) {
      old.tabIndex = -1;
    }
    const button = cellOf(one, n);
    if (!button) return;
    here = {one, n};
    button.tabIndex = 0;
    button.focus({preventScroll: true});
  }

  function move(button, key) {
    const one = window.plumb.byId.get(button.closest('tr').dataset.id);
    const n = Number(button.dataset.n);
    const side = {ArrowLeft: -1, ArrowRight: 1}[key];
    if (side) {
      if (labels[n + side] !== undefined) enter(one, n + side);
      return;
    }
    const next = neighbour(one, key === 'ArrowUp' ? -1 : 1);
    if (next) enter(next, n);
  }

  function neighbour(one, by) {
    return visible[visible.indexOf(one) + by];
  }

  function mark(one) {
    open = one;
    for (const item of shown) {
      if (item.one) item.row.classList.toggle('open', item.one === open);
    }
  }

  body.append(above, below);
  $('cases').append(body);
  addEventListener('scroll', soon, {passive: true});
  addEventListener('resize', () => { measure(); soon(); });
  addEventListener('beforeprint', () => {
    above.before(...items.map(rowOf));
  });
  addEventListener('afterprint', () => {
    for (const item of items) item.row.remove();
    shown = [];
    render();
  });
  return {enter, mark, move, neighbour, reveal, set};
})();
