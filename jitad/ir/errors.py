"""The exceptions a user can meet: what was wrong, where in the user's source, what to write instead."""

from __future__ import annotations

import builtins
import functools
import importlib
import linecache

import numpy as np

from jitad.ir.source import Source, user_source

_named: dict[str, type[Exception]] = {}


def name_of(cls: type[Exception]) -> str:
    """Return the name by which `class_named` finds a class of exceptions: of one that is not jitad's, with its module."""
    if issubclass(cls, JitadError):
        return cls.__name__
    name = f"{cls.__module__}:{cls.__qualname__}"
    _named[name] = cls
    return name


def class_named(name: str) -> type[Exception]:
    """Return the class of exceptions of a name; one that cannot be found in this process is a RuntimeError."""
    module, _, path = name.rpartition(":")
    if not module:
        return globals()[name]
    if name not in _named:
        try:
            _named[name] = functools.reduce(getattr, path.split("."), importlib.import_module(module))
        except (ImportError, builtins.AttributeError):
            return RuntimeError
    return _named[name]


class JitadError(Exception):
    """Base class of every error that jitad raises on purpose.

    Attributes
    ----------
    source
        The user's line that it is about: the last argument, by default the innermost one that is running.
    """

    def __init__(self, *args, **options):
        given = bool(args) and isinstance(args[-1], Source)
        self.source = args[-1] if given else user_source()
        super().__init__(*args[: len(args) - given], **options)

    def __str__(self) -> str:
        return f"{super().__str__()}\n{where(self.source)}"


def where(source: Source) -> str:
    """Return what a message says of the user's line that it is about."""
    file, line = source
    return f"  at {file}:{line}: {linecache.getline(file, line).strip()}"


class TypeError(JitadError, builtins.TypeError):  # noqa: A001
    """An argument of a kind or dtype that the operation is not defined for."""


class ValueError(JitadError, builtins.ValueError):  # noqa: A001
    """A shape or a value that the operation is not defined for."""


class IndexError(JitadError, builtins.IndexError):  # noqa: A001
    """An index out of range."""


class AxisError(ValueError, IndexError, np.exceptions.AxisError):
    """An axis that the array does not have."""


class NotImplementedError(JitadError, builtins.NotImplementedError):  # noqa: A001
    """A NumPy function, or a derivative, that jitad does not know."""


class AttributeError(JitadError, builtins.AttributeError):  # noqa: A001
    """An attribute that arrays do not have, or that jitad does not know."""


class FloatingPointError(JitadError, builtins.FloatingPointError):  # noqa: A001
    """A NaN among the results, where `config.check_nan` forbids it."""


class MemoryError(JitadError, builtins.MemoryError):  # noqa: A001
    """More memory was asked for than there is, or a budget that cannot be met."""


class RoomError(MemoryError):
    """A list got more elements than the compiled function has room for. It is compiled anew, with more room, where it is called by jitad."""


class LinAlgError(ValueError, np.linalg.LinAlgError):
    """A matrix that has not the shape, or not the values, that the operation of linear algebra needs."""


class LeakedArrayError(JitadError, builtins.RuntimeError):
    """A traced array that was kept after its trace had ended."""


class ConcreteValueError(TypeError):
    """Python asked for the value of an array that is only known when the kernel runs."""


def is_about_values(error: BaseException | None) -> bool:
    """Return whether an error says, or comes from one that says, that the value of an array was asked for."""
    while error is not None and not isinstance(error, ConcreteValueError):
        error = error.__cause__ or error.__context__
    return error is not None


class ControlFlowError(TypeError):
    """A branch or a loop that cannot be decided while tracing, and cannot be staged."""


class AliasError(ControlFlowError):
    """An array is used that may have been changed under another name."""


class UnboundError(JitadError, builtins.UnboundLocalError):
    """A name that has a value only if a branch was taken which is decided when the kernel runs."""


class InternalError(JitadError, builtins.AssertionError):
    """The verifier found a Program that breaks the rules of the IR: a defect of jitad, not of the user's code."""
