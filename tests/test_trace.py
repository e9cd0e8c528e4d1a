"""Traces: arguments and results, arrays from outside, values that Python needs, functions within functions, and errors."""

import copy
import math
import re
import threading
from typing import NamedTuple

import numpy as np
import pytest
from traced import check, concretized, run, trace

from jitad.frontend.arrays.array import is_traced, promote, to_atom, wrap
from jitad.frontend.tracing.programs import Leaf, Static, describe, trace_function
from jitad.frontend.tracing.trace import Trace, current_trace
from jitad.frontend.tracing.trees import flatten
from jitad.ir import errors
from jitad.ir.interpreter import evaluate
from jitad.ir.types import ArrayType

X = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


# --- arguments and results --------------------------------------------------------------------------------------------------


class State(NamedTuple):
    x: object
    name: object


def test_arguments_and_results_are_trees():
    def f(state, options):
        assert state.name == "abc" and options["flag"] is None and options["function"] is math.sin
        return {"y": state.x * options["n"], "pair": (1, 2.5), "none": None, "fixed": [np.float32(1), np.arange(3)]}, State(options["n"], X)

    check(f, State(X, "abc"), {"flag": None, "n": 3, "function": math.sin})


@pytest.mark.parametrize("x", [X, X.astype("f"), np.array(1.0), np.float32(2), 3, True, 2.5, 1j, np.int8([1]), X.astype(">f8")], ids=repr)
def test_values_are_described_by_type_and_kind(x):
    leaf = describe(x)
    assert leaf.type.dtype == np.asarray(x).dtype.newbyteorder("=")
    assert leaf.type.shape == np.shape(x)
    traced = trace(lambda x: x, x)
    assert traced.results == [leaf]
    assert traced.program.inputs == traced.program.outputs


def test_other_leaves_are_static():
    for x in ("text", len, {1, 2}, np.random.default_rng()):
        assert describe(x) == Static(x)


@pytest.mark.parametrize("dtype", ["f2", "g", "G", "O", "U3", "S2", "M8[s]", [("a", "f8")]], ids=str)
def test_dtypes_that_jitad_does_not_have(dtype):
    x = np.zeros(2, dtype)
    with pytest.raises(errors.TypeError, match="jitad has no arrays of dtype"):
        describe(x)
    with pytest.raises(errors.TypeError, match="jitad has no arrays of dtype"):
        run(lambda y: y + x, X)
    with pytest.raises(errors.TypeError, match="jitad has no arrays of dtype"):
        run(lambda y: y.astype(dtype), X)


@pytest.mark.parametrize("result, message", [
    ("text", "the function returns a str, which is neither"),
    ([X, {"a": len}], r"returns a builtin_function_or_method \(result\[1\]\['a'\]\)"),
    ((k for k in range(3)), "returns a generator.*return a list or a tuple"), (np.array([None]), "jitad has no arrays of dtype object"),
])  # fmt: skip
def test_results_must_be_numbers(result, message):
    with pytest.raises(errors.TypeError, match=message):
        run(lambda x: result, X)


def test_errors_name_the_users_line():
    def broken(x):
        return x + np.ones(5)

    with pytest.raises(errors.ValueError) as caught:
        run(broken, X)
    first, second = str(caught.value).split("\n")
    assert first == "operands could not be broadcast together with shapes (2,3) (5,)"
    with pytest.raises(errors.AxisError, match=f"axis 4 is out of bounds for array of dimension 2\n  at {__file__}"):
        run(lambda x: x.swapaxes(4, 0), X)
    assert second.strip() == f"at {__file__}:{broken.__code__.co_firstlineno + 1}: return x + np.ones(5)"


# --- arrays from outside ------------------------------------------------------------------------------------------------------


def test_arrays_from_outside_are_inputs():
    w, offset = np.ones(3), np.array(2.0)
    traced = trace(lambda x: x * w + w + offset + np.float64(3), X)
    assert [array is given for (array, _), given in zip(traced.captured, (w, offset), strict=True)] == [True, True]
    w[:] = 7
    (result,) = evaluate(traced.program, X, *[array for array, _ in traced.captured])
    np.testing.assert_array_equal(result, X * 7 + 7 + 2 + 3)


def test_arrays_changed_while_tracing_count_with_the_values_they_had():
    def f(x):
        w, total = np.arange(3.0), 0
        for k in range(3):
            total = total + w * x
            w[k] += 5
        w = w[::-1]
        w *= 2
        return total, w * x

    check(f, X)


def test_arrays_that_decide_are_pinned():
    mask = np.array([True, False, True])
    f = lambda x: x[:, mask]  # noqa: E731
    ((array, held),) = trace(f, X).pinned
    assert array is mask
    np.testing.assert_array_equal(held, mask)
    assert trace(lambda x: x[:, np.arange(3) > 0], X).pinned == []


def test_refused_kinds_of_arrays():
    for x in (np.ma.array([1.0, 2, 3]), np.ones((2, 3)).view(np.matrix)):
        with pytest.raises(errors.TypeError, match="convert it to a plain array"):
            run(lambda y: y * x, X)  # noqa: B023
    with pytest.raises(errors.TypeError, match="out= was made outside of the traced function"):
        run(lambda y: np.add(y, 1, out=np.zeros(3)), X)
    with pytest.raises(TypeError, match="unsupported operand"):
        run(lambda y: y + "text", X)
    with pytest.raises(errors.TypeError, match="a str cannot be an operand"):
        run(lambda y: np.add(y, "text"), X)


def test_lists_count_as_arrays():
    check(lambda x: (x + [1, 2, 3], [[1], [2]] * x, [x[0, 0], 1.0, 2] - x, x[0] * (1.0, x[0, 0], 0)), X)
    with pytest.raises(errors.ValueError, match="inhomogeneous"):
        run(lambda x: x * [x, x[0]], X)


# --- promotion, as others use it ------------------------------------------------------------------------------------------------


def test_promote():
    with Trace() as traced:
        x = wrap(to_atom(np.ones(3, "f")))
        cases = [(x, 2.5), (x, 1j), (x, np.float64(1)), (np.int32(1), 2), (True, x), (wrap(to_atom(2.0), weak=True), x), ([1, 2], 2.0)]
        dtypes = [{atom.dtype.char for atom in promote(*case)} for case in cases]
    assert dtypes == [{"f"}, {"F"}, {"d"}, {"i"}, {"f"}, {"f"}, {"d"}]
    assert len(traced.captured) == 2


# --- values that Python needs -----------------------------------------------------------------------------------------------------


def test_arguments_whose_values_decide_are_asked_for():
    assert concretized(lambda n, x: np.zeros(n) + x, 3, 1.0) == {0}
    assert concretized(lambda x, n, m: x[:n * 2 + m], X, 1, 1) == {1, 2}
    assert concretized(lambda x, flag: x if flag else -x, X, True) == {1}
    assert concretized(lambda x, n: x if n > 2 and n < 5 else -x, X, 3) == {1}
    assert concretized(lambda x, n: [x for _ in range(n)], X, 3) == {1}
    assert concretized(lambda x, n: x * math.sqrt(n), X, 3) == {1}
    assert concretized(lambda x, n: np.ones(int(np.ceil(n / 2))) * x, 1.0, 3) == {1}
    assert concretized(lambda n, m: n**m, 2, 3) == {1}
    assert concretized(lambda x, n: x.reshape(n, -1), X, 3) == {1}
    assert concretized(lambda x, n: x[f"w{n}"], {"w1": X}, 1) == {1}
    assert concretized(lambda x, n: x["w" + str(n)], {"w1": X}, 1) == {1}
    assert concretized(lambda x, n: {1: x}[n], X, 1) == {1}
    assert concretized(lambda x, n: x[n] * n + x.sum() ** n, X, 1) == set()


def test_a_function_traced_within_another_asks_for_its_own_arguments():
    def outer(x, n):
        def inner(y, m):
            return y[:m]

        leaves, treedef = flatten((x, n))
        return trace_function(inner, [describe(x), describe(n)], treedef)

    leaves, treedef = flatten((X, 2))
    mine = Trace()
    with pytest.raises(BaseException) as caught:
        trace_function(outer, [describe(X), describe(2)], treedef, mine)
    assert caught.value.trace is not mine and caught.value.leaves == {1}


def test_values_that_follow_from_arrays_are_not_known():
    cases = {
        "if x[0, 0] > 0: pass": "a decision by if", "float(x.sum())": r"float\(\) needs the value", "int(x[0, 0])": r"int\(\) needs",
        "complex(x[0, 0])": "leave the conversion out", "range(n[0])": "must be known when the function is traced",
        "np.asarray(x)": "conversion to an ndarray", "np.array([x[0], x[1]])": r"np\.stack",
        "1.0 in x": "a decision", "[0, 1][n[0]]": "an index or a size", "math.sin(x[0, 0])": "counterparts in NumPy",
        "not x[0, 0]": "a decision", "{1: 2}[n[0]]": "key of a dict",
    }  # fmt: skip
    for code, message in cases.items():
        with pytest.raises(errors.ConcreteValueError, match=message) as caught:
            run(lambda x, n: exec(compile(code, __file__, "exec")), X, np.array([1, 2]))  # noqa: B023
        assert __file__ in str(caught.value)
    for code in ("if x: pass", "if x[:0]: pass"):
        with pytest.raises(errors.ValueError, match="truth value of an"):
            run(lambda x: exec(code), X)  # noqa: B023
    with pytest.raises(errors.TypeError, match="only integer scalar arrays"):
        run(lambda x: range(x[0, 0]), X)


def test_values_known_at_trace_time_serve_python():
    def f(x):
        one = wrap(to_atom(1))
        return x[: one + 0 if one else 0] if isinstance(one, int) else [0, 1, 2][one] * x + float(one) + int(one) + bool(one)

    np.testing.assert_array_equal(run(f, X), X + 3)


def test_rounding_of_scalars_stays_traced():
    check(lambda x: (math.floor(x) + 0.5, math.ceil(x) + 0.5, math.trunc(x) + 0.5, round(x) + 0.5, np.round(x, 1)), np.float64(-2.6))


# --- as an array ------------------------------------------------------------------------------------------------------------------


def test_attributes():
    def f(x, z):
        assert (x.shape, x.dtype, x.ndim, x.size, x.itemsize, x.nbytes, len(x)) == ((2, 3), np.float64, 2, 6, 8, 48, 2)
        assert x.T.strides == (8, 24) and x[::-1, 1].strides == (-24,)
        return x.T, x.mT, x.real, x.imag, z.real, z.imag, x.flat[2], [row * 2 for row in x], x[0, 0].real, x[0, 0].T

    check(f, X, X + 1j * X)
    assert run(lambda x: all(re.fullmatch(r"<f64\[2,3\] #\d>", text) for text in (repr(x), str(x), f"{x:.3f}")), X)
    assert run(lambda x: is_traced(x) and not hasattr(x, "tofile"), X)
    with pytest.raises(AttributeError, match="a traced array has no attribute 'tofile'; jitad does not know this one"):
        run(lambda x: x.tofile("name"), X)
    with pytest.raises(errors.TypeError, match="unsized"):
        run(lambda x: len(x), 1.0)
    with pytest.raises(errors.TypeError, match="0-d"):
        run(lambda x: list(x), 1.0)
    with pytest.raises(TypeError, match="unhashable"):
        run(lambda x: {x: 1}, X)


METHODS = """
    sum() sum(axis=0) prod(1) mean() var(ddof=1) std(axis=1,keepdims=True) min() max(axis=0) argmin() argmax(axis=1) any() all(axis=0)
    cumsum() cumprod(axis=1) clip(2,4) round(1) dot(x[0]) reshape(3,2) reshape((3,-1)) reshape(6,order="F") ravel() ravel("F") flatten()
    flatten("F") transpose() transpose(1,0) transpose((1,0)) swapaxes(0,1) squeeze() repeat(2) repeat(2,axis=0) take([0,1]) take([1],axis=1)
    diagonal() trace() conj() conjugate() copy() astype(int) astype("f") astype(complex) astype(float,copy=False) view() item(2) item(1,2)
    reshape(1,6).squeeze(0) T.copy() sum().item() reshape(-1)[0].astype("f") sum().copy() mean(axis=(0,1))
"""


@pytest.mark.parametrize("method", METHODS.split())
def test_methods(method):
    check(lambda x: eval(f"x.{method}"), X + 0.3)


def test_methods_that_change():
    def f(x, y):
        y.fill(3)
        y[0] += copy.copy(x)[0] + copy.deepcopy(x)[1]
        return y, x.astype(int) / 2

    check(f, X, X.copy())
    for code in ('x.astype("i4", casting="safe")', "x.reshape(4, 2)", "x.reshape(-1, -1)", "x.transpose(0)", "x.squeeze(0)", "x[0].mT",
                 "x.item()", "x.reshape(3, 2, order='Z')", "x.imag.__setitem__(0, 1)", "x.swapaxes(0, 5)",
                 "x.transpose(0, 0)", "x.reshape(4, -1)"):  # fmt: skip
        with pytest.raises((ValueError, TypeError)) as theirs:
            eval(code, {"x": X.copy()})
        with pytest.raises(theirs.type) as ours:
            run(lambda x: eval(code), X)  # noqa: B023
        assert str(ours.value).split("\n")[0] == str(theirs.value)
    with pytest.raises(errors.NotImplementedError, match="jitad knows no bytes"):
        run(lambda x: x.view(int), X)


def test_functions_that_jitad_does_not_know_are_named():
    with pytest.raises(errors.NotImplementedError, match=r"jitad does not know numpy\.busday_count of traced arrays.*compute it outside") as caught:
        run(lambda x: np.busday_count(x, x), X)
    assert __file__ in str(caught.value)


# --- traces within traces ---------------------------------------------------------------------------------------------------------


def traced_within(function, x):
    leaves, treedef = flatten((x,))
    return trace_function(function, [describe(leaf) for leaf in leaves], treedef)


def test_values_of_an_enclosing_trace_are_free():
    w = np.ones(3)
    inner = []

    def outer(x):
        part = x[1:]
        y = x * 2
        inner.append(traced_within(lambda u: u * y + part + w + part, x))
        return part * w + current_trace().recorder.equations.__len__()

    traced = trace(outer, X)
    (found,) = inner
    assert [atom.type.shape for atom in found.free] == [(2, 3), (1, 3), (3,)]
    assert list(found.program.inputs[1:]) == found.free and not found.captured
    assert [array is w for array, _ in traced.captured] == [True]
    np.testing.assert_array_equal(evaluate(found.program, X, X * 2, X[1:], w)[0], X * X * 2 + 2 * X[1:] + 1)


def test_a_view_read_within_another_trace_does_not_remember_it():
    def outer(x):
        part = x[1:]
        x += 1
        inner = traced_within(lambda u: u * part, x)
        assert inner.program.free_vars() == []
        return part

    check(lambda x: outer(x) if is_traced(x) else (x.__iadd__(1), x[1:])[1], X)


def test_changing_an_array_of_an_enclosing_trace_is_an_error():
    def outer(x):
        def inner(u):
            x[0] = u[0]
            return u

        return traced_within(inner, x)

    with pytest.raises(errors.TypeError, match="an array of an enclosing function is changed in place"):
        run(outer, X)


def test_arrays_that_outlive_their_trace():
    kept = []
    trace(lambda x: kept.append(x[0]), X)
    for use in (lambda x: x + 1, lambda x: x[0], lambda x: np.sin(x), lambda x: float(x.sum())):
        with pytest.raises(errors.LeakedArrayError, match=f"(?s)after the trace that made it has ended.*{__file__}"):
            use(kept[0])
    with pytest.raises(errors.LeakedArrayError):
        run(lambda y: y + kept[0], X)


def test_traces_end_with_exceptions():
    with pytest.raises(ZeroDivisionError):
        run(lambda x: 1 // 0, X)
    assert current_trace() is None


def test_threads_trace_independently():
    results = {}

    def work(k):
        results[k] = run(lambda x: sum((x * k for _ in range(50)), x * 0.0), X)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k in range(4):
        np.testing.assert_allclose(results[k], 50 * k * X)


def test_leaves_can_be_described_without_values():
    leaf = Leaf(ArrayType(np.dtype("f8"), (2,)), "array")
    _, treedef = flatten((0, 1))
    traced = trace_function(lambda x, mode: x if mode == "same" else -x, [leaf, Static("other")], treedef)
    assert [equation.primitive.name for equation in traced.program.equations] == ["neg"]
