"""Where Python asks for the value of a traced array: ``if``, ``float``, ``range``, indices of lists, ...

In: a traced array. Out: its value, if it is known at trace time: a literal, or what follows from captured arrays alone, which are then
pinned. Else an exception: `Concretize` where the value follows from arguments that are single integers and booleans alone, so that
the function is traced again with their values; `ConcreteValueError` otherwise.
"""

from __future__ import annotations

from jitad.frontend.arrays.cells import View
from jitad.frontend.tracing.trace import captured_arrays, concretize, pin
from jitad.ir import errors
from jitad.ir.interpreter import evaluate
from jitad.ir.program import Atom, Equation, Literal, Program, Var

REMEDIES = {
    "bool": "write np.where(condition, a, b) for a choice between values, or mark the argument that decides as static",
    "int": "write x.astype(int), np.floor or np.rint, which stay in the compiled function, or mark the argument as static",
    "float": "leave the conversion out, or write x.astype(float); functions of the module math have counterparts in NumPy",
    "index": "sizes, bounds of slices and indices of lists must be known when the function is traced: mark the argument as static",
    "array": "write the call with a function of NumPy that takes traced arrays (np.stack([x, y]) in place of np.array([x, y])), or "
             "leave the conversion out",
    "library": "write it with functions that jitad knows, those of NumPy above all, or compute it outside of the function and pass the result as "
               "an argument",
}


def value(x: View, what: str, remedy: str):
    """Return the value of `x`, a NumPy array or scalar, for Python to use as a `what`."""
    found = known(x.atom)
    if found is None:
        raise value_needed(x, what, remedy)
    return found


def values(tree, what: str):
    """Return nested tuples, lists and dicts with the values of the traced arrays in them."""
    if isinstance(tree, View):
        return value(tree, what, "array")
    if isinstance(tree, dict):
        return {key: values(branch, what) for key, branch in tree.items()}
    return type(tree)([values(branch, what) for branch in tree]) if type(tree) in (tuple, list) else tree


def known(atom: Atom):
    """Return the value of an atom, a NumPy array or scalar, if it follows from captured arrays alone, else None."""
    if isinstance(atom, Literal):
        return atom.value
    arrays = captured_arrays()
    steps = derivation(atom, arrays.keys())
    if steps is None:
        return None
    used = [var for var in arrays if var is atom or any(var in equation.inputs for equation in steps)]
    (result,) = evaluate(Program(used, steps, [atom]), *[pin(arrays[var]) for var in used])
    return result if result.ndim else result[()]


def derivation(atom: Atom, sources) -> list[Equation] | None:
    """Return the equations that compute `atom` from the Vars in `sources`, in order, or None if more is needed."""
    steps: list[Equation] = []
    met: set[Equation] = set()
    waiting: list[Atom | Equation] = [atom]
    while waiting:
        last = waiting.pop()
        if isinstance(last, Equation):
            steps.append(last)
        elif isinstance(last, Var) and last not in sources:
            if last.equation is None:
                return None
            if last.equation not in met:
                met.add(last.equation)
                waiting += [last.equation, *last.equation.inputs]
    return steps


def value_needed(x: View, what: str, remedy: str = "index") -> BaseException:
    if x.origins:
        return concretize(x.origins)
    return errors.ConcreteValueError(f"{what} needs the value of a traced array ({x.type}), which is only known when the compiled "
                                     f"function runs; {REMEDIES[remedy]}")
