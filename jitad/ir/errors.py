"""The exceptions a user can meet: what was wrong, where in the user's source, what to write instead."""

from __future__ import annotations

import builtins

import numpy as np


class JitadError(Exception):
    """Base class of every error that jitad raises on purpose."""


class TypeError(JitadError, builtins.TypeError):  # noqa: A001
    """An argument of a kind or dtype that the operation is not defined for."""


class ValueError(JitadError, builtins.ValueError):  # noqa: A001
    """A shape or a value that the operation is not defined for."""


class IndexError(JitadError, builtins.IndexError):  # noqa: A001
    """An index out of range."""


class AxisError(ValueError, IndexError, np.exceptions.AxisError):
    """An axis that the array does not have."""

    def __str__(self) -> str:
        return self.args[0] if len(self.args) == 1 else super().__str__()


class NotImplementedError(JitadError, builtins.NotImplementedError):  # noqa: A001
    """A NumPy function, or a derivative, that jitad does not know."""


class LinAlgError(ValueError, np.linalg.LinAlgError):
    """A matrix that has not the shape, or not the values, that the operation of linear algebra needs."""


class LeakedArrayError(JitadError, builtins.RuntimeError):
    """A traced array that was kept after its trace had ended."""


class ConcreteValueError(TypeError):
    """Python asked for the value of an array that is only known when the kernel runs."""


class InternalError(JitadError, builtins.AssertionError):
    """The verifier found a Program that breaks the rules of the IR: a defect of jitad, not of the user's code."""
