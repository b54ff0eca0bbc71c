// Tuples placed by the statistics of their context: as P grows, synonyms gather around their parent.
import { chart, short } from "./chart.mjs";
import { draw, levelColor, make, onWidth, slider, stage } from "./stage.mjs";

// Mean position of every class.
export function centers(points, labels) {
  const sums = new Map();
  points.forEach(([x, y], i) => {
    const sum = sums.get(labels[i]) ?? [0, 0, 0];
    sums.set(labels[i], [sum[0] + x, sum[1] + y, sum[2] + 1]);
  });
  return new Map([...sums].map(([label, [x, y, n]]) => [label, [x / n, y / n]]));
}

// Color and stroke of a class: six colors, then the same six outlined, then dotted.
export function look(rank) {
  return { slot: 1 + (rank % 6), weave: ["filled", "outlined", "dotted"][Math.floor(rank / 6) % 3] };
}

function render({ model, el }) {
  const [points, labels, names, P, accuracy, threshold, colors] =
    ["points", "labels", "names", "sizes", "accuracy", "threshold", "colors"].map((name) => model.get(name));
  const classes = [...new Set(labels)].sort((a, b) => a - b);
  const rank = new Map(classes.map((label, i) => [label, i]));
  const { root, say, status, id } = stage(el, "contexts", model.get("title"));
  const go = (i) => { model.set("index", i); model.save_changes(); say(words()); };
  let lit = null;

  const control = slider({
    id, label: "strings P", max: P.length - 1, value: model.get("index"), play: "Learn", text: (i) => short(P[i]), move: go, beat: 800,
  });
  const svg = draw("svg", { class: "hcg-canvas hcg-cloud", role: "img" });
  const threads = draw("g", { class: "hcg-threads" });
  const dots = labels.map((label, i) => {
    const { slot, weave } = look(rank.get(label));
    const text = draw("text", { "text-anchor": "middle" }, String(label));
    const group = draw("g", {
      class: `hcg-point is-${weave}`, "data-label": label, style: `--c:${levelColor(colors, slot)}`,
      onclick: () => light(lit === label ? null : label),
    }, draw("title", {}, `${names[i]}: parent ${label}`), draw("circle"), text);
    const thread = draw("line", { style: `--c:${levelColor(colors, slot)}` });
    threads.append(thread);
    return { group, thread, circle: group.querySelector("circle"), label };
  });
  svg.append(threads, ...dots.map((dot) => dot.group));
  const keys = classes.map((label) => make("button", {
    type: "button", class: "hcg-chip hcg-key", "aria-pressed": "false",
    style: `--c:${levelColor(colors, look(rank.get(label)).slot)}`, onclick: () => light(lit === label ? null : label),
  }, String(label)));
  const curve = chart({
    x: P, log: true, colors, pick: go, xlabel: "training strings P", ylabel: "accuracy",
    curves: [{ y: accuracy, level: 1, label: "tuples put with their synonyms" }],
    marks: threshold === null ? [] : [{ x: threshold, label: model.get("threshold_label") }],
    summary: `Clustering accuracy against P, from ${accuracy[0].toFixed(2)} to ${accuracy.at(-1).toFixed(2)}.`,
  });
  root.append(make("div", { class: "hcg-bar" }, control.node), svg,
    make("div", { class: "hcg-panel" }, make("p", { class: "hcg-note" }, "Show one parent: "),
      make("div", { class: "hcg-chips", role: "group", "aria-label": "Parents" }, ...keys)),
    make("p", { class: "hcg-note hcg-caption" }, model.get("caption")), curve.node, status);

  function light(label) {
    lit = label;
    keys.forEach((key, i) => key.setAttribute("aria-pressed", String(classes[i] === lit)));
    paint();
    say(lit === null ? words() : `Parent ${lit}: ${names.filter((_, i) => labels[i] === lit).join(", ")}.`);
  }

  function words() {
    const i = model.get("index");
    const where = threshold === null ? "" : P[i] < threshold ? " Below the predicted threshold." : " Above the predicted threshold.";
    return `P = ${short(P[i])}: ${Math.round(100 * accuracy[i])} % of the tuples stand with their synonyms.${where}`;
  }

  let size = null;
  function layout(width) {
    const height = Math.max(240, Math.min(400, width * 0.72));
    const r = Math.max(8, Math.min(12, width / 42));
    size = { width, height, r };
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.style.height = `${height}px`;
    svg.style.width = `${width}px`;
    svg.style.setProperty("--font", `${Math.max(9.5, r)}px`);
    dots.forEach(({ circle }) => circle.setAttribute("r", r));
    paint();
  }

  function paint() {
    if (!size) return;
    const i = model.get("index");
    const { width, height, r } = size;
    const x = (u) => width / 2 + (u / 1000) * (width / 2 - r - 4);
    const y = (u) => height / 2 - (u / 1000) * (height / 2 - r - 4);
    const middle = centers(points[i], labels);
    control.set(i);
    curve.move(i);
    svg.setAttribute("aria-label", `${model.get("title")}: ${labels.length} tuples of ${classes.length} parents. ${words()}`);
    dots.forEach(({ group, thread, label }, k) => {
      const [u, w] = points[i][k];
      const [cu, cw] = middle.get(label);
      const dim = lit !== null && lit !== label;
      group.style.transform = `translate(${x(u)}px, ${y(w)}px)`;
      thread.style.transform = `translate(${x(cu)}px, ${y(cw)}px) rotate(${Math.atan2(y(w) - y(cw), x(u) - x(cu))}rad) scaleX(${Math.hypot(x(u) - x(cu), y(w) - y(cw))})`;
      thread.setAttribute("x2", 1);
      for (const node of [group, thread]) node.classList.toggle("is-dim", dim);
    });
  }

  const quiet = [onWidth(root.querySelector(".hcg-bar"), layout), onWidth(curve.node, (width) => curve.layout(width))];
  model.on("change:index", paint);
  say(words());
  return () => { quiet.forEach((stop) => stop()); control.stop(); model.off("change:index", paint); };
}

export default { render };
