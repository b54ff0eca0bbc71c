"""The style meets its promise in numbers, and figures hold the data they were given."""

import io

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb

from hcg_lib import plotting
from hcg_lib.grammar import RandomHierarchyModel

PAGES = ("#ffffff", "#121212", "#14181e")  # white, near-black, the dark page of the book's theme
# Machado, Oliveira & Fernandes 2009, severity 1, acting on linear RGB
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


@pytest.fixture(autouse=True)
def _style():
    with plotting.use():
        yield
    plt.close("all")


def linear(color):
    c = np.array(to_rgb(color))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(a, b):
    """WCAG 2 contrast ratio."""
    dark, light = sorted(linear(c) @ [0.2126, 0.7152, 0.0722] for c in (a, b))
    return (light + 0.05) / (dark + 0.05)


def lab(rgb):
    """CIE L*a*b* under D65 of a linear RGB color."""
    xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
    )
    u = xyz @ np.clip(rgb, 0, 1) / [0.95047, 1, 1.08883]
    f = np.where(u > 216 / 24389, np.cbrt(u), (24389 / 27 * u + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("color", [*plotting.LEVEL_COLORS, *plotting.VERDICTS.values()])
def test_colors_stand_out_on_light_and_dark_pages(color, page):
    assert contrast(color, page) >= 3


@pytest.mark.parametrize("page", PAGES)
def test_text_reads_on_light_and_dark_pages(page):
    assert contrast(plotting.INK, page) >= 4


def test_contrast_of_black_and_white_is_21():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("kind", BLINDNESS)
def test_level_colors_differ_for_every_eye(kind):
    seen = [lab(np.array(BLINDNESS[kind]) @ linear(c)) for c in plotting.LEVEL_COLORS]
    apart = [[np.linalg.norm(a - b) for b in seen[:i]] for i, a in enumerate(seen)]
    assert min(min(row) for row in apart[1:]) > 10
    assert min(min(row) for row in apart[1:5]) > 16  # tokens and levels 1 … 4, all that most figures use


def test_levels_have_their_own_markers():
    assert len({plotting.level_style(l)["marker"] for l in range(7)}) == 7
    assert plotting.level_style(7)["color"] == plotting.level_style(1)["color"]


def test_style_is_undone():
    inside = dict(mpl.rcParams)
    with plotting.use():
        mpl.rcParams["font.size"] = 3
    assert dict(mpl.rcParams) == inside
    assert mpl.rcParams["savefig.transparent"] is True


def test_saved_figure_is_transparent():
    buffer = io.BytesIO()
    plotting.draw_curve(None, [1, 2], [1, 2]).figure.savefig(buffer, format="png")
    buffer.seek(0)
    corner = plt.imread(buffer)[0, 0]
    assert corner[3] == 0


@given(st.integers(2, 3), st.integers(1, 3), st.integers(0, 5))
def test_tree_shows_the_parse(s, L, seed):
    g = RandomHierarchyModel.random(v=5, m=2, s=s, L=L, seed=seed)
    tokens = np.random.default_rng(seed).integers(0, 5, (1, g.d))
    levels = [level[0] for level in g.parse(tokens)]
    ax = plotting.draw_tree(levels)
    words = [text.get_text() for text in ax.texts if text.get_text()]
    assert words == ["×" if a < 0 else str(a) for level in levels for a in level]
    heights = [text.get_position()[1] for text in ax.texts if text.get_text()]
    assert heights == [l for l, level in enumerate(levels) for _ in level]
    plt.close("all")


def test_parents_stand_over_the_middle_of_their_children():
    ax = plotting.draw_tree([np.arange(9), np.arange(3), [0]])
    x = [text.get_position()[0] for text in ax.texts if text.get_text()]
    assert x[:9] == list(range(9))
    assert x[9:] == [1, 4, 7, 4]


def test_unlit_nodes_are_drawn_without_weight():
    ax = plotting.draw_tree([[0, 1], [2]], valid=[[True, False], [False]])
    assert [t.get_fontweight() for t in ax.texts if t.get_text()] == ["bold", "normal", "normal"]


def test_rules_show_every_tuple():
    g = RandomHierarchyModel.random(v=4, m=3, s=3, L=1, seed=0)
    words = [text.get_text() for text in plotting.draw_rules(g.rules[0], symbols=[2, 0]).texts]
    rows = [[str(y), *(" ".join(map(str, t)) for t in g.rules[0][y])] for y in (2, 0)]
    assert words == rows[0] + rows[1]


def test_posterior_cells_carry_the_probabilities():
    rng = np.random.default_rng(0)
    marginals = [rng.dirichlet(np.ones(4), n) for n in (4, 2, 1)]
    ax = plotting.draw_posterior(marginals, truth=[[0, 1, 2, 3], [0, 1], [3]])
    for ladder, level in zip(ax.collections, marginals, strict=True):
        np.testing.assert_array_equal(ladder.get_array(), level.ravel())
    alpha = ax.collections[1].to_rgba(marginals[1].ravel())[:, 3]
    np.testing.assert_allclose(alpha, marginals[1].ravel(), atol=0.005)


def test_curve_keeps_gaps_and_band():
    ax = plotting.draw_curve(None, [0, 1, 10], [1.0, -1.0, 0.5], [0.9, -1.1, 0.4], [1.1, 0, 0.6], level=2, log="xy")
    x, y = ax.lines[0].get_data()
    np.testing.assert_array_equal(x, [np.nan, 1, 10])
    np.testing.assert_array_equal(y, [1.0, np.nan, 0.5])
    assert ax.lines[0].get_color() == plotting.LEVEL_COLORS[2]
    assert len(ax.collections) == 1


def test_collapse_divides_by_the_scale_and_only_there():
    curves = [plotting.Curve([1, 2, 4], [0, 0.5, 1], scale, f"scale {scale}") for scale in (2.0, 8.0)]
    raw, scaled = plotting.draw_collapse(curves, ("P", "P / P*"), "accuracy")
    for line, curve in zip(raw.lines, curves, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), curve.x)
    for line, curve in zip(scaled.lines, curves, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), np.array(curve.x) / curve.scale)
    assert [t.get_text() for t in raw.get_legend().get_texts()] == ["scale 2.0", "scale 8.0"]


def test_power_law_has_its_slope():
    x, y = plotting.mark_power_law(plotting.axes(None), [3, 300], 0.2, -1.5).lines[0].get_data()
    assert np.polyfit(np.log(x), np.log(y), 1)[0] == pytest.approx(-1.5)


def test_zero_is_invisible_in_a_signed_matrix():
    image = plotting.draw_matrix([[-1.0, 0.0], [0.0, 2.0]], signed=True).images[0]
    assert image.get_clim() == (-2, 2)
    assert image.cmap(image.norm(0.0))[3] < 0.01
    assert image.cmap(image.norm(2.0))[3] == 1


def test_intervals_show_low_high_and_verdict():
    ax = plotting.draw_intervals(["a", "b"], [1, 2], [0, 1.5], [2, 2.5], [1, 3], ["holds", "does not hold"])
    assert ax.lines[2].get_xdata().tolist() == [1.5, 2.5]
    assert ax.lines[2].get_color() == plotting.verdict_color("does not hold")
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # first name on top


BAD = [
    (lambda: plotting.draw_tree([[0, 1, 2], [0, 1]]), r"levels must hold levels of .* got \[3, 2\] nodes"),
    (lambda: plotting.draw_tree([[[0]], [[1]]]), r"levels\[0\] must have 1 axes"),
    (lambda: plotting.draw_tree([[0, 1], [2]], [[True], [True]]), "valid must have the shapes of levels"),
    (lambda: plotting.draw_rules([[0, 1]]), r"rules must be integers of shape \(v, m, s\)"),
    (lambda: plotting.draw_rules([[[0, 1]]], symbols=[1]), r"symbols must hold symbols from 0 to 0, got 1"),
    (lambda: plotting.draw_posterior([[[1.5, 0], [1, 0]], [[1, 0]]]), r"marginals\[0\] must hold finite numbers in"),
    (lambda: plotting.draw_curve(None, [1, 2], [1]), r"y must be a vector of 2 values, got shape \(1,\)"),
    (lambda: plotting.draw_curve(None, [1], [1], log="z"), "log must be one of"),
    (lambda: plotting.draw_collapse([], ("x", "y"), "z"), "curves must hold at least one Curve, got none"),
    (lambda: plotting.draw_matrix([[np.nan]]), "matrix must be finite with two axes"),
    (lambda: plotting.draw_intervals(["a"], [1], [0], [2], verdicts=["maybe"]), "verdict must be one of"),
    (lambda: plotting.verdict_color("true"), "verdict must be one of 'holds', 'partly'"),
    (lambda: plotting.level_style(-1), "l must be an integer >= 0, got -1"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_strings_show_what_parses_and_what_does_not():
    g = RandomHierarchyModel.random(v=4, m=2, s=2, L=2, seed=0)
    x = g.sample(3, seed=0)
    x[1, 0] = next(a for a in range(4) if g.parse(np.array([[a, *x[1, 1:]]]))[1][0, 0] < 0)
    levels = g.parse(x)
    ax = plotting.draw_strings(levels, notes=["a", "b", "c"])
    shown = [text.get_text() for text in ax.texts]
    assert len(shown) == 3 * (1 + 4 + 2 + 1)
    for i, note in enumerate("abc"):
        symbols = [symbol for level in levels for symbol in level[i].tolist()]
        assert shown[8 * i : 8 * i + 8] == [note, *(str(a) if a >= 0 else "×" for a in symbols)]
    dotted = [box for box in ax.patches if box.get_linestyle() == ":"]
    assert len(dotted) == shown.count("×") > 0
    assert all(box.get_facecolor()[3] == 0 for box in dotted)


@pytest.mark.parametrize(
    "levels, notes, message",
    [
        ([[[0, 1]]], None, "levels must hold B >= 1 rows"),
        ([[[0, 1, 2]], [[0]], [[0]]], None, "levels must hold B >= 1 rows"),
        ([[[0, 1]], [[0], [1]]], None, "levels must hold B >= 1 rows"),
        ([[[0, 1]], [[0]]], ["a", "b"], "notes must hold 1 texts"),
        ([[[0, 1]], [[0]]], [3], "notes must be a string"),
    ],
)
def test_strings_that_are_none_are_refused(levels, notes, message):
    with pytest.raises(ValueError, match=message):
        plotting.draw_strings(levels, notes)
