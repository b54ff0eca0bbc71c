// The tree that pieces stand on: nodes made once, one tab stop, arrow keys to walk, laid out for any width.
import { draw, levelColor, levelName, make } from "./stage.mjs";

const ROW = 66;

// Where a tree of L levels and branching s stands in a column of this width.
export function geometry(width, L, s, below = 0) {
  const narrow = width < 520;
  const gutter = narrow ? 34 : 62;
  const gap = Math.max(18, (width - gutter) / s ** L);
  const r = Math.min(18, gap * 0.44);
  return {
    narrow, gap, r, width: Math.max(width, gutter + gap * s ** L), height: ROW * L + 2 * r + 20 + below,
    X: (l, k) => gutter + (k + 0.5) * s ** l * gap,
    Y: (l) => r + 9 + (L - l) * ROW,
  };
}

// `dress(node)` adds what is drawn in a node; `visible(l)` says whether a level is shown; `pick(l, k)` is told of the
// chosen node and `act(l, k)` of a click or Enter on it.
export function canopy({ L, s, colors, label, below = 0, dress, visible = () => true, pick, act }) {
  const svg = draw("svg", { class: "hcg-canvas", role: "group", "aria-label": label });
  const scroll = make("div", { class: "hcg-scroll" }, svg);
  let chosen = [L, 0];
  let size = null;

  const nodes = Array.from({ length: L + 1 }, (_, l) => Array.from({ length: s ** (L - l) }, (_, k) => {
    const node = { l, k, hit: draw("rect", { class: "hcg-hit" }), ring: draw("circle", { class: "hcg-ring" }) };
    node.group = draw("g", {
      class: "hcg-node", role: "button", tabindex: -1, "data-level": l, "data-index": k,
      style: `--c:${levelColor(colors, l)}`,
      onclick: () => { choose(l, k); act(l, k); },
      onkeydown: (event) => key(event, l, k),
      onfocus: () => choose(l, k),
    }, node.hit, node.ring, ...dress(node));
    return node;
  }));
  const edges = nodes.slice(0, -1).flatMap((row, l) => row.map((child, k) => ({
    child, parent: nodes[l + 1][Math.floor(k / s)],
    path: draw("path", { class: "hcg-edge", pathLength: 1, style: `--c:${levelColor(colors, l + 1)}` }),
  })));
  const names = nodes.map((_, l) => draw("text", { class: "hcg-rowname" }));
  svg.append(...edges.map((edge) => edge.path), ...names, ...nodes.flat().reverse().map((node) => node.group));

  function choose(l, k) {
    chosen = [l, k];
    pick(l, k);
  }

  function key(event, l, k) {
    const steps = {
      ArrowUp: [l + 1, Math.floor(k / s)], ArrowDown: [l - 1, k * s], ArrowLeft: [l, k - 1], ArrowRight: [l, k + 1],
    };
    if (event.key === "Enter" || event.key === " ") act(l, k);
    else if (event.key in steps) {
      const [to, at] = steps[event.key];
      if (nodes[to]?.[at] && visible(to)) nodes[to][at].group.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  function layout(width) {
    size = geometry(width, L, s, below);
    svg.setAttribute("viewBox", `0 0 ${size.width} ${size.height}`);
    svg.style.width = `${size.width}px`;
    svg.style.height = `${size.height}px`;
    svg.style.setProperty("--font", `${Math.max(10, Math.min(15, size.r * 0.92))}px`);
    if (size.width > width) scroll.tabIndex = 0;
    else scroll.removeAttribute("tabindex");
    const tall = Math.max(24, 2 * size.r) + 6;
    for (const { l, hit, ring } of nodes.flat()) {
      const wide = l ? tall : Math.min(tall, size.gap);
      ring.setAttribute("r", size.r + 4);
      set(hit, { x: -wide / 2, y: -tall / 2, width: wide, height: tall });
    }
    names.forEach((name, l) => {
      name.textContent = size.narrow ? ({ 0: "tok.", [L]: "root" }[l] ?? `lev. ${l}`) : levelName(l, L);
      set(name, { x: 0, y: size.Y(l) + 4 });
    });
    return size;
  }

  // Put nodes and edges in place; hidden levels wait inside their nearest visible ancestor.
  function place() {
    let top = 0;
    while (!visible(top)) top++;
    if (!visible(chosen[0])) chosen = [L, 0];
    for (const { l, k, group } of nodes.flat()) {
      const [atL, atK] = visible(l) ? [l, k] : [top, Math.floor(k / s ** (top - l))];
      const on = chosen[0] === l && chosen[1] === k;
      group.style.transform = `translate(${size.X(atL, atK)}px, ${size.Y(atL)}px)`;
      group.classList.toggle("is-hidden", !visible(l));
      group.classList.toggle("is-chosen", on);
      group.setAttribute("tabindex", on ? 0 : -1);
      if (visible(l)) group.removeAttribute("aria-hidden");
      else group.setAttribute("aria-hidden", "true");
    }
    for (const { path, child, parent } of edges) {
      const [x0, y0] = [size.X(parent.l, parent.k), size.Y(parent.l) + size.r];
      const [x1, y1] = [size.X(child.l, child.k), size.Y(child.l) - size.r];
      path.setAttribute("d", `M${x0} ${y0}C${x0} ${y0 + ROW * 0.22} ${x1} ${y1 - ROW * 0.3} ${x1} ${y1}`);
      path.classList.toggle("is-hidden", !visible(child.l));
    }
    names.forEach((name, l) => name.classList.toggle("is-hidden", !visible(l)));
  }

  const focus = () => nodes[chosen[0]][chosen[1]].group.focus({ preventScroll: true });
  return { svg, scroll, nodes, edges, layout, place, focus, size: () => size, chosen: () => chosen };
}

export function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
}

export const nodeName = (l, k, L) => (l === L ? "Root" : l === 0 ? `Token ${k + 1}` : `Level-${l} node ${k + 1}`);
