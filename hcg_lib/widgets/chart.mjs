// A small chart of curves with a cursor that moves with the slider; a press or a drag on it moves the slider.
import { draw, make, marker, levelColor } from "./stage.mjs";

export function scale(domain, range, log = false) {
  const f = log ? Math.log10 : (x) => x;
  const [a, b] = domain.map(f);
  return (x) => range[0] + ((f(x) - a) / (b - a || 1)) * (range[1] - range[0]);
}

export function ticks([a, b], log = false) {
  if (!log) return [0, 0.25, 0.5, 0.75, 1].map((t) => a + t * (b - a));
  const decades = [];
  for (let k = Math.ceil(Math.log10(a) - 1e-9); k <= Math.floor(Math.log10(b) + 1e-9); k++) decades.push(10 ** k);
  return decades.length > 1 ? decades : [a, b];
}

export function short(x) {
  if (x === 0) return "0";
  if (Math.abs(x) >= 1e5) return power(x);
  if (Math.abs(x) >= 100) return String(Math.round(x));
  return String(Number(x.toPrecision(3)));
}

function power(x) {
  const k = Math.floor(Math.log10(Math.abs(x)) + 1e-9);
  const digits = [...String(k)].map((c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c]).join("");
  const front = Number((x / 10 ** k).toPrecision(2));
  return front === 1 ? `10${digits}` : `${front}·10${digits}`;
}

// Index of the sample nearest to x on the (log) axis.
export function nearest(xs, x, log = false) {
  const f = log ? Math.log10 : (u) => u;
  return xs.reduce((best, u, i) => (Math.abs(f(u) - f(x)) < Math.abs(f(xs[best]) - f(x)) ? i : best), 0);
}

export function chart({ x, curves, colors, log = false, xlabel, ylabel, marks = [], base = null, pick, summary }) {
  const svg = draw("svg", { class: "hcg-chart", role: "img", "aria-label": summary });
  const values = curves.map(() => make("b", {}));
  const legend = make("div", { class: "hcg-legend", "aria-hidden": "true" }, ...curves.map((curve, i) => {
    const swatch = draw("svg", { viewBox: "0 0 26 12", class: "hcg-swatch" },
      draw("path", { d: "M0 6h26", class: "hcg-line" }), marker(curve.level, 13, 6));
    return make("span", { style: `--c:${levelColor(colors, curve.level)}` }, swatch, curve.label, " ", values[i]);
  }));
  const node = make("div", { class: "hcg-chartbox" }, legend, svg);
  const height = 196;
  const pad = { left: 50, right: 14, top: marks.length ? 22 : 10, bottom: 40 };
  let sx, sy, cursor, dots, at = 0;

  function layout(width) {
    const box = [pad.left, width - pad.right, height - pad.bottom, pad.top];
    sx = scale([x[0], x.at(-1)], [box[0], box[1]], log);
    sy = scale([0, 1], [box[2], box[3]]);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.style.height = `${height}px`;
    svg.replaceChildren(...grid(box), ...marks.flatMap(mark), ...curves.flatMap(line));
    cursor = draw("line", { class: "hcg-cursor", y1: box[2], y2: box[3] });
    dots = curves.map((curve) => draw("g", { style: `--c:${levelColor(colors, curve.level)}`, class: "hcg-dot" },
      marker(curve.level, 0, 0, 5.5)));
    svg.append(cursor, ...dots);
    move(at);
  }

  function grid([x0, x1, y0, y1]) {
    const fractions = ticks([x[0], x.at(-1)], log);
    return [
      ...[0, 0.5, 1].flatMap((u) => [
        draw("line", { class: "hcg-grid", x1: x0, x2: x1, y1: sy(u), y2: sy(u) }),
        draw("text", { class: "hcg-tick", x: x0 - 7, y: sy(u) + 4, "text-anchor": "end" }, String(u)),
      ]),
      ...fractions.map((u) => draw("text", { class: "hcg-tick", x: sx(u), y: y0 + 16, "text-anchor": "middle" }, short(u))),
      draw("text", { class: "hcg-axis", x: (x0 + x1) / 2, y: y0 + 34, "text-anchor": "middle" }, xlabel),
      draw("text", { class: "hcg-axis", transform: `translate(11 ${(y0 + y1) / 2}) rotate(-90)`, "text-anchor": "middle" }, ylabel),
      ...(base === null ? [] : [draw("line", { class: "hcg-base", x1: x0, x2: x1, y1: sy(base), y2: sy(base) })]),
    ];
  }

  function mark({ x: at, label }) {
    const u = sx(at);
    if (u < pad.left - 1 || u > sx(x.at(-1)) + 1) return [];
    const far = u > (sx(x[0]) + sx(x.at(-1))) / 2;
    return [
      draw("line", { class: "hcg-mark", x1: u, x2: u, y1: sy(0), y2: sy(1) - 6 }),
      draw("text", { class: "hcg-marktext", x: u + (far ? 4 : -4), y: 12, "text-anchor": far ? "end" : "start" }, label),
    ];
  }

  function line(curve) {
    const path = curve.y.map((y, i) => `${i ? "L" : "M"}${sx(x[i]).toFixed(1)} ${sy(y).toFixed(1)}`).join("");
    return [draw("path", { d: path, class: "hcg-line", style: `--c:${levelColor(colors, curve.level)}` })];
  }

  function move(i) {
    at = i;
    curves.forEach((curve, c) => { values[c].textContent = curve.y[i].toFixed(2); });
    if (!sx) return;
    cursor.setAttribute("x1", sx(x[i]));
    cursor.setAttribute("x2", sx(x[i]));
    dots.forEach((dot, c) => dot.setAttribute("transform", `translate(${sx(x[i])} ${sy(curves[c].y[i])})`));
  }

  const choose = (event) => {
    const box = svg.getBoundingClientRect();
    const reach = box.width - pad.left - pad.right;
    const t = Math.min(1, Math.max(0, (event.clientX - box.left - pad.left) / reach));
    const f = log ? Math.log10 : (u) => u;
    const u = f(x[0]) + t * (f(x.at(-1)) - f(x[0]));
    pick(nearest(x, log ? 10 ** u : u, log));
  };
  svg.addEventListener("pointerdown", (event) => { svg.setPointerCapture(event.pointerId); choose(event); });
  svg.addEventListener("pointermove", (event) => { if (event.buttons) choose(event); });
  return { node, layout, move };
}
