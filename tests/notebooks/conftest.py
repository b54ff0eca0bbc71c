"""The fixture `executed`: a chapter, run by the same function that runs the book."""

import pytest

from tools import execute

SMOKE = execute.ROOT / "_build" / "smoke"


def run_smoke(chapter):
    """The executed notebook of the smoke profile, computed once for all workers."""
    run = execute.plan(chapter, "smoke", {}, SMOKE / f"{chapter}.ipynb")
    with execute.locked(SMOKE / f"{chapter}.lock"):
        return execute.ensure(run)[0]


@pytest.fixture(scope="session")
def executed():
    """executed(chapter) → (notebook, {glued name: value})."""
    done = {}

    def run(chapter):
        if chapter not in done:
            notebook = run_smoke(chapter)
            done[chapter] = notebook, execute.glued(notebook)
        return done[chapter]

    return run
