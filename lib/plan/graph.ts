import { Graph } from '@dagrejs/graphlib';
import { OrchError } from '../errors.ts';

/** Anything with a name that waits for others; names outside the set do not count. */
type Dependent = { id: string; depends_on: readonly string[] };

// graphlib keeps names in plain objects: the prefix keeps `constructor` and `__proto__` from meaning more.
const named = (id: string): string => `:${id}`;
const idOf = (name: string): string => name.slice(1);

/** An edge leads from a dependency to what waits for it. */
function graphOf(nodes: readonly Dependent[]): Graph {
  const graph = new Graph();
  for (const node of nodes) graph.setNode(named(node.id));
  for (const node of nodes) {
    for (const dependency of node.depends_on) {
      if (graph.hasNode(named(dependency))) graph.setEdge(named(dependency), named(node.id));
    }
  }
  return graph;
}

/**
 * The ids in waves: each waits only for earlier waves and stands in the earliest that it can; plan order
 * within a wave. Throws PLAN_INVALID on a cycle.
 */
export function wavesOf(nodes: readonly Dependent[]): string[][] {
  const graph = graphOf(nodes);
  const position = new Map(nodes.map((node, index) => [named(node.id), index]));
  const waiting = new Map(graph.nodes().map((name) => [name, graph.predecessors(name)?.length ?? 0]));
  const waves: string[][] = [];
  let wave = graph.nodes().filter((name) => waiting.get(name) === 0);
  let placed = 0;
  while (wave.length > 0) {
    waves.push(wave.map(idOf));
    placed += wave.length;
    wave = released(graph, wave, waiting).sort((a, b) => (position.get(a) ?? 0) - (position.get(b) ?? 0));
  }
  if (placed < graph.nodeCount()) {
    const path = cyclesOf(nodes)[0]?.join(' -> ') ?? 'unknown';
    throw new OrchError('PLAN_INVALID', `The workstreams wait for each other: ${path}`);
  }
  return waves;
}

function released(graph: Graph, wave: readonly string[], waiting: Map<string, number>): string[] {
  const next: string[] = [];
  for (const name of wave) {
    for (const dependent of graph.successors(name) ?? []) {
      const left = (waiting.get(dependent) ?? 0) - 1;
      waiting.set(dependent, left);
      if (left === 0) next.push(dependent);
    }
  }
  return next;
}

/**
 * Cycles as paths `[a, b, a]`, where `a` depends on `b`: at least one for each knot, no two that share a
 * workstream, none if and only if the graph has none.
 */
export function cyclesOf(nodes: readonly Dependent[]): string[][] {
  const graph = graphOf(nodes);
  peel(graph, graph.nodes());
  const cycles: string[][] = [];
  for (const node of nodes) {
    if (!graph.hasNode(named(node.id))) continue;
    const cycle = cycleFrom(graph, named(node.id));
    cycles.push([...cycle, cycle[0] ?? ''].map(idOf));
    peel(graph, removeAll(graph, cycle));
  }
  return cycles;
}

/** Takes out, again and again, what nothing waits for or what waits for nothing: no cycle holds it. */
function peel(graph: Graph, suspects: string[]): void {
  for (let name = suspects.pop(); name !== undefined; name = suspects.pop()) {
    if (!graph.hasNode(name)) continue;
    const before = graph.predecessors(name) ?? [];
    const after = graph.successors(name) ?? [];
    if (before.length > 0 && after.length > 0) continue;
    graph.removeNode(name);
    for (const neighbour of [...before, ...after]) suspects.push(neighbour);
  }
}

function removeAll(graph: Graph, names: readonly string[]): string[] {
  const touched = names.flatMap((name) => [
    ...(graph.predecessors(name) ?? []),
    ...(graph.successors(name) ?? []),
  ]);
  for (const name of names) graph.removeNode(name);
  return touched;
}

/** Follows dependencies until one comes again; every node left has one. */
function cycleFrom(graph: Graph, start: string): string[] {
  const path: string[] = [];
  const at = new Map<string, number>();
  let name = start;
  while (!at.has(name)) {
    at.set(name, path.length);
    path.push(name);
    name = graph.predecessors(name)?.[0] ?? start;
  }
  return path.slice(at.get(name));
}

/** The nodes with each after those it depends on, else in the order given; null if they form a cycle. */
export function inOrder<T extends Dependent>(nodes: readonly T[]): T[] | null {
  if (cyclesOf(nodes).length > 0) return null;
  const known = new Map(nodes.map((node) => [node.id, node]));
  const placed = new Set<string>();
  const result: T[] = [];
  const stack = [...nodes].reverse();
  for (let node = stack.at(-1); node !== undefined; node = stack.at(-1)) {
    const missing = node.depends_on.flatMap((id) => (placed.has(id) ? [] : (known.get(id) ?? [])));
    if (missing.length > 0) {
      for (const dependency of missing.reverse()) stack.push(dependency);
      continue;
    }
    stack.pop();
    if (placed.has(node.id)) continue;
    placed.add(node.id);
    result.push(node);
  }
  return result;
}
