// SPDX-License-Identifier: MIT
/*
 * snapshot.cjs: reads a .heapsnapshot for heap.cjs, by what its own `meta`
 * says, and by nothing that is known of a version.
 */
'use strict';

const KEYS = ['snapshot', 'nodes', 'edges', 'strings'];
const NODE_FIELDS = ['type', 'name', 'id', 'self_size', 'edge_count'];
const EDGE_FIELDS = ['type', 'name_or_index', 'to_node'];
const NODE_TYPES = ['hidden', 'array', 'string', 'object', 'code', 'closure',
                    'native', 'synthetic'];
const EDGE_TYPES = ['context', 'element', 'property', 'internal', 'hidden',
                    'shortcut', 'weak'];

const all = (wanted, found) => wanted.every((name) => found.includes(name));

class Snapshot {
  constructor(document) {
    this.document = document;
    this.meta = document.snapshot.meta;
    this.width = this.meta.node_fields.length;
    this.step = this.meta.edge_fields.length;
    this.at = {};
    for (const name of NODE_FIELDS)
      this.at[name] = this.meta.node_fields.indexOf(name);
  }

  get count() {
    return this.document.nodes.length / this.width;
  }

  field(node, name) {
    return this.document.nodes[node * this.width + this.at[name]];
  }

  nameOf(node) {
    return this.document.strings[this.field(node, 'name')];
  }

  // The numbers of the object nodes with that constructor's name.
  named(name) {
    const {strings} = this.document;
    const object = this.meta.node_types[0].indexOf('object');
    const found = [];
    for (let node = 0; node < this.count; node++)
      if (this.field(node, 'type') === object &&
          strings[this.field(node, 'name')] === name) found.push(node);
    return found;
  }

  shallow(name) {
    return this.named(name).reduce((sum, node) =>
      sum + this.field(node, 'self_size'), 0);
  }

  // How many edges lead from nodes of one name to nodes of another.
  edges(from, to) {
    const {edges} = this.document;
    const targets = new Set(this.named(to).map((node) => node * this.width));
    const sources = new Set(this.named(from));
    let at = 0;
    let count = 0;
    for (let node = 0; node < this.count; node++) {
      const end = at + this.field(node, 'edge_count') * this.step;
      for (; at < end; at += this.step)
        if (sources.has(node) && targets.has(edges[at + 2])) count++;
    }
    return count;
  }

  ids(name) {
    return new Set(this.named(name).map((node) => this.field(node, 'id')));
  }

  // Compares with an earlier snapshot.
  against(earlier, name, which) {
    const before = earlier.ids(name);
    const after = this.ids(name);
    const kept = [...after].filter((id) => before.has(id)).length;
    return {new: after.size - kept, deleted: before.size - kept, kept,
            delta: after.size - before.size}[which];
  }

  holds(rule) {
    return Snapshot.RULES[rule](this, this.document);
  }

  // Every edge: calls visit(type, name or index, target).
  everyEdge(visit) {
    const {edges} = this.document;
    for (let at = 0; at < edges.length; at += this.step)
      if (!visit(edges[at], edges[at + 1], edges[at + 2])) return false;
    return true;
  }

  everyNode(visit) {
    for (let node = 0; node < this.count; node++)
      if (!visit(node)) return false;
    return true;
  }
}

Snapshot.RULES = {
  'keys': (s, document) => all(KEYS, Object.keys(document)),
  'meta-fields': ({meta}) => all(NODE_FIELDS, meta.node_fields) &&
    all(EDGE_FIELDS, meta.edge_fields),
  'node-types': ({meta}) => all(NODE_TYPES, meta.node_types[0]),
  'edge-types': ({meta}) => all(EDGE_TYPES, meta.edge_types[0]),
  'counts': (s, {snapshot, nodes, edges}) => snapshot.node_count > 0 &&
    snapshot.edge_count > 0 && nodes.length > 0 && edges.length > 0,
  'node-fields-length': (s, {nodes, snapshot}) =>
    nodes.length === snapshot.node_count * s.width,
  'edge-fields-length': (s, {edges, snapshot}) =>
    edges.length === snapshot.edge_count * s.step,
  'edge-counts': (s, {snapshot}) => {
    let sum = 0;
    s.everyNode((node) => { sum += s.field(node, 'edge_count'); return true; });
    return sum === snapshot.edge_count;
  },
  'edge-targets': (s, {nodes}) => s.everyEdge((type, name, to) =>
    to % s.width === 0 && to >= 0 && to < nodes.length),
  'root-first': (s) => s.meta.node_types[0][s.field(0, 'type')] ===
    'synthetic',
  'root-id': (s) => s.field(0, 'id') === 1,
  'ids-unique': (s) => {
    const seen = new Set();
    s.everyNode((node) => seen.add(s.field(node, 'id')));
    return seen.size === s.count;
  },
  'names-in-strings': (s, {strings}) => s.everyNode((node) =>
    typeof s.nameOf(node) === 'string' || strings.length === 0),
  'edge-names': (s, {strings}) => {
    const types = s.meta.edge_types[0];
    return s.everyEdge((type, name) =>
      ['element', 'hidden'].includes(types[type]) ||
      typeof strings[name] === 'string');
  },
};

module.exports = {Snapshot};
