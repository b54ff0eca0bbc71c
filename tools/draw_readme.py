"""Draw the picture of README.md: one string each by writers that know 0, 1, 2 and all levels of the rules.

python tools/draw_readme.py      writes book/_static/staircase.png
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt

from hcg_lib import plotting
from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.population import sample_truncated

TARGET = Path(__file__).resolve().parents[1] / "book" / "_static" / "staircase.png"
TITLES = ("knows nothing", "knows the rules of level 1", "of levels 1 and 2", "of all levels")


def main() -> None:
    g = RandomHierarchyModel.random(v=8, m=3, s=2, L=3, seed=0)
    with plotting.use():
        figure, panels = plt.subplots(1, 4, figsize=(14, 2.9), layout="constrained")
        for known, ax in enumerate(panels):
            string = sample_truncated(g, known, 1, seed=11)
            plotting.draw_tree([level[0] for level in g.parse(string)], ax=ax)
            ax.set_title(TITLES[known], loc="center")
            if known:
                ax.set_yticks([])
        figure.savefig(TARGET, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
