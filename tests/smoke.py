"""The chapters in their smoke profile: executed once, shared by all workers and by the site they are built into."""

from tools import execute

FOLDER = execute.ROOT / "_build" / "smoke"


def chapters():
    """Names of the chapters: what book/profiles.yml lists."""
    return list(execute.profiles())


def run(chapter):
    """The executed notebook; whoever comes first executes, the others wait for it."""
    wanted = execute.plan(chapter, "smoke", {}, FOLDER / f"{chapter}.ipynb")
    with execute.locked(FOLDER / f"{chapter}.lock"):
        return execute.ensure(wanted)[0]
