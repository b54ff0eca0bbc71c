"""One style for the whole book, and figures that draw and never compute."""

from .curves import (
    Curve,
    draw_collapse,
    draw_curve,
    draw_intervals,
    draw_matrix,
    mark_power_law,
    mark_threshold,
)
from .images import draw_images
from .strings import draw_strings
from .style import (
    INK,
    LEVEL_COLORS,
    LEVEL_MARKERS,
    VERDICTS,
    WIDTH,
    axes,
    fading_map,
    level_style,
    use,
    verdict_color,
)
from .trees import draw_posterior, draw_rules, draw_tree

__all__ = [
    "INK",
    "LEVEL_COLORS",
    "LEVEL_MARKERS",
    "VERDICTS",
    "WIDTH",
    "Curve",
    "axes",
    "draw_collapse",
    "draw_curve",
    "draw_images",
    "draw_intervals",
    "draw_matrix",
    "draw_posterior",
    "draw_rules",
    "draw_strings",
    "draw_tree",
    "fading_map",
    "level_style",
    "mark_power_law",
    "mark_threshold",
    "use",
    "verdict_color",
]
