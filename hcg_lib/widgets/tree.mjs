// Grow a derivation tree; change one rule, or one token, and see what follows.
import { drawTree, expand, grammaticalAt, levelAccuracy, parse, rewrite, span } from "./grammar.mjs";
import { button, calm, draw, levelColor, levelName, make, onWidth, slider, stage } from "./stage.mjs";
import { canopy, nodeName } from "./canopy.mjs";

function render({ model, el }) {
  const rules = model.get("rules");
  const colors = model.get("colors");
  const [L, v, m, s] = [rules.length, rules[0].length, rules[0][0].length, rules[0][0][0].length];
  const d = s ** L;
  const { root, say, status, id } = stage(el, "tree", "Derivation tree");

  const state = () => ({ root: model.get("root"), choices: model.get("choices"), tokens: model.get("tokens") });
  const read = () => {
    const now = state();
    return { ...now, derived: expand(rules, now.root, now.choices), parsed: parse(rules, now.tokens) };
  };
  const put = (changes) => {
    for (const [name, value] of Object.entries(changes)) model.set(name, value);
    model.save_changes();
  };
  const visible = (l) => l >= L - model.get("shown");

  // ---- the parts
  const growth = slider({
    id, label: "levels grown", max: L, value: model.get("shown"), play: "Grow", text: (k) => `${k} of ${L}`,
    move: (k) => { put({ shown: k }); say(grown(k)); },
  });
  const again = button("New tree", "again", () => {
    const seed = (model.get("seed") + 1) % 2 ** 31;
    put({ seed, ...drawTree(rules, seed) });
    say(`A new tree, seed ${seed}. ${verdict()}`);
  });
  const mend = button("Mend", "mend", () => {
    put({ tokens: read().derived[0] });
    say("The tokens are those of the tree again.");
    tree.focus();
  });
  const tree = canopy({
    L, s, colors, visible, act, label: "Tree: arrow keys walk, Enter changes the node",
    pick: () => paint(),
    dress: (node) => {
      node.disc = draw("circle", { class: "hcg-disc" });
      node.text = draw("text", { "text-anchor": "middle" });
      return [node.disc, node.text];
    },
  });
  const title = make("p", { class: "hcg-note" });
  const chips = make("div", { class: "hcg-chips", role: "group" });
  const meters = tree.nodes.slice(1).map((row, i) => ({ n: row.length, l: i + 1, bar: make("i"), count: make("b") }));
  const meterBox = make("div", { class: "hcg-meters" }, ...meters.map(({ l, bar, count }) =>
    make("span", { class: "hcg-meter", style: `--c:${levelColor(colors, l)}` },
      levelName(l, L), make("span", { class: "hcg-track" }, bar), count)));
  root.append(make("div", { class: "hcg-bar" }, growth.node, again, mend), tree.scroll, meterBox,
    make("div", { class: "hcg-panel" }, title, chips), status);

  // ---- what the reader does
  function act(l, k) {
    const now = state();
    if (l === 0) retoken(k, (now.tokens[k] + 1) % v);
    else choose(l, k, (now.choices[l - 1][k] + 1) % m);
  }
  function choose(l, k, r) {
    put({ ...rewrite(rules, state(), l, k, r), shown: Math.max(model.get("shown"), L - l + 1) });
    const [first, last] = span(s, l, k);
    const rest = l === L ? "the root is still" : "nothing else can: the root is still";
    say(`${nodeName(l, k, L)} now uses rule ${r + 1} of ${m}. Tokens ${first + 1} to ${last} may change, ${rest} ${state().root}.`);
  }
  function retoken(i, a) {
    put({ tokens: state().tokens.with(i, a) });
    say(`Token ${i + 1} is now ${a}. ${verdict()}`);
  }

  // ---- words
  function grown(k) {
    const { parsed, derived } = read();
    if (k === 0) return `Only the root, symbol ${derived[L][0]}.`;
    const form = parsed[L - k].map((a) => (a < 0 ? "×" : a)).join(" ");
    return k === L ? `The string: ${form}` : `After ${k} ${k > 1 ? "levels" : "level"} of rules: ${form}`;
  }
  function verdict() {
    const { parsed, derived } = read();
    const broken = parsed.map((row, l) => ({ l, n: row.filter((a) => a < 0).length, of: row.length })).filter(({ n }) => n);
    if (broken.length) {
      const parts = broken.map(({ l, n, of }) => (l === L ? "the root" : `${n} of ${of} level-${l} nodes`));
      return `No longer parsed: ${parts.join(", ")}.`;
    }
    const same = parsed.every((row, l) => row.every((a, k) => a === derived[l][k]));
    return same ? `All ${d} tokens parse, up to the root.` : "It still parses, as another derivation.";
  }
  function spoken(l, k, symbol, choices) {
    const what = symbol < 0 ? "does not parse" : `symbol ${symbol}`;
    const how = l === 0 ? "Enter: next symbol" : `rule ${choices[l - 1][k] + 1} of ${m}. Enter: next rule`;
    return `${nodeName(l, k, L)}, ${what}, ${how}`;
  }

  // ---- drawing
  function paint() {
    if (!tree.size()) return;
    const { parsed, derived, choices, tokens } = read();
    growth.set(model.get("shown"));
    mend.disabled = tokens.every((a, i) => a === derived[0][i]);
    tree.place();
    for (const { l, k, group, disc, text } of tree.nodes.flat()) {
      const symbol = parsed[l][k];
      const word = symbol < 0 ? "×" : String(symbol);
      group.classList.toggle("is-broken", symbol < 0);
      group.classList.toggle("is-other", symbol >= 0 && symbol !== derived[l][k]);
      group.setAttribute("aria-label", spoken(l, k, symbol, choices));
      if (text.textContent && text.textContent !== word && visible(l)) pulse(disc);
      text.textContent = word;
    }
    const [cl, ck] = tree.chosen();
    for (const { path, parent } of tree.edges) {
      path.classList.toggle("is-broken", parsed[parent.l][parent.k] < 0);
      path.classList.toggle("is-below", cl >= parent.l && Math.floor(parent.k / s ** (cl - parent.l)) === ck);
    }
    levelAccuracy(parsed).forEach((share, i) => {
      meters[i].bar.style.width = `${100 * share}%`;
      meters[i].count.textContent = `${Math.round(share * meters[i].n)}/${meters[i].n}`;
    });
    meterBox.classList.toggle("is-hidden", model.get("shown") < L);
    panel(cl, ck, { derived, choices, tokens });
  }

  function pulse(disc) {
    if (calm()) return;
    disc.animate([{ transform: "scale(1.4)" }, { transform: "scale(1)" }], { duration: 450, easing: "ease-out" });
  }

  function panel(l, k, { derived, choices, tokens }) {
    const tuples = l === 0 ? rules[0].map((_, a) => a) : rules[l - 1][derived[l][k]].map((tuple) => tuple.join(" "));
    const current = l === 0 ? tokens[k] : choices[l - 1][k];
    const fits = l === 0 ? grammaticalAt(rules, tokens, k) : null;
    const group = s === 2 ? "pair" : `${s}-tuple`;
    title.replaceChildren(make("b", { style: `--c:${levelColor(colors, l)}` }, nodeName(l, k, L)),
      l === 0 ? `: pick a symbol; with a dashed one its ${group} is no rule of the grammar.`
        : `: symbol ${derived[l][k]} has ${m} synonymous ${m > 1 ? "rules" : "rule"}.`);
    chips.setAttribute("aria-label", `Choices of ${nodeName(l, k, L)}`);
    chips.style.setProperty("--c", levelColor(colors, Math.max(l - 1, 0)));
    if (chips.children.length !== tuples.length) {
      chips.replaceChildren(...tuples.map((_, r) => make("button", {
        type: "button", class: "hcg-chip", onclick: () => {
          const [cl, ck] = tree.chosen();
          if (cl === 0) retoken(ck, r); else choose(cl, ck, r);
        },
      })));
    }
    [...chips.children].forEach((chip, r) => {
      chip.textContent = l === 0 ? tuples[r] : `${derived[l][k]} → ${tuples[r]}`;
      chip.setAttribute("aria-pressed", String(r === current));
      chip.classList.toggle("is-broken", fits !== null && !fits[r]);
    });
  }

  const quiet = onWidth(tree.scroll, (width) => {
    const { r } = tree.layout(width);
    tree.nodes.flat().forEach(({ disc }) => disc.setAttribute("r", r));
    paint();
  });
  model.on("change", paint);
  say(verdict());
  return () => { quiet(); growth.stop(); model.off("change", paint); };
}

export default { render };
