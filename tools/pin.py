"""Write constraints.txt: the version of everything the extras of pyproject.toml bring with them, as installed here.

python tools/pin.py      after upgrading an environment on purpose
"""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
EXTRAS = ("book", "test")


def required() -> list[Requirement]:
    """What pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    texts = list(project["dependencies"])
    for extra in EXTRAS:
        texts += project["optional-dependencies"][extra]
    return [Requirement(text) for text in texts]


def closure() -> dict[str, str]:
    """name → version of everything that has to be installed, and is."""
    found: dict[tuple[str, frozenset[str]], str] = {}
    waiting = required()
    while waiting:
        requirement = waiting.pop()
        extras = {"", *requirement.extras}
        key = canonicalize_name(requirement.name), frozenset(extras)
        if key in found:
            continue
        try:
            here = distribution(requirement.name)
        except PackageNotFoundError:
            continue  # for another system
        found[key] = here.version.split("+")[0]  # a label such as +cpu names a build, not a version
        for text in here.requires or []:
            child = Requirement(text)
            if child.marker is None or any(child.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(child)
    return {name: here for (name, _), here in sorted(found.items(), key=lambda item: item[0][0])}


def constraints() -> str:
    return "".join(f"{name}=={here}\n" for name, here in closure().items())


if __name__ == "__main__":
    CONSTRAINTS.write_text(constraints(), encoding="utf8")
    print(f"{len(closure())} versions written to {CONSTRAINTS.name}", file=sys.stderr)
