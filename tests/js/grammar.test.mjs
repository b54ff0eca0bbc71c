import assert from "node:assert/strict";
import { test } from "node:test";
import * as grammar from "../../hcg_lib/widgets/grammar.mjs";
import { cases, skip } from "./cases.mjs";

const each = (name, check) => test(name, { skip }, () => cases.grammar.forEach(check));

each("expand writes the tree that Python writes", (c) =>
  assert.deepEqual(grammar.expand(c.rules, c.root, c.choices), c.levels));

each("a seed draws the tree that it draws in Python", (c) =>
  assert.deepEqual(grammar.drawTree(c.rules, c.seed), { root: c.root, choices: c.choices, tokens: c.levels[0] }));

each("parse reads any string as Python does", (c) =>
  c.strings.forEach((tokens, i) => assert.deepEqual(grammar.parse(c.rules, tokens), c.parsed[i])));

each("level accuracy is that of Python", (c) =>
  c.strings.forEach((tokens, i) =>
    assert.deepEqual(grammar.levelAccuracy(grammar.parse(c.rules, tokens)), c.accuracy[i])));

each("another rule changes the tokens below its node as in Python, and no other", (c) => {
  const { l, k, r, from, to } = c.rewrite;
  const after = grammar.rewrite(c.rules, { root: c.root, choices: c.choices, tokens: from }, l, k, r);
  assert.deepEqual(after.tokens, to);
  assert.equal(after.choices[l - 1][k], r);
  const [first, last] = grammar.span(c.rules[0][0][0].length, l, k);
  after.tokens.forEach((a, i) => assert.ok((i >= first && i < last) || a === from[i]));
});

each("symbols that keep a tuple grammatical are those of Python", (c) =>
  assert.deepEqual(grammar.grammaticalAt(c.rules, c.strings[0], c.at), c.fits));

test("the generator agrees with Python", { skip }, () => {
  for (const { seed, values } of cases.uniforms) {
    const uniform = grammar.generator(seed);
    assert.deepEqual(values.map(() => uniform()), values);
  }
});

test("rewrite leaves its arguments alone", { skip }, () => {
  const [c] = cases.grammar;
  const before = structuredClone({ root: c.root, choices: c.choices, tokens: c.levels[0] });
  const state = structuredClone(before);
  grammar.rewrite(c.rules, state, 1, 0, 0);
  assert.deepEqual(state, before);
});
