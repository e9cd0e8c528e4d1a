"""Where Python asks for the value of a traced array: ``if``, ``float``, ``range``, indices of lists, ...

In: a traced array. Out: its value, if it is known at trace time, else an exception: `Concretize` where the value follows from
arguments that are Python's ints and bools alone, so that the function is traced again with their values;
`ConcreteValueError` otherwise.
"""

from __future__ import annotations

from jitad.frontend.cells import View
from jitad.frontend.trace import concretize
from jitad.ir import errors
from jitad.ir.program import Literal

REMEDIES = {
    "bool": "write np.where(condition, a, b) for a choice between values, or mark the argument that decides as static",
    "int": "write x.astype(int), np.floor or np.rint, which stay in the compiled function, or mark the argument as static",
    "float": "leave the conversion out, or write x.astype(float); functions of the module math have counterparts in NumPy",
    "index": "sizes, bounds of slices and indices of lists must be known when the function is traced: mark the argument as static",
    "array": "write the call with a function of NumPy that takes traced arrays (np.stack([x, y]) in place of np.array([x, y])), or "
             "leave the conversion out",
}


def value(x: View, what: str, remedy: str):
    """Return the value of `x`, a NumPy scalar, for Python to use as a `what`."""
    if isinstance(x.atom, Literal):
        return x.atom.value
    raise value_needed(x, what, remedy)


def value_needed(x: View, what: str, remedy: str = "index") -> BaseException:
    if x.origins:
        return concretize(x.origins)
    return errors.ConcreteValueError(f"{what} needs the value of a traced array ({x.type}), which is only known when the compiled "
                                     f"function runs; {REMEDIES[remedy]}")
