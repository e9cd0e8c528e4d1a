"""Lines of code evaluated by NumPy and traced, with arrays that have names of one letter: helpers of the tests.

Upper- and lower-case names are the arrays of `ARRAYS`, traced in the second evaluation; names that end in an underscore stay concrete.
"""

import cmath
import math
import re
import warnings

import numpy as np

from jitad.frontend.arrays.array import is_traced, to_atom, wrap
from jitad.frontend.tracing.trace import Trace
from jitad.ir.interpreter import evaluate
from jitad.ir.program import Program, Var
from jitad.ir.types import ArrayType
from jitad.ir.verifier import verify

rng = np.random.default_rng(7)


def draw(*shape):
    return rng.uniform(-2, 2, shape)


ARRAYS = {
    "A": draw(3, 4), "B": draw(3, 4), "C": draw(4, 5), "D": draw(2, 3, 4), "E": draw(2, 4, 5),
    "S": draw(3, 3) + 3 * np.eye(3), "T": draw(2, 3, 3) + 3 * np.eye(3),
    "a": np.float64(draw()), "v": draw(4), "w": draw(4), "u": draw(3), "x": np.sort(draw(6)), "y": draw(6),
    "long": draw(40), "kernel": draw(20), "P": np.eye(3) * 4 + 1.0,
    "F": draw(3, 4).astype("f"), "f": draw(4).astype("f"), "Z": draw(3, 4) + 1j * draw(3, 4), "z": draw(4) + 1j * draw(4),
    "Y": draw(4, 3) + 1j * draw(4, 3), "H": np.eye(2) * 5 + np.array([[0, 1j], [-1j, 0]]), "G": (draw(3, 4) + 1j * draw(3, 4)).astype("F"),
    "I": rng.integers(-5, 6, (3, 4)), "i": rng.integers(0, 3, 4), "j": rng.integers(0, 4, (2, 3)),
    "K": rng.integers(0, 9, (3, 4)).astype("i4"),
    "U": rng.integers(0, 9, 4).astype("u1"), "M": rng.random((3, 4)) < 0.5, "m": np.array([True, False, True, True]),
    "N": np.where(rng.random((3, 4)) < 0.4, np.nan, draw(3, 4)), "n": np.array([np.nan, 1.0, np.inf, -np.inf]),
    "R": np.array([[0.5, 1.5, -0.5], [2.5, -1.234567, 17.0]]), "O": draw(0, 3), "L": draw(1, 3, 1), "Q": np.array([0.0, -0.0, 1.0, -1.0]),
}  # fmt: skip
CONCRETE = {
    "A_": draw(3, 4), "v_": draw(4), "x_": np.sort(draw(6)), "M_": rng.random((3, 4)) < 0.5, "m_": np.array([True, False, True, True]),
    "i_": np.array([0, 2, 1, 2]), "j_": np.array([[0, 2], [3, 1]]), "f_": draw(4).astype("f"),
}  # fmt: skip


def after(change, x):
    """Return a copy of `x` as an in-place change leaves it."""
    x = x.copy()
    change(x)
    return x


def run(code: str, arrays: dict, **more):
    return eval(code, {"np": np, "math": math, "cmath": cmath, "after": after, **CONCRETE, **more, **arrays})


def flat(result) -> list:
    return [leaf for part in result for leaf in flat(part)] if isinstance(result, tuple | list) else [result]


def traced(code: str, arrays: dict = ARRAYS, **more) -> list:
    """Return the leaves of the result of evaluating `code` by way of a Program."""
    used = {name: array for name, array in arrays.items() if name in code}
    with Trace() as trace:
        inputs = [Var(ArrayType(array.dtype, array.shape)) for array in used.values()]
        result = flat(run(code, dict(zip(used, map(wrap, inputs))), **more))
        outputs = [to_atom(leaf) for leaf in result if is_traced(leaf)]
    captured = trace.inputs()
    program = verify(Program([*inputs, *[var for _, var in captured]], trace.recorder.equations, outputs))
    values = iter(evaluate(program, *used.values(), *[array for array, _ in captured]))
    return [next(values) if is_traced(leaf) else leaf for leaf in result]


def compare(code: str, expected, actual) -> None:
    expected = flat(expected)
    assert len(expected) == len(actual)
    for wanted, got in zip(expected, actual):
        wanted, got = np.asarray(wanted), np.asarray(got)
        assert got.dtype == wanted.dtype, code
        assert got.shape == wanted.shape, code
        rtol = 2e-6 if wanted.dtype.char in "fF" else 1e-13
        np.testing.assert_allclose(got, wanted, rtol=rtol, atol=rtol, err_msg=code)


def check(code: str, **more) -> None:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        compare(code, run(code, ARRAYS, **more), traced(code, **more))


def lines(text: str) -> list[str]:
    """Return the cases of a table that the installed version of NumPy has; ``# until 2.5`` ends one that it had before that version."""
    cases = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    until = [case.partition("  # until ")[::2] for case in cases]
    cases = [case for case, end in until if not end or tuple(map(int, np.__version__.split(".")[:2])) < tuple(map(int, end.split(".")))]
    return [case for case in cases if all(hasattr(np, name) for name in re.findall(r"\bnp\.(\w+)", case))]
