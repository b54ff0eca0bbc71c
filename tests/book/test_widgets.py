"""Every interactive piece of the static page moves: each slider, each button, without a kernel."""

import pytest

from tests import smoke

CONTROLS = "input[type=range], .noUi-handle, select, button, [role=button][tabindex='0']"
DRAWN = "svg:not(button svg), img, canvas, output, .widget-html-content, .widget-htmlmath-content"
PICTURE = f"""root => [...root.querySelectorAll("{DRAWN}")]
  .filter(node => node.offsetParent || node.ownerSVGElement || node.closest("svg"))
  .map(node => node.tagName === "CANVAS" ? node.toDataURL() : node.outerHTML).join("\\n")"""


def pieces(page):
    return page.locator(".cell_output .widget-subarea")


def picture(piece):
    """What the piece draws, its controls left out."""
    return piece.evaluate(PICTURE)


def moves(control):
    """What a keyboard can do to a control; each is tried until one changes the drawing."""
    kind = control.evaluate("node => node.tagName.toLowerCase()")
    if kind == "select":
        last = control.locator("option").count() - 1
        return [lambda: control.select_option(index=last), lambda: control.select_option(index=0)]
    keys = ["ArrowRight", "ArrowLeft"] if is_slider(control) else ["Enter"]
    return [lambda key=key: control.press(key) for key in keys]


def changed_by(piece, control):
    """Whether a control changes the drawing within a second."""
    before = picture(piece)
    control.focus()
    for move in moves(control):
        move()
        for _ in range(20):
            if picture(piece) != before:
                return True
            piece.page.wait_for_timeout(50)
    return False


def usable(piece):
    return [control for control in piece.locator(CONTROLS).all() if control.is_visible() and control.is_enabled()]


def is_slider(control):
    return control.evaluate("node => node.type === 'range' || node.classList.contains('noUi-handle')")


@pytest.mark.parametrize("chapter", smoke.chapters())
def test_every_slider_changes_its_picture(server, visit, assets, chapter):
    page = visit(f"{server}/book/{chapter}.html")
    for piece in pieces(page).all():
        piece.scroll_into_view_if_needed()
        stuck = [slider for slider in usable(piece) if is_slider(slider) and not changed_by(piece, slider)]
        assert stuck == []


@pytest.mark.parametrize("chapter", smoke.chapters())
def test_every_piece_answers_its_buttons(server, visit, assets, chapter):
    """At least one button or mark of each piece changes the drawing; none throws."""
    page = visit(f"{server}/book/{chapter}.html")
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    for piece in pieces(page).all():
        piece.scroll_into_view_if_needed()
        buttons = [control for control in usable(piece) if not is_slider(control)]
        if buttons:
            assert any(changed_by(piece, control) for control in buttons)
    assert errors == []


@pytest.mark.parametrize("chapter", smoke.chapters())
def test_every_stored_view_is_drawn(server, visit, assets, chapter):
    page = visit(f"{server}/book/{chapter}.html")
    views = page.locator('script[type="application/vnd.jupyter.widget-view+json"]').count()
    assert pieces(page).count() == views
    for piece in pieces(page).all():
        assert piece.bounding_box()["height"] > 20
        assert "Error" not in piece.inner_text()


def test_the_book_has_interactive_pieces(server, visit, assets):
    counts = {chapter: pieces(visit(f"{server}/book/{chapter}.html")).count() for chapter in smoke.chapters()}
    assert sum(counts.values()) >= 1, counts
