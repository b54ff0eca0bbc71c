"""The fixture `executed`: a chapter, run by the same function that runs the book."""

import pytest

from tests import smoke
from tools import execute


@pytest.fixture(scope="session")
def executed():
    """executed(chapter) → (notebook, {glued name: value})."""
    done = {}

    def run(chapter):
        if chapter not in done:
            notebook = smoke.run(chapter)
            done[chapter] = notebook, execute.glued(notebook)
        return done[chapter]

    return run
