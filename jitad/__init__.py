"""Exact, compiled derivatives of plain NumPy code.

See the README for a first look, and the docstrings of `grad`, `value_and_grad`, `jit`, `jvp`, `vjp`, `vmap` for the rest.
"""

from jitad.runtime.collection import of_young_objects

with of_young_objects():  # what modules consist of stays
    from jitad import testing
    from jitad.api import checkpoint, grad, jit, stop_gradient, value_and_grad, vmap
    from jitad.control import cond, fori_loop, scan, switch, while_loop
    from jitad.executables import compile
    from jitad.frontend.control.iterables import unroll
    from jitad.inspection import show, table, trace
    from jitad.ir.errors import JitadError
    from jitad.jacobians import hessian, jacfwd, jacobian, jacrev
    from jitad.products import hvp, jvp, linearize, vjp
    from jitad.rules import custom_jvp, custom_vjp
    from jitad.runtime.config import config
    from jitad.runtime.workspaces import clear_workspaces

__all__ = [
    "JitadError", "checkpoint", "clear_workspaces", "compile", "cond", "config", "custom_jvp", "custom_vjp", "fori_loop", "grad",
    "hessian", "hvp", "jacfwd", "jacobian", "jacrev", "jit", "jvp", "linearize", "scan", "show", "stop_gradient", "switch", "table", "testing",
    "trace", "unroll", "value_and_grad", "vjp", "vmap", "while_loop",
]  # fmt: skip
__version__ = "0.1.0"
