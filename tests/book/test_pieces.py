"""The interactive pieces move without a kernel: by mouse and by keyboard, on light and dark pages, wide and narrow.

Each piece runs alone, with a model that is a plain object; test_widgets.py works them on the pages of the site.
"""

import json

import numpy as np
import pytest
from matplotlib.figure import Figure

from hcg_lib.grammar import RandomHierarchyModel
from hcg_lib.widgets import context_clusters, frames_slider, noise_slider, tree_explorer
from hcg_lib.widgets.tree import draw_choices, expand
from tools import vendor_assets

g = RandomHierarchyModel.random(v=8, m=3, s=2, L=3, seed=0)
deep = RandomHierarchyModel.random(v=16, m=4, s=2, L=4, seed=0)
HOME = {"book/grammar.html": "tree", "book/inference.html": "noise", "book/clustering.html": "contexts"}

ALONE = """<!doctype html><html lang="en" data-theme="THEME"><title>piece</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>STYLE
body { margin: 0; background: THEMECOLOR; }</style><main><h1>piece</h1><div id="el"></div></main>
<script type="module">
const state = STATE, listeners = new Map();
const tell = (name) => (listeners.get(name) ?? []).forEach((call) => call());
window.state = state;
window.saved = 0;
const model = {
  get: (name) => state[name],
  set: (name, value) => { state[name] = value; tell(`change:${name}`); tell("change"); },
  on: (name, call) => listeners.set(name, [...(listeners.get(name) ?? []), call]),
  off: (name, call) => listeners.set(name, (listeners.get(name) ?? []).filter((other) => other !== call)),
  save_changes: () => { window.saved += 1; },
};
window.model = model;
window.listening = () => [...listeners.values()].reduce((n, calls) => n + calls.length, 0);
const code = new Blob([CODE], { type: "text/javascript" });
const piece = await import(URL.createObjectURL(code));
window.leave = piece.default.render({ model, el: document.getElementById("el") });
document.body.dataset.ready = "yes";
</script></html>"""


def contexts():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(8), 3)
    home = rng.normal(size=(8, 2))[labels]
    frames = [home + rng.normal(size=home.shape) / size for size in (0.5, 1, 4, 32)]
    return context_clusters(frames, labels, [10, 100, 1000, 10000], [0.3, 0.5, 0.9, 1], threshold=300.0)


def frames():
    figures = [Figure(figsize=(2, 1)) for _ in range(2)]
    for figure, word in zip(figures, ("one", "two"), strict=True):
        figure.text(0.5, 0.5, word)
    texts = [["shtoy <i>wde</i>", "a " + 99 * "b"], ["the word of"]]
    return frames_slider(figures, ["first", "second"], title="step", texts=texts)


PIECES = {
    "tree": lambda: tree_explorer(g, seed=1),
    "deep-tree": lambda: tree_explorer(deep, seed=2),
    "noise": lambda: noise_slider(g, strings=16, seed=3),
    "contexts": contexts,
    "frames": frames,
}


@pytest.fixture
def show(browser):
    """show(widget, …) → a page that holds the piece alone; complaints and requests fail the test."""
    contexts, wrong = [], []

    def open_piece(widget, width=760, theme="light", motion="reduce"):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion=motion
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda r: None if r.url.startswith(("data:", "blob:", "about:")) else wrong.append(r.url))
        keep = {name: value for name, value in widget.get_state().items() if not name.startswith("_")}
        parts = {
            "STYLE": str(widget._css),
            "STATE": json.dumps(keep),
            "CODE": json.dumps(str(widget._esm)).replace("</", "<\\/"),
            "THEMECOLOR": {"light": "#fff", "dark": "#14181e"}[theme],
            "THEME": theme,
        }
        html = ALONE
        for name in ("THEMECOLOR", "THEME", "STATE", "CODE", "STYLE"):
            html = html.replace(name, parts[name], 1 if name in ("STATE", "CODE", "STYLE") else -1)
        page.set_content(html)
        page.wait_for_selector("body[data-ready]")
        return page

    yield open_piece
    for context in contexts:
        context.close()
    assert wrong == []


def node(page, l, k):
    return page.locator(f'.hcg-node[data-level="{l}"][data-index="{k}"]')


def symbols(page, selector=".hcg-node"):
    """What the nodes say: {(level, index): text}."""
    found = page.eval_on_selector_all(
        selector, "nodes => nodes.map(n => [+n.dataset.level, +n.dataset.index, n.querySelector('text').textContent])"
    )
    return {(l, k): text for l, k, text in found}


def parsed(tokens, grammar=g):
    levels = grammar.parse(np.array([tokens]))
    return {(l, k): "×" if a < 0 else str(a) for l, level in enumerate(levels) for k, a in enumerate(level[0])}


# ---- alone


def test_a_click_changes_one_rule_and_only_what_is_below(show):
    widget = tree_explorer(g, seed=1)
    page = show(widget)
    before = page.evaluate("state.tokens")
    node(page, 2, 1).click()
    after = page.evaluate("state.tokens")
    widget.choose(2, 1, (widget.choices[1][1] + 1) % g.m)
    assert after == widget.tokens
    assert after[:4] == before[:4]
    assert after[4:] != before[4:]
    assert symbols(page) == parsed(after)
    assert page.evaluate("saved") == 1


def test_m_clicks_come_back(show):
    page = show(tree_explorer(g, seed=1))
    before = page.evaluate("[state.tokens, state.choices]")
    for _ in range(g.m):
        node(page, 3, 0).click()
    assert page.evaluate("[state.tokens, state.choices]") == before


def test_a_changed_token_breaks_the_nodes_that_python_says(show):
    page = show(tree_explorer(g, seed=1))
    broken = 0
    for _ in range(g.v):
        node(page, 0, 2).click()
        tokens = page.evaluate("state.tokens")
        assert symbols(page) == parsed(tokens)
        marked = page.eval_on_selector_all(
            ".hcg-node.is-broken", "all => all.map(n => [+n.dataset.level, +n.dataset.index])"
        )
        assert {tuple(at) for at in marked} == {at for at, text in parsed(tokens).items() if text == "×"}
        broken += len(marked)
    assert broken > 0
    assert symbols(page) == parsed(tree_explorer(g, seed=1).tokens)  # v clicks come back


def test_mending_and_a_new_tree(show):
    page = show(tree_explorer(g, seed=1))
    mend, again = page.get_by_role("button", name="Mend"), page.get_by_role("button", name="New tree")
    assert mend.is_disabled()
    node(page, 0, 5).click()
    mend.click()
    assert page.evaluate("state.tokens") == tree_explorer(g, seed=1).tokens
    again.click()
    root, choices = draw_choices(g, 2)
    assert page.evaluate("state.tokens") == expand(g, root, choices)[0].tolist()


def test_tree_grows_by_keyboard(show):
    page = show(tree_explorer(g, seed=1, shown=0))
    assert page.locator(".hcg-node:not(.is-hidden)").count() == 1
    page.locator(".hcg-range").focus()
    for count in (3, 7, 15):
        page.keyboard.press("ArrowRight")
        assert page.locator(".hcg-node:not(.is-hidden)").count() == count
    assert "string" in page.locator(".hcg-status").inner_text()


def test_tree_is_walked_and_changed_by_keyboard(show):
    page = show(tree_explorer(g, seed=1))
    assert page.locator('.hcg-node[tabindex="0"]').count() == 1
    page.locator('.hcg-node[tabindex="0"]').focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    assert page.evaluate("[document.activeElement.dataset.level, document.activeElement.dataset.index]") == ["1", "2"]
    before = page.evaluate("state.choices[0][2]")
    page.keyboard.press("Enter")
    assert page.evaluate("state.choices[0][2]") == (before + 1) % g.m


def test_synonyms_are_offered(show):
    widget = tree_explorer(g, seed=1)
    page = show(widget)
    node(page, 3, 0).focus()
    chips = page.locator(".hcg-chip")
    assert chips.all_inner_texts() == [f"{widget.root} → {a} {b}" for a, b in g.rules[2][widget.root]]
    other = (widget.choices[2][0] + 1) % g.m
    chips.nth(other).click()
    assert page.evaluate("state.choices[2][0]") == other
    assert chips.nth(other).get_attribute("aria-pressed") == "true"


def test_play_grows_the_tree_step_by_step(show):
    page = show(tree_explorer(g, seed=1, shown=0))
    page.get_by_role("button", name="Grow").click()
    page.wait_for_function("state.shown === 3", timeout=5000)
    assert page.get_by_role("button", name="Grow").is_visible()  # it stopped by itself


def test_python_can_move_the_piece(show):
    widget = tree_explorer(g, seed=1)
    page = show(widget)
    widget.choose(3, 0, (widget.choices[2][0] + 1) % g.m)
    page.evaluate(
        "([choices, tokens]) => { model.set('choices', choices); model.set('tokens', tokens); }",
        [widget.choices, widget.tokens],
    )
    assert symbols(page) == parsed(widget.tokens)


def test_noise_slider_shows_the_posterior(show):
    widget = noise_slider(g, strings=16, seed=3)
    page = show(widget)
    page.locator(".hcg-range").focus()
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    assert page.evaluate("state.index") == 12
    tops = {
        (l, k): str(int(np.argmax(weights)))
        for l, level in enumerate(widget.posterior)
        for k, weights in enumerate(level[12])
    }
    assert symbols(page) == tops
    wrong = page.eval_on_selector_all(".hcg-node.is-wrong", "all => all.map(n => [+n.dataset.level, +n.dataset.index])")
    assert {tuple(at) for at in wrong} == {(l, k) for (l, k), a in tops.items() if int(a) != widget.truth[l][k]}
    assert f"{round(100 * widget.noise[12])} %" in page.locator(".hcg-status").inner_text()


def test_noise_slider_follows_a_drag_on_its_chart(show):
    widget = noise_slider(g, strings=16, seed=3)
    page = show(widget)
    chart = page.locator(".hcg-chart")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 5, box["y"] + 60, steps=5)
    page.mouse.up()
    assert page.evaluate("state.index") == len(widget.noise) - 1


def test_points_move_and_a_parent_can_be_singled_out(show):
    page = show(contexts())
    place = "document.querySelector('.hcg-point').style.transform"
    before = page.evaluate(place)
    page.locator(".hcg-range").focus()
    page.keyboard.press("End")
    assert page.evaluate("state.index") == 3
    assert page.evaluate(place) != before
    assert "Above the predicted threshold" in page.locator(".hcg-status").inner_text()
    page.locator(".hcg-key").nth(2).click()
    assert page.locator(".hcg-point:not(.is-dim)").count() == 3
    page.locator(".hcg-key").nth(2).click()
    assert page.locator(".hcg-point.is-dim").count() == 0


def test_frames_change_with_their_text(show):
    page = show(PIECES["frames"]())
    source = page.locator(".hcg-frame").get_attribute("src")
    page.locator(".hcg-range").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(".hcg-frame").get_attribute("src") != source
    assert page.locator(".hcg-frame").get_attribute("alt") == "step: second"
    assert page.locator(".hcg-range").get_attribute("aria-valuetext") == "second"


def test_passages_change_with_the_frame_and_can_be_selected(show):
    page = show(PIECES["frames"]())
    passages = page.locator(".hcg-passages blockquote")
    assert passages.all_text_contents()[0] == "shtoy <i>wde</i>"  # as text, not as markup
    page.locator(".hcg-range").focus()
    page.keyboard.press("ArrowRight")
    assert passages.all_text_contents() == ["the word of"]
    passages.first.click(click_count=3)
    assert page.evaluate("getSelection().toString().trim()") == "the word of"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PIECES)
def test_piece_fits_a_phone_and_axe_agrees(show, name, theme):
    page = show(PIECES[name](), width=390, theme=theme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("[...document.querySelectorAll('.hcg-scroll')].every(n => n.scrollWidth <= n.clientWidth)")
    script = vendor_assets.CACHE / "axe.min.js"
    if script.exists():
        page.evaluate(script.read_text(encoding="utf8"))
        found = page.evaluate("axe.run('#el', {resultTypes: ['violations']})")["violations"]
        assert [f"{v['id']}: {v['nodes'][0]['html']}" for v in found] == []


@pytest.mark.parametrize("name", PIECES)
def test_nothing_is_left_when_the_piece_goes(show, name):
    page = show(PIECES[name]())
    assert page.evaluate("listening()") >= 1
    page.evaluate("leave()")
    assert page.evaluate("listening()") == 0


def test_motion_is_for_those_who_want_it(show):
    seconds = "getComputedStyle(document.querySelector('.hcg-node')).transitionDuration"
    assert show(PIECES["tree"](), motion="reduce").evaluate(seconds) == "0s"
    assert show(PIECES["tree"](), motion="no-preference").evaluate(seconds) != "0s"


# ---- on the pages of the book


@pytest.mark.parametrize("name", sorted(HOME))
def test_chapter_has_its_piece(server, visit, assets, name):
    page = visit(f"{server}/{name}")
    assert page.wait_for_selector(f".hcg-{HOME[name]}").bounding_box()["height"] > 100
