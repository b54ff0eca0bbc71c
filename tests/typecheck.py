"""Shapes as tests: every function of hcg_lib annotated with jaxtyping shapes is checked at each call of a test run.

Functions without shapes are left alone, and so are compiled kernels. Arguments are validated by the library itself
(a wrong one must raise the library's ValueError, here as anywhere), so shapes annotate what functions return.
"""

import importlib
import inspect
import pkgutil
import re

from beartype import beartype
from jaxtyping import jaxtyped

import hcg_lib

SHAPE = re.compile(r"\[(Array|Tensor|torch\.Tensor|np\.ndarray), ['\"]")


def shaped(function) -> bool:
    """Tell whether a plain function carries a jaxtyping shape, written as in `Float[Array, "P d"]`."""
    written = getattr(function, "__annotations__", {}).values()
    return inspect.isfunction(function) and any(SHAPE.search(str(annotation)) for annotation in written)


def check_shapes() -> int:
    """Wrap the shaped functions and methods of every module of hcg_lib; return how many there are."""
    count = 0
    for module in pkgutil.walk_packages(hcg_lib.__path__, "hcg_lib."):
        loaded = importlib.import_module(module.name)
        homes = [loaded, *(c for c in vars(loaded).values() if inspect.isclass(c) and c.__module__ == module.name)]
        for home in homes:
            for name, member in list(vars(home).items()):
                if shaped(member) and member.__module__ == module.name:
                    setattr(home, name, jaxtyped(member, typechecker=beartype))
                    count += 1
    return count
