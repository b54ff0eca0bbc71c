// The grammar in the browser: pure functions, tested against their Python twins.
// rules[l-1][y][r] is the r-th tuple of level-l symbol y; choices[l-1][k] is the rule used at node k of level l;
// levels[l][k] is the symbol of that node, level 0 the tokens.

export function expand(rules, root, choices) {
  const levels = [[root]];
  for (let l = rules.length; l >= 1; l--) {
    levels.unshift(levels[0].flatMap((symbol, k) => rules[l - 1][symbol][choices[l - 1][k]]));
  }
  return levels;
}

export function parse(rules, tokens) {
  const s = rules[0][0][0].length;
  const levels = [[...tokens]];
  for (const table of rules) {
    const parents = parentOf(table);
    const below = levels.at(-1);
    levels.push(Array.from({ length: below.length / s }, (_, k) =>
      parents.get(below.slice(k * s, (k + 1) * s).join()) ?? -1));
  }
  return levels;
}

const seenTables = new WeakMap();

function parentOf(table) {
  if (!seenTables.has(table)) {
    const pairs = table.flatMap((tuples, symbol) => tuples.map((tuple) => [tuple.join(), symbol]));
    seenTables.set(table, new Map(pairs));
  }
  return seenTables.get(table);
}

export function levelAccuracy(levels) {
  return levels.slice(1).map((symbols) => symbols.filter((a) => a >= 0).length / symbols.length);
}

// Leaves below node k of level l: [first, last).
export function span(s, l, k) {
  return [k * s ** l, (k + 1) * s ** l];
}

// Use rule r at node k of level l: the tokens below are written anew, all others stay, edited or not.
export function rewrite(rules, { root, choices, tokens }, l, k, r) {
  const changed = choices.map((row, i) => (i === l - 1 ? row.with(k, r) : row));
  const [first, last] = span(rules[0][0][0].length, l, k);
  const fresh = expand(rules, root, changed)[0];
  return { root, choices: changed, tokens: tokens.map((a, i) => (i >= first && i < last ? fresh[i] : a)) };
}

// A 32-bit generator (mulberry32): the same seed draws the same tree here and in Python.
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 4294967296;
  };
}

export function drawTree(rules, seed) {
  const [v, m, s, L] = [rules[0].length, rules[0][0].length, rules[0][0][0].length, rules.length];
  const uniform = generator(seed);
  const root = Math.floor(uniform() * v);
  const choices = [];
  for (let l = L; l >= 1; l--) {
    choices.unshift(Array.from({ length: s ** (L - l) }, () => Math.floor(uniform() * m)));
  }
  return { root, choices, tokens: expand(rules, root, choices)[0] };
}

// Symbols that may stand at token i so that its level-1 tuple is still grammatical.
export function grammaticalAt(rules, tokens, i) {
  const s = rules[0][0][0].length;
  const [first] = span(s, 1, Math.floor(i / s));
  const parents = parentOf(rules[0]);
  return rules[0].map((_, a) => parents.has(tokens.slice(first, first + s).with(i - first, a).join()));
}
