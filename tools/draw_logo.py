"""Draw the mark of the book, a derivation tree whose levels take the colors of the figures.

python tools/draw_logo.py      writes book/_static/logo.svg and book/_static/favicon.png
"""

from __future__ import annotations

from pathlib import Path

from hcg_lib.plotting import LEVEL_COLORS

STATIC = Path(__file__).resolve().parents[1] / "book" / "_static"
COLORS = LEVEL_COLORS[:4]  # leaves … root; readable on white and on black
SIZE, DEPTH = 96, 3


def nodes() -> list[list[tuple[float, float]]]:
    """Positions of the nodes per level, leaves first."""
    leaves = [((k + 0.5) * SIZE / 2**DEPTH, SIZE - 10.0) for k in range(2**DEPTH)]
    levels = [leaves]
    while len(levels[-1]) > 1:
        below = levels[-1]
        step = (SIZE - 22) / DEPTH
        pairs = zip(below[::2], below[1::2], strict=True)
        levels.append([((a[0] + b[0]) / 2, a[1] - step) for a, b in pairs])
    return levels


def svg() -> str:
    levels = nodes()
    radii = (4.5, 6.0, 7.5, 9.0)
    shapes = []
    for above, below in zip(levels[1:], levels, strict=False):
        for k, (x, y) in enumerate(below):
            px, py = above[k // 2]
            shapes.append(
                f'<path d="M{px:.1f} {py:.1f}L{x:.1f} {y:.1f}" stroke="#8A9199" stroke-width="2.5" fill="none"/>'
            )
    for level, row in enumerate(levels):
        shapes += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radii[level]}" fill="{COLORS[level]}"/>' for x, y in row]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}" role="img" '
        f'aria-label="A derivation tree">{"".join(shapes)}</svg>\n'
    )


def png(path: Path, pixels: int = 64) -> None:
    """The same tree as a small transparent picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1, 1))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, SIZE), ylim=(SIZE, 0))
    axes.axis("off")
    levels = nodes()
    for above, below in zip(levels[1:], levels, strict=False):
        for k, (x, y) in enumerate(below):
            axes.plot([above[k // 2][0], x], [above[k // 2][1], y], color="#8A9199", lw=2, zorder=1)
    for level, row in enumerate(levels):
        xs, ys = zip(*row, strict=True)
        axes.scatter(xs, ys, s=(26, 40, 60, 90)[level], color=COLORS[level], zorder=2, lw=0)
    figure.savefig(path, dpi=pixels, transparent=True, metadata={"Software": None})


if __name__ == "__main__":
    STATIC.mkdir(exist_ok=True)
    (STATIC / "logo.svg").write_text(svg(), encoding="utf8")
    png(STATIC / "favicon.png")
