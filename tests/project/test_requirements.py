"""pyproject.toml is the only list of requirements; the other files follow from it."""

import re
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tools import pin

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())
REQUIRED = pin.required()


def pinned():
    """name → version, from constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text().split()
    return {canonicalize_name(name): pin for name, pin in (line.split("==") for line in lines)}


@pytest.mark.parametrize("requirement", REQUIRED, ids=lambda r: r.name)
def test_what_is_required_is_installed_in_range(requirement):
    assert version(requirement.name).split("+")[0] in requirement.specifier


def test_constraints_pin_everything_that_gets_installed():
    assert {name: here for name, here in pin.closure().items() if pinned().get(name) != here} == {}


def test_constraints_are_what_the_tool_writes():
    assert (ROOT / "constraints.txt").read_text() == pin.constraints()


def test_constraints_are_exact_sorted_and_carry_no_local_label():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9A-Za-z.]*", line) for line in lines)
    assert list(pinned()) == sorted(pinned())
    assert "torch==2.13.0" in lines


def test_constraints_satisfy_the_ranges_of_pyproject():
    pins = pinned()
    assert [str(r) for r in REQUIRED if pins[canonicalize_name(r.name)] not in r.specifier] == []


def test_environment_has_the_expected_form():
    assert set(ENVIRONMENT) == {"name", "channels", "dependencies"}
    assert ENVIRONMENT["name"] == PROJECT["name"]
    assert ENVIRONMENT["channels"][0] == "conda-forge"


def test_environment_names_only_python_pip_and_node():
    *conda, pip = ENVIRONMENT["dependencies"]
    assert [re.split(r"[=<>]", spec)[0] for spec in conda] == ["python", "pip", "nodejs"]
    assert set(pip) == {"pip"}


def test_environment_takes_a_python_of_pyproject():
    spec = ENVIRONMENT["dependencies"][0].removeprefix("python=")
    assert f"{spec}.1" in SpecifierSet(PROJECT["requires-python"])
    assert ".".join(map(str, sys.version_info[:3])) in SpecifierSet(PROJECT["requires-python"])


def test_environment_installs_the_project_with_existing_extras():
    (line,) = ENVIRONMENT["dependencies"][-1]["pip"]
    match = re.fullmatch(r"-e \.\[([a-z,]+)\]", line)
    assert match
    assert set(match[1].split(",")) == {"book", "test"} <= set(EXTRAS)


def test_license_and_version_agree_everywhere():
    import hcg_lib

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == version(PROJECT["name"]) == hcg_lib.__version__
    assert citation["license"] == PROJECT["license"] == "MIT"
    assert f"## {hcg_lib.__version__}" in (ROOT / "CHANGELOG.md").read_text()
