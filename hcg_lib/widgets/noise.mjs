// A noisy string, and what it still says about every node of its tree: the posterior melts from the root down.
import { entropy, most, replaced } from "./belief.mjs";
import { canopy, nodeName, set } from "./canopy.mjs";
import { chart } from "./chart.mjs";
import { draw, levelColor, levelName, make, onWidth, slider, stage } from "./stage.mjs";

function render({ model, el }) {
  const [noise, truth, observed, posterior, confidence, colors] =
    ["noise", "truth", "observed", "posterior", "confidence", "colors"].map((name) => model.get(name));
  const L = truth.length - 1;
  const s = truth[0].length / truth[1].length;
  const v = posterior[0][0][0].length;
  const { root, say, status, id } = stage(el, "noise", "Posterior of every node as noise grows");
  const go = (i) => { model.set("index", i); model.save_changes(); say(words()); };
  const percent = (i) => `${Math.round(100 * noise[i])} %`;

  const control = slider({
    id, label: "noise", max: noise.length - 1, value: model.get("index"), play: "Melt", text: percent, move: go, beat: 260,
  });
  const tree = canopy({
    L, s, colors, below: 46, label: "Posterior tree: arrow keys walk", pick: () => paint(), act: () => paint(),
    dress: (node) => {
      node.disc = draw("circle", { class: "hcg-melt" });
      node.track = draw("circle", { class: "hcg-gauge-track" });
      node.gauge = draw("circle", { class: "hcg-gauge", pathLength: 100, transform: "rotate(-90)" });
      node.text = draw("text", { "text-anchor": "middle" });
      return [node.disc, node.track, node.gauge, node.text];
    },
  });
  const seen = truth[0].map(() => {
    const [box, text] = [draw("rect", { rx: 4 }), draw("text", { "text-anchor": "middle" })];
    return { box, text, group: draw("g", { class: "hcg-seen" }, box, text) };
  });
  const seenName = draw("text", { class: "hcg-rowname", x: 0 }, "seen");
  tree.svg.append(seenName, ...seen.map((token) => token.group));
  const title = make("p", { class: "hcg-note" });
  const bars = Array.from({ length: v }, (_, a) => ({ bar: make("i"), name: make("span", {}, String(a)) }));
  const histogram = make("div", { class: "hcg-histogram", role: "img" },
    ...bars.map((b) => (b.column = make("div", {}, b.bar, b.name))));
  const curves = chart({
    x: noise, colors, base: 1 / v, pick: go, xlabel: "noise: chance that a token is redrawn", ylabel: "P(true symbol)",
    curves: confidence.map((y, l) => ({ y, level: l, label: levelName(l, L) })).reverse(),
    summary: `Mean probability of the true symbol against noise, one curve a level; they fall from 1 to chance, ${(1 / v).toFixed(3)}, the root first.`,
  });
  root.append(make("div", { class: "hcg-bar" }, control.node), tree.scroll,
    make("div", { class: "hcg-panel" }, title, histogram),
    make("p", { class: "hcg-note hcg-caption" }, model.get("caption")), curves.node, status);

  function words() {
    const i = model.get("index");
    const weights = posterior[L][i][0];
    const top = most(weights);
    const n = replaced(observed[i], truth[0]);
    const right = top === truth[L][0] ? "which is right" : `but it is ${truth[L][0]}`;
    return `Noise ${percent(i)}: ${n} of ${truth[0].length} tokens differ. The root is ${top} with probability ${(weights[top] / 1000).toFixed(2)}, ${right}.`;
  }

  function paint() {
    const size = tree.size();
    if (!size) return;
    const i = model.get("index");
    control.set(i);
    curves.move(i);
    tree.place();
    for (const { l, k, group, disc, gauge, text } of tree.nodes.flat()) {
      const weights = posterior[l][i][k];
      const top = most(weights);
      const p = weights[top] / 1000;
      const right = top === truth[l][k];
      text.textContent = top;
      text.style.opacity = 0.7 + 0.3 * p;
      disc.style.fillOpacity = 0.04 + 0.4 * p ** 1.5;
      gauge.style.strokeDasharray = `${100 * p} 100`;
      group.classList.toggle("is-wrong", !right);
      group.setAttribute("aria-label", `${nodeName(l, k, L)}: ${top} with probability ${p.toFixed(2)}, ${right ? "right" : `true symbol ${truth[l][k]}`}`);
    }
    for (const { path, parent, child } of tree.edges) {
      const grip = Math.min(...[parent, child].map(({ l, k }) => posterior[l][i][k][truth[l][k]] / 1000));
      path.style.strokeOpacity = 0.12 + 0.88 * grip;
    }
    seen.forEach(({ group, text }, k) => {
      text.textContent = observed[i][k];
      group.classList.toggle("is-wrong", observed[i][k] !== truth[0][k]);
    });
    panel(...tree.chosen(), i);
  }

  function panel(l, k, i) {
    const weights = posterior[l][i][k];
    const bits = entropy(weights).toFixed(2);
    title.replaceChildren(make("b", { style: `--c:${levelColor(colors, l)}` }, nodeName(l, k, L)),
      `: true symbol ${truth[l][k]}, ${bits} of ${Math.log2(v).toFixed(2)} bits unknown.`);
    histogram.style.setProperty("--c", levelColor(colors, l));
    histogram.setAttribute("aria-label", `Posterior of ${nodeName(l, k, L)}: ${weights.map((w, a) => `${a}: ${(w / 1000).toFixed(2)}`).join(", ")}`);
    bars.forEach(({ bar, column }, a) => {
      bar.style.height = `${(weights[a] / 1000) * 46}px`;
      column.classList.toggle("is-true", a === truth[l][k]);
    });
  }

  function layout(width) {
    const { r, gap, X, Y } = tree.layout(width);
    for (const { disc, track, gauge } of tree.nodes.flat()) {
      [disc, track, gauge].forEach((circle) => circle.setAttribute("r", r - 1));
    }
    const side = Math.min(28, gap * 0.84);
    const y = Y(0) + r + 26;
    seen.forEach(({ box, group }, k) => {
      set(box, { x: -side / 2, y: -side / 2, width: side, height: side });
      group.setAttribute("transform", `translate(${X(0, k)} ${y})`);
    });
    seenName.setAttribute("y", y + 4);
    root.classList.toggle("is-crowded", v > 20);
    paint();
  }

  const quiet = [onWidth(tree.scroll, layout), onWidth(curves.node, (width) => curves.layout(width))];
  model.on("change:index", paint);
  say(words());
  return () => { quiet.forEach((stop) => stop()); control.stop(); model.off("change:index", paint); };
}

export default { render };
