"""Exact, compiled derivatives of plain NumPy code.

See the README for a first look, and the docstrings of `grad`, `value_and_grad`, `jit`, `jvp`, `vjp`, `vmap` for the rest.
"""

from jitad import testing
from jitad.api import (
    grad,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jit,
    jvp,
    linearize,
    stop_gradient,
    value_and_grad,
    vjp,
    vmap,
)
from jitad.inspection import show, table, trace
from jitad.ir.errors import JitadError
from jitad.rules import custom_jvp, custom_vjp
from jitad.runtime.config import config

__all__ = [
    "JitadError", "config", "custom_jvp", "custom_vjp", "grad", "hessian", "hvp", "jacfwd", "jacobian", "jacrev", "jit", "jvp",
    "linearize", "show", "stop_gradient", "table", "testing", "trace", "value_and_grad", "vjp", "vmap",
]  # fmt: skip
__version__ = "0.1.0"
