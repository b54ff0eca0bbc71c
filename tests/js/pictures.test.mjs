import assert from "node:assert/strict";
import { test } from "node:test";
import { entropy, most, replaced } from "../../hcg_lib/widgets/belief.mjs";
import { geometry, nodeName } from "../../hcg_lib/widgets/canopy.mjs";
import { nearest, scale, short, ticks } from "../../hcg_lib/widgets/chart.mjs";
import { centers, look } from "../../hcg_lib/widgets/contexts.mjs";
import { levelColor, levelName } from "../../hcg_lib/widgets/stage.mjs";
import { cases, skip } from "./cases.mjs";

test("entropy and most likely symbol are those of Python", { skip }, () => {
  for (const { weights, bits, top } of cases.beliefs) {
    assert.ok(Math.abs(entropy(weights) - bits) < 1e-9);
    assert.equal(most(weights), top);
  }
});

test("colors of levels are those of the figures", { skip }, () =>
  cases.colors.forEach((color, l) => assert.equal(levelColor(cases.palette, l), color)));

test("class means are those of Python", { skip }, () => {
  const { points, labels, means } = cases.centers;
  const found = centers(points, labels);
  for (const [label, [x, y]] of Object.entries(means)) {
    const [u, w] = found.get(Number(label));
    assert.ok(Math.hypot(u - x, w - y) < 1e-9);
  }
});

test("a certain belief has no entropy, an even one all of it", () => {
  assert.equal(entropy([0, 1000, 0, 0]), 0);
  assert.equal(entropy([250, 250, 250, 250]), 2);
  assert.equal(replaced([1, 2, 3], [1, 0, 0]), 2);
});

test("scales map ends to ends, and decades evenly on a log axis", () => {
  const linear = scale([0, 2], [10, 110]);
  assert.deepEqual([0, 1, 2].map(linear), [10, 60, 110]);
  const log = scale([1, 100], [0, 200], true);
  assert.deepEqual([1, 10, 100].map(log), [0, 100, 200]);
});

test("ticks of a log axis are decades, or its ends if there are fewer than two", () => {
  assert.deepEqual(ticks([128, 32768], true), [1000, 10000]);
  assert.deepEqual(ticks([1, 1000], true), [1, 10, 100, 1000]);
  assert.deepEqual(ticks([20, 90], true), [20, 90]);
});

test("the nearest sample is found on the axis that is shown", () => {
  assert.equal(nearest([1, 10, 100], 40), 1);
  assert.equal(nearest([1, 10, 100], 40, true), 2);
});

test("numbers are short", () => {
  assert.deepEqual([0, 0.25, 12, 1234.4, 1e6, 3.2e7].map(short), ["0", "0.25", "12", "1234", "10⁶", "3.2·10⁷"]);
});

test("eighteen classes have eighteen looks", () =>
  assert.equal(new Set(Array.from({ length: 18 }, (_, i) => JSON.stringify(look(i)))).size, 18));

test("a tree of 16 tokens fits a phone, and nodes of a level do not touch", () => {
  for (const [width, L, s] of [[338, 4, 2], [338, 3, 2], [704, 3, 3], [704, 4, 2]]) {
    const { X, Y, r, gap, width: needed } = geometry(width, L, s);
    if (s ** L <= 16) assert.equal(needed, width);
    assert.ok(2 * r < gap);
    assert.ok(X(0, 0) - r >= 0 && X(0, s ** L - 1) + r <= needed);
    assert.ok(Math.abs(X(1, 0) - (X(0, 0) + X(0, s - 1)) / 2) < 1e-9);
    assert.ok(Y(L) < Y(0));
  }
});

test("nodes have names", () => {
  assert.deepEqual([nodeName(2, 0, 2), nodeName(1, 1, 2), nodeName(0, 3, 2)], ["Root", "Level-1 node 2", "Token 4"]);
  assert.deepEqual([0, 1, 2].map((l) => levelName(l, 2)), ["tokens", "level 1", "root"]);
});
