"""The checker of the tests does check, and leaves the rest alone."""

import importlib
import sys

import numpy as np
import pytest

from tests import typecheck

MODULE = """
from __future__ import annotations
import numba
import numpy as np
from jaxtyping import Float

def double(x: Float[np.ndarray, "n d"], times: int) -> Float[np.ndarray, "n d"]:
    return np.tile(x, (1, times))

@numba.njit(cache=False)
def total(x: np.ndarray) -> float:
    out = 0.0
    for value in x:
        out += value
    return out
"""


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """A throw-away package, imported under the same hook as hcg_lib."""
    folder = tmp_path_factory.mktemp("package")
    (folder / "shaped_example.py").write_text(MODULE)
    sys.path.insert(0, str(folder))
    hook = typecheck.install_import_hook("shaped_example", "tests.typecheck.check")
    yield importlib.import_module("shaped_example")
    hook.uninstall()
    sys.path.remove(str(folder))


def test_wrong_argument_shape_is_an_error(checked):
    with pytest.raises(TypeError, match=r"parameters of shaped_example\.double"):
        checked.double(np.ones(3), 1)


def test_wrong_return_shape_is_an_error(checked):
    assert checked.double(np.ones((2, 3)), 1).shape == (2, 3)
    with pytest.raises(TypeError, match=r"return value of shaped_example\.double"):
        checked.double(np.ones((2, 3)), 2)


def test_plain_arguments_are_left_to_the_library(checked):
    with pytest.raises(ValueError, match="twice"):
        checked.double(np.ones((2, 3)), "twice")


def test_compiled_functions_still_compile(checked):
    assert checked.total(np.arange(4.0)) == 6.0
