// SPDX-License-Identifier: MIT
// Pictures of traces: the events in order with the violated one marked, how
// often each was seen, and a timeline with a lane for each phase.
'use strict';
window.plumb.trace = (() => {
  const {data, element} = window.plumb;
  const WIDEST = 60; // events of a timeline

  function list(trace, explanation) {
    const at = explanation ? explanation.at : null;
    const made = element('ol.trace', null, trace[0].map((event, n) =>
      element(n === at ? 'li.mono.at' : 'li.mono', null, event)));
    const ends = at !== null && at >= trace[0].length;
    if (ends || !trace[0].length) {
      made.append(element(ends ? 'li.at.end' : 'li.end', null,
        trace[0].length ? 'ends here' : 'no event'));
    }
    return made;
  }

  function histogram(traces, more) {
    const most = Math.max(...traces.map((t) => t[1]));
    const all = traces.reduce((sum, t) => sum + t[1], 0);
    const sorted = [...traces].sort((a, b) => b[1] - a[1]);
    const count = traces.length + (more || 0);
    const lines = sorted.map((t) => element('tr', null,
      element('td.n', null, `${t[1]} ×`),
      element(`td.b.${t[2] ? 'v-pass' : 'v-fail'}`,
        {title: `${(100 * t[1] / all).toFixed(1)} %`},
        element('i', {style: `width:${100 * t[1] / most}%`})),
      element('td', null, t[2] ? '✓ allowed' : '✗ forbidden'),
      element('td', null, list(t, null))));
    return [
      element('h3', null, `${all} runs, ${count} distinct ${
        count === 1 ? 'trace' : 'traces'}`),
      element('table.hist', null, element('tbody', null, lines)),
      more ? element('p.small', null, `… and ${more} more`) : null,
    ];
  }

  // Which lane an event is in: a label as a whole, or with its index cut off.
  function laneOf(lanes, event) {
    const label = event.split(': ', 1)[0];
    return lanes[label] === undefined ? null : lanes[label];
  }

  // The trace by phases. The list above it says the same to those who do not
  // see it.
  function timeline(one, trace, explanation) {
    const events = trace[0].slice(0, WIDEST);
    const lanes = one.lanes || {};
    const of = events.map((event) => laneOf(lanes, event));
    const used = data.lanes.map((_, n) => n).filter((n) => of.includes(n));
    if (used.length < 2) return [];
    const at = explanation ? explanation.at : null;
    const parts = used.map((lane, row) => element('span.lane',
      {style: `grid-row:${row + 1}`}, data.lanes[lane]));
    events.forEach((event, n) => {
      if (of[n] === null) return;
      parts.push(element(n === at ? 'i.mono.at' : 'i.mono', {
        style: `grid-row:${used.indexOf(of[n]) + 1};grid-column:${n + 2}`,
      }, event));
    });
    return [
      element('h3', null, 'Timeline by phase'),
      element('div.scroll', {tabindex: 0, role: 'img',
        'aria-label': `The trace in ${used.length} lanes, one a phase`},
      element('div.timeline', null, parts)),
      trace[0].length > WIDEST ? element('p.small', null,
        `the first ${WIDEST} of ${trace[0].length} events`) : null,
    ];
  }

  // Everything about the traces of one result.
  function told(one, result) {
    const traces = result.t || one.traces;
    if (!traces.length) return [];
    const parts = [];
    const bad = traces.find((t) => !t[2]);
    const first = bad || traces[0];
    if (traces.length === 1 || bad) {
      parts.push(element('h3', null, 'Trace'), list(first, result.ex));
    }
    parts.push(...timeline(one, first, bad ? result.ex : null));
    const runs = traces.reduce((sum, t) => sum + t[1], 0);
    if (runs > 1) parts.push(...histogram(traces, result.more));
    return parts.filter(Boolean);
  }

  return {told};
})();
