"""Table of contents, profiles, texts and tests name the same chapters."""

from pathlib import Path

from tools import build, execute

TOC = build.toc()
CHAPTERS = [Path(entry).stem for entry in TOC if entry.endswith(".ipynb")]
PAGES = [Path(entry).stem for entry in TOC if not entry.endswith(".ipynb")]


def is_notebook(path):
    return path.read_text(encoding="utf8").startswith("---\njupytext:")


def test_contents_list_every_chapter_that_is_there():
    assert sorted(CHAPTERS) == sorted(path.stem for path in execute.BOOK.glob("*.md") if is_notebook(path))


def test_contents_list_every_page_that_is_there():
    assert sorted(PAGES) == sorted(path.stem for path in execute.BOOK.glob("*.md") if not is_notebook(path))


def test_every_chapter_has_profiles_and_every_profile_a_chapter():
    assert sorted(execute.profiles()) == sorted(CHAPTERS)


def test_every_chapter_has_tests_of_its_numbers():
    folder = execute.ROOT / "tests" / "notebooks"
    assert [name for name in CHAPTERS if not (folder / f"test_{name}.py").exists()] == []


def test_no_notebook_with_outputs_is_tracked():
    import subprocess

    tracked = subprocess.run(["git", "ls-files", "*.ipynb"], capture_output=True, text=True, cwd=execute.ROOT)
    assert tracked.stdout == ""


def test_every_public_module_is_on_the_api_page():
    package = execute.ROOT / "hcg_lib"
    modules = {path.stem for path in package.glob("[!_]*.py")} | {
        path.parent.name for path in package.glob("*/__init__.py")
    }
    page = (execute.BOOK / "api.md").read_text(encoding="utf8")
    assert sorted(name for name in modules if f"automodule:: hcg_lib.{name}\n" not in page) == []
