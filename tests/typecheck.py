"""The type checker of the tests: array shapes and everything returned are enforced.

Other arguments are the business of the library's own validation, which answers bad input with a `ValueError`.
"""

import functools
import inspect
import random
import typing

import numba
from beartype import BeartypeConf, beartype
from beartype._check.code import codemain
from jaxtyping import AbstractArray, install_import_hook

codemain.getrandbits = random.Random(0).getrandbits  # it samples list items; the global state is not its to move
_strict = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int is a float, as mathematics has it


def names_a_shape(hint):
    """Whether an annotation contains a jaxtyping array."""
    if inspect.isclass(hint) and issubclass(hint, AbstractArray):
        return True
    return any(names_a_shape(part) for part in typing.get_args(hint))


def check(function):
    """beartype, on the annotations that name a shape and on the return value."""
    hints = function.__annotations__
    kept = {name: hint for name, hint in hints.items() if name == "return" or names_a_shape(hint)}
    function.__annotations__ = kept
    return _strict(function) if kept else function


def _compile_the_original(decorator):
    """numba compiles the function that was written, not its checking wrapper."""

    @functools.wraps(decorator)
    def decorate(*args, **options):
        if args and inspect.isfunction(args[0]):
            return decorator(inspect.unwrap(args[0]), *args[1:], **options)
        made = decorator(*args, **options)
        return lambda function: made(inspect.unwrap(function))

    return decorate


def enforce(package):
    """Check every annotated function of a package that is imported from now on."""
    for name in ("jit", "njit", "vectorize", "guvectorize"):
        setattr(numba, name, _compile_the_original(getattr(numba, name)))
    install_import_hook(package, f"{__name__}.check")
