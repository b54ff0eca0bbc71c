// What every piece shares: elements, a slider that plays, a spoken summary, the width of the column.

const SVG = "http://www.w3.org/2000/svg";

export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

let pieces = 0;

// The frame of a piece: a named group, and a status line that is read aloud.
export function stage(el, kind, title) {
  const id = `hcg-${kind}-${++pieces}`;
  const status = make("p", { class: "hcg-status", role: "status", "aria-live": "polite" });
  const root = make("div", { class: `hcg hcg-${kind}`, role: "group", "aria-label": title, id, "data-lm-suppress-shortcuts": "true" });
  el.append(root);
  return { id, root, say: (text) => { if (status.textContent !== text) status.textContent = text; }, status };
}

export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export const levelColor = (colors, l) =>
  colors[l < colors.length ? l : 1 + ((l - 1) % (colors.length - 1))];

export const levelName = (l, L) => (l === 0 ? "tokens" : l === L ? "root" : `level ${l}`);

// Calls `layout(width)` now and whenever the width of the column changes; returns the function that stops it.
export function onWidth(node, layout) {
  let last = 0;
  const measure = () => {
    const width = Math.floor(node.clientWidth);
    if (width > 0 && width !== last) layout((last = width));
  };
  const observer = new ResizeObserver(measure);
  observer.observe(node);
  measure();
  return () => observer.disconnect();
}

// A named range input with a readout, and a button that plays it from the start (or on, if it is under way).
export function slider({ id, label, max, value, text, move, play = null, beat = 700 }) {
  const output = make("output", { class: "hcg-readout", for: `${id}-range` });
  const input = make("input", {
    type: "range", class: "hcg-range", id: `${id}-range`, min: 0, max, step: 1, value,
    oninput: () => { stop(); move(Number(input.value)); },
  });
  let timer = null;
  const stop = () => { clearInterval(timer); timer = null; face(); };
  const step = () => {
    const next = Number(input.value) + 1;
    if (next <= max) move(next);
    if (next >= max) stop();
  };
  const toggle = () => {
    if (timer) return stop();
    if (Number(input.value) >= max) move(0); else step();
    if (Number(input.value) < max) timer = setInterval(step, beat);
    face();
  };
  const button = play && make("button", { type: "button", class: "hcg-button hcg-play", onclick: toggle });
  const face = () => {
    if (!button) return;
    button.replaceChildren(icon(timer ? "pause" : "play"), make("span", {}, timer ? "Pause" : play));
  };
  face();
  const node = make("div", { class: "hcg-slider" }, button,
    make("label", { for: `${id}-range` }, label), input, output);
  const set = (to) => {
    input.value = to;
    input.style.setProperty("--filled", `${(100 * to) / (max || 1)}%`);
    input.setAttribute("aria-valuetext", text(to));
    output.textContent = text(to);
  };
  set(value);
  return { node, set, stop, input };
}

const ICONS = {
  play: "M4 2.5v11l9-5.5z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z",
  again: "M8 3a5 5 0 1 0 4.8 3.6l-1.5.4A3.5 3.5 0 1 1 8 4.5V7l4-3.2L8 .6z",
  mend: "M6.4 11.6 2.8 8l-1.1 1.1 4.7 4.7 8-8-1.1-1.1z",
};

export function icon(name) {
  return draw("svg", { viewBox: "0 0 16 16", class: "hcg-icon", "aria-hidden": "true" }, draw("path", { d: ICONS[name] }));
}

export function button(label, picture, onclick) {
  return make("button", { type: "button", class: "hcg-button", onclick }, icon(picture), make("span", {}, label));
}

// A marker of level l at (x, y): the shapes of the figures.
export function marker(l, x, y, r = 4) {
  const shapes = ["circle", "circle", "square", "triangle", "diamond", "wedge", "cross"];
  const shape = shapes[l < shapes.length ? l : 1 + ((l - 1) % (shapes.length - 1))];
  const paths = {
    circle: `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
    square: `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
    triangle: `M${x} ${y - r * 1.15}l${r * 1.1} ${2 * r}h${-2.2 * r}z`,
    diamond: `M${x} ${y - r * 1.3}l${r * 1.2} ${r * 1.3}l${-r * 1.2} ${r * 1.3}l${-r * 1.2} ${-r * 1.3}z`,
    wedge: `M${x} ${y + r * 1.15}l${r * 1.1} ${-2 * r}h${-2.2 * r}z`,
    cross: `M${x - r / 3} ${y - r}h${r / 1.5}v${r / 1.5}h${r / 1.5}v${r / 1.5}h${-r / 1.5}v${r / 1.5}h${-r / 1.5}v${-r / 1.5}h${-r / 1.5}v${-r / 1.5}h${r / 1.5}z`,
  };
  return draw("path", { d: paths[shape], class: "hcg-marker" });
}
