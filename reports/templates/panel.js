// SPDX-License-Identifier: MIT
// What the panel at the side shows: a case, a rule, or an implementation.
// Each function gives the panel's contents; report.js puts them there.
'use strict';
window.plumb.panel = (() => {
  const {block, copier, data, element, kind, labels, marked, name, said,
    source, styles, symbol, tabs, trace} = window.plumb;

  function command(title, text) {
    return [element('h3', null, title),
      element('div.command', null, element('pre.wrap', null, text),
        copier(() => text, 'Copy the command', 'copy'))];
  }

  // -- a case ------------------------------------------------------------

  function told(one, n) {
    const result = one.results[n];
    const box = element('div', {role: 'tabpanel'});
    if (!result) {
      box.append(element('p.small', null,
        'This case was not selected in that run.'));
      return box;
    }
    box.append(element('p.verdict-line', null,
      element(`b.${styles(result).replaceAll(' ', '.')}`, null,
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
    const again = data.implementations[n].again;
    box.append(...trace.told(one, result),
      ...block('Detail', result.d, true), ...block('stderr', result.s, true),
      ...block('Evidence', evidence, true),
      ...(again ? command('Run it again', again + one.id) : []));
    return box;
  }

  function described(one, tab, choose) {
    if (!one.program) {
      return [element('p.small', null,
        'The corpus no longer has this case.')];
    }
    return [
      ...block('Expectation', one.expect),
      ...one.byTrait.flatMap(([name, text]) =>
        block(`Expectation with ${name}`, text)),
      element('h3', null, 'Program'),
      tabs('Program as', [['program', 'Vocabulary'],
        ['javascript', 'JavaScript']], tab, choose),
      element('div.command', null,
        element('pre', {tabindex: 0, role: 'tabpanel'}, source(one, tab)),
        copier(() => source(one, tab), 'Copy the program', 'copy')),
      element('p.small', null, one.at),
    ];
  }

  // Prose as wide as the panel; paragraphs, lists and tables keep their lines.
  const reflowed = (text) => text.replace(/(\S)\n(?=[^\s*|-])/g, '$1 ');

  function ruleText(id) {
    const rule = data.rules[id];
    return [
      rule.text && element('p.text', null, marked(reflowed(rule.text))),
      rule.source && element('p.small', null, marked(`Source: ${
        rule.source}${rule.since ? ` Since ${rule.since}.` : ''}`)),
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

  // `go` has what the panel's buttons do: implementation(n), tab(key),
  // rule(id).
  function ofCase(one, at, tab, go) {
    const items = labels.map((label, n) => [String(n),
      element(`span.verdict.${styles(one.results[n]).split(' ')[0]}`, null,
        symbol(one.results[n])), label]);
    return [
      badges(one),
      one.claim && element('p.text', null, marked(one.claim)),
      one.disputed && element('p.why', null,
        `Disputed: ${one.disputed.reason} ${one.disputed.link || ''}`),
      element('h3', null, 'What happened'),
      tabs('Implementation', items, String(at),
        (key) => go.implementation(Number(key))),
      told(one, at), ...described(one, tab, go.tab),
      element('h3', null, 'Rule ', element('button.link', {type: 'button',
        onclick: () => go.rule(one.rule)}, one.rule)),
      element('p', null, element('b', null,
        marked(data.rules[one.rule].title))),
      ...ruleText(one.rule),
      ...mutants('Mutants that this case kills', one.kills),
    ];
  }

  function mutants(title, ids) {
    return ids && ids.length ? [element('h3', null, title),
      element('ul.small', null, ids.map((id) => element('li.mono', null, id)))
    ] : [];
  }

  // -- a rule ------------------------------------------------------------

  function line(one, go) {
    return element('tr', null,
      element('th', {scope: 'row'}, element('button.link', {type: 'button',
        onclick: () => go.open(one)}, name(one.id))),
      one.results.map((result, n) => element('td', null,
        element(`b.${styles(result).replaceAll(' ', '.')}`,
          {title: `${labels[n]}: ${said(result)}`}, symbol(result)))));
  }

  function ofRule(id, go) {
    const rule = data.rules[id];
    const cases = data.cases.filter((one) => one.rule === id);
    const killed = [...new Set(cases.flatMap((one) => one.kills || []))];
    return [
      element('div.badges', null, rule.level &&
        element(`span.badge.l-${rule.level}`, null, rule.level)),
      element('p', null, element('b', null, marked(rule.title))),
      ...ruleText(id),
      element('h3', null, `${cases.length} ${
        cases.length === 1 ? 'case' : 'cases'}`),
      element('div.scroll', null, element('table.rule-cases', null,
        element('thead', null, element('tr', null,
          element('th', {scope: 'col'}, 'Case'), labels.map((label) =>
            element('th', {scope: 'col'}, label)))),
        element('tbody', null, cases.map((one) => line(one, go))))),
      ...mutants(`${killed.length} mutants that they kill`, killed),
    ];
  }

  // -- an implementation -------------------------------------------------

  function count(cases, n) {
    const found = new Map();
    for (const one of cases) {
      const kind = said(one.results[n]);
      found.set(kind, (found.get(kind) || 0) + 1);
    }
    return [...found].sort((a, b) => b[1] - a[1])
      .map(([kind, times]) => `${times} ${kind}`).join(', ');
  }

  function ofImplementation(n, go) {
    const one = data.implementations[n];
    const areas = [...new Set(data.cases.map((c) => c.area))].sort();
    const wrong = data.cases.filter((c) => c.results[n] && c.results[n].u);
    const known = data.cases.filter((c) => kind(c.results[n]) === 'known');
    const cases = (title, list, text) => (list.length ? [
      element('h3', null, `${list.length} ${title}`),
      element('ul.cases', null, list.map((c) => element('li', null,
        element('button.link', {type: 'button', onclick: () => go.open(c)},
          name(c.id)),
        element('span.small', null, ` ${text(c.results[n])}`))))] : []);
    return [
      element('p.small', null, [one.language, one.machine, one.started,
        `${one.seconds} s`].filter(Boolean).join(' · ')),
      one.homepage && element('p.small.mono', null, one.homepage),
      one.complete ? null : element('p.warning', null,
        'Interrupted: these are partial results.'),
      element('h3', null, 'By area'),
      element('ul', null, areas.map((area) => element('li', null,
        element('b', null, `${area}: `),
        count(data.cases.filter((c) => c.area === area), n)))),
      ...cases('unexpected', wrong, (r) => `${r.v}${
        r.ex ? `: ${r.ex.text}` : ''}`),
      ...cases(`known ${known.length === 1 ? 'failure' : 'failures'}`, known, (r) => `${r.v}: ${r.why || ''}`),
      element('h3', null, 'Traits'),
      element('p.mono', null, one.traits.join(', ') || 'none'),
      element('h3', null, 'Capabilities'),
      element('p.mono', null, one.capabilities.join(', ') || 'none'),
      ...(one.again ? command('Run it again', one.again.replace(
        / --select $/, '')) : []),
    ];
  }

  return {ofCase, ofImplementation, ofRule};
})();
