"""Bad input gets a clear error: of the right class, jitad's and Python's at once, with the user's line and what to write instead."""

import builtins
import linecache
import pickle
import random
import re
from fractions import Fraction

import numpy as np
import pytest
from refused import check
from scipy import linalg, special

import jitad
from jitad import custom_jvp, custom_vjp, grad, hessian, hvp, jacfwd, jacrev, jit, jvp, linearize, value_and_grad, vjp, vmap
from jitad.ir import errors

X = np.array([0.3, 0.7, 1.1])


# --- what is differentiated ---------------------------------------------------------------------------------------------------------


def vector(x):
    return x * 2


OUTPUTS = [
    (vector, r"grad needs a function that returns a scalar; vector \(test_errors.py:\d+\) returns an array of shape \(3,\)\. Sum it"),
    (lambda x: np.sum(x, keepdims=True), r"returns an array of shape \(1,\)"),
    (lambda x: np.sum(x) * 1j, r"real-valued function; <lambda> \(test_errors.py:\d+\) returns complex128\. Return its real part"),
    (lambda x: np.sum(x > 0.5), "floating-point result; .* returns int64"),
    (lambda x: np.all(x > 0.5), "floating-point result; .* returns bool"),
    (lambda x: None, r"one number; .* returns None\. Use has_aux=True"),
    (lambda x: (np.sum(x), x), r"one number; .* returns \(\*, \*\)\. Use has_aux=True"),
    (lambda x: [np.sum(x)], r"one number; .* returns \[\*\]"),
    (lambda x: {"loss": np.sum(x)}, r"one number; .* returns \{loss: \*\}"),
]


@pytest.mark.parametrize("function, message", OUTPUTS)
def test_results_that_have_no_gradient(function, message):
    check(TypeError, message, lambda: grad(function)(X), line="grad(function)(X)")
    check(TypeError, message.replace("grad needs", "value_and_grad needs"), lambda: value_and_grad(function)(X))
    check(TypeError, message.replace("grad needs", "hessian needs"), lambda: hessian(function)(X))
    check(TypeError, message.replace("grad needs", "hvp needs"), lambda: hvp(function, (X,), (X,)))


ARGUMENTS = [
    ((3,), "argument 0 has dtype int64: convert it to float, or leave it out of argnums"),
    ((np.arange(3),), "argument 0 has dtype int64"),
    ((True,), "argument 0 has dtype bool"),
    (("text",), "argument 0, a str; leave it out of argnums"),
    ((np.sin,), "argument 0, a ufunc"),
    ((object(),), "argument 0, a object"),
    (({"w": [1.0, 3], "b": 1.0},), r"argument 0\['w'\]\[1\] has dtype int64"),
    ((Fraction(1, 2),), "argument 0, a Fraction"),
    (((1.0, (2.0, "a")),), r"argument 0\[1\]\[1\], a str"),
]


@pytest.mark.parametrize("arguments, message", ARGUMENTS)
def test_arguments_that_cannot_be_differentiated(arguments, message):
    constant = lambda *args: 1.0  # noqa: E731
    check(TypeError, "^grad .*" + message, lambda: grad(constant)(*arguments))
    check(TypeError, "^jacfwd .*" + message, lambda: jacfwd(constant)(*arguments))
    check(TypeError, "^grad .*" + message.replace("argument 0", "argument 1"), lambda: grad(constant, argnums=(0, 1))(1.0, *arguments))
    own = message.replace("leave it out of argnums", "let a lambda hold it")
    check(TypeError, "^vjp .*" + own, lambda: vjp(constant, *arguments))
    check(TypeError, "^linearize .*" + own, lambda: linearize(constant, *arguments))
    check(TypeError, "^jvp .*" + own, lambda: jvp(constant, arguments, arguments))


def test_no_argument():
    message = "was called without positional arguments: there is nothing to differentiate with respect to"
    for transform in (grad, value_and_grad, jacfwd, jacrev, hessian):
        check(TypeError, message, lambda: transform(lambda: 1.0)(), line="transform(lambda: 1.0)()")  # noqa: B023
        check(TypeError, message, lambda: transform(lambda x: x)(x=1.0))  # noqa: B023


def test_argnums():
    check(TypeError, "grad differentiates argument 3, but the call has 1 positional arguments", lambda: grad(abs, argnums=3)(1.0))
    check(TypeError, "argnums of grad is the number of a positional argument, or a tuple of them, not 'x'", lambda: grad(abs, "x")(1.0))
    check(TypeError, "not 0.0", lambda: grad(abs, 0.0)(1.0))
    check(ValueError, "argnums of grad names an argument twice", lambda: grad(pow, (0, -2))(1.0, 2.0))


def test_functions_that_are_none():
    check(TypeError, "grad takes a function, not 3.0, which is a float", lambda: grad(3.0))
    check(TypeError, "jit takes a function, not .*ndarray", lambda: jit(X))
    check(TypeError, "a function is needed, not 3.0", lambda: vjp(3.0, 1.0))
    check(ValueError, "has no argument 'm', which static_argnames mentions", lambda: jit(vector, static_argnames="m"))
    with pytest.raises(TypeError, match="takes 1 positional argument but 2 were given"):
        grad(vector)(X, X)


def test_tangents_and_cotangents():
    check(TypeError, "a tuple of arguments and a tuple of as many tangents", lambda: jvp(np.sin, (X,), (X, X)))
    check(TypeError, "a tuple of arguments and a tuple of as many tangents", lambda: jvp(np.sin, X, X))
    check(ValueError, r"a tangent has shape \(2,\); it must have that of the value, \(3,\)", lambda: jvp(np.sin, (X,), (X[:2],)))
    check(TypeError, r"a tangent has the structure .*it must be that of the value", lambda: jvp(np.sin, (X,), ((X,),)))
    check(TypeError, "a tangent has dtype complex128; it must be convertible to that of the value, float64",
          lambda: jvp(np.sin, (X,), (1j * X,)))
    _, pullback = vjp(np.sin, X)
    _, push = linearize(np.sin, X)
    check(ValueError, r"the cotangent has shape \(\)", lambda: pullback(1.0))
    check(TypeError, "the cotangent has the structure", lambda: pullback([X]))
    check(ValueError, r"a tangent has shape \(\)", lambda: push(1.0))
    check(TypeError, "a tangent has the structure", lambda: push(X, X))
    check(ValueError, r"the cotangent has shape \(2,\)", lambda: grad(lambda x: np.sum(vjp(np.sin, x)[1](x[:2])[0]))(X))


def test_auxiliary_results():
    message = r"has_aux=True needs a function that returns a pair \(value, auxiliary results\)"
    check(TypeError, message, lambda: grad(np.sum, has_aux=True)(X))
    check(TypeError, message, lambda: value_and_grad(lambda x: [np.sum(x), x], has_aux=True)(X))
    check(TypeError, message, lambda: vjp(np.sum, X, has_aux=True))
    check(TypeError, r"returns a generator \(result\[1\]\)", lambda: grad(lambda x: (np.sum(x), (v for v in x)), has_aux=True)(X))


def test_jacobians_are_real():
    check(TypeError, "jacrev needs real floating-point arguments and results, not complex128", lambda: jacrev(lambda x: x * 1j)(X))
    check(TypeError, "jacfwd needs real .* not int64", lambda: jacfwd(np.argmax)(X))


def test_batches():
    check(ValueError, "the mapped axes have different extents 3, 2", lambda: vmap(np.add)(X, X[:2]))
    check(ValueError, "at least one argument with an axis", lambda: vmap(np.add, in_axes=(None, None))(X, X))
    check(ValueError, r"argument 1 has shape \(3,\) and no axis 1", lambda: vmap(np.add, in_axes=(0, 1))(X, X))
    check(ValueError, r"argument 0\['a'\] has shape \(\) and no axis 0", lambda: vmap(lambda t: t["a"])({"a": 1.0}))
    check(TypeError, "vmap cannot map over argument 1, a str; give None for it in in_axes", lambda: vmap(lambda x, s: x)(X, "a"))
    check(ValueError, "in_axes has 1 entries for 2 values", lambda: vmap(np.add, in_axes=(0,))(X, X))
    check(ValueError, "out_axes has 1 entries for 2 values", lambda: vmap(lambda x: (x, x), out_axes=(0,))(X))
    check(TypeError, "in_axes has 0.0 for .*; give the number of an axis, None, or a container of them", lambda: vmap(abs, in_axes=0.0)(X))
    check(ValueError, r"out_axes has axis 1 for a result of shape \(3,\), the batch included", lambda: vmap(np.sin, out_axes=1)(X))
    check(ValueError, "None in out_axes depends on the member", lambda: vmap(np.sin, out_axes=None)(X))


def test_rules():
    bad, worse = custom_jvp(np.sum), custom_vjp(lambda x, y: x * y)
    check(TypeError, "custom_jvp function without a rule; set it with", lambda: grad(lambda x: bad(x))(X))
    check(TypeError, r"custom_vjp function without a rule; set it with \.defvjp", lambda: worse(1.0, 2.0))
    check(TypeError, "takes positional arguments only", lambda: bad(x=X))
    for rule, message in [
        (lambda p, t: t[0], r"returns a pair \(result, tangent\), not Array"),
        (lambda p, t: (bad(*p), t), "gives a tangent with the structure"),
        (lambda p, t: ((bad(*p),), bad(*t)), "gives a result with the structure"),
        (lambda p, t: (bad(*p), t[0]), r"returns tangents of types f64\[3\]; they must be f64\[\]"),
    ]:
        bad.defjvp(rule)
        check(TypeError, message, lambda: grad(bad)(X))
    for forward, backward, message in [
        (lambda x, y: worse(x, y), lambda r, ct: (ct, ct), r"returns a pair \(result, residuals\)"),
        (lambda x, y: (worse(x, y), None), lambda r, ct: ct, "a tuple of 2 cotangents, one for each argument"),
        (lambda x, y: (worse(x, y), None), lambda r, ct: (np.ones(2), ct), r"returns cotangents of types f64\[2\].* must be f64\[\]"),
        (lambda x, y: (worse(x, y), None), lambda r, ct: ([ct], ct), "gives a cotangent with the structure"),
    ]:
        worse.defvjp(forward, backward)
        check(TypeError, message, lambda: grad(worse, (0, 1))(1.0, 2.0))


# --- what the function does ---------------------------------------------------------------------------------------------------------

UNKNOWN = {
    "np.busday_count(x, x)": "jitad does not know numpy.busday_count of traced arrays; .* or compute it outside of the function",
    "np.spacing(x)": "jitad does not know np.spacing of traced arrays",
    "special.mathieu_a(1, x)": "jitad does not know scipy.special.mathieu_a of traced arrays",
    "special.eval_legendre(2.5, x)": "for integers as operand 0 only",
    "np.frompyfunc(abs, 1, 1)(x)": "jitad does not know abs",
}


@pytest.mark.parametrize("code", UNKNOWN)
def test_unknown_functions_are_named(code):
    function = compiled(code)
    error = check_source(NotImplementedError, UNKNOWN[code], lambda: grad(lambda x: np.sum(function(x)))(X))
    assert code in str(error)


def compiled(code):
    """Return ``lambda x: <code>``, defined in a file of its own that the error must name."""
    source = f"def function(x):\n    return {code}\n"
    file = f"<written {len(linecache.cache)}>"
    linecache.cache[file] = len(source), None, source.splitlines(True), file
    scope = dict(globals())
    exec(compile(source, file, "exec"), scope)
    return scope["function"]


def check_source(kind, message, function):
    with pytest.raises(jitad.JitadError, match=message) as caught:
        function()
    assert isinstance(caught.value, kind)
    assert re.search(r"\n  at <written \d+>:2: return ", str(caught.value))
    return caught.value


def test_functions_of_other_libraries_are_named():
    check(TypeError, r"scipy\.special\.factorial2, which jitad does not know, needs the value", lambda: grad(special.factorial2)(X))
    check(TypeError, r"scipy\.linalg\.signm, which jitad does not know", lambda: grad(lambda x: np.sum(linalg.signm(x)))(np.eye(2)),
          line="linalg.signm(x)")


def test_attributes():
    check(AttributeError, "a traced array has no attribute 'byteswap'; jitad does not know this one of ndarray's",
          lambda: grad(lambda x: np.sum(x.byteswap()))(X), line="x.byteswap()")
    error = check(AttributeError, "no attribute 'summ'", lambda: grad(lambda x: x.summ())(X))
    assert error.name == "summ"


MISMATCHES = [
    "x + np.ones(4)", "x @ np.ones(4)", "np.ones((2, 2)) @ x", "np.dot(np.ones((2, 2)), x)", "np.inner(x, np.ones(2))",
    "np.concatenate([x, np.ones((2, 2))])", "np.stack([x, np.ones(2)])", "x.reshape(2, 2)", "x.reshape(-1, 2)", "np.sum(x, axis=1)",
    "np.broadcast_to(x, (2, 2))", "x[5]", "x[1, 1]", "x[1.0]", "x['a']", "x[np.array([True, False])]", "x[np.array([0, 9])]",
    "x.__setitem__(slice(2), np.ones(3))", "x.__setitem__(7, 1.0)", "np.linalg.solve(np.ones((2, 3)), x)", "np.linalg.inv(x)",
    "np.max(x[:0])", "np.where(x > 0, x, np.ones(2))", "np.split(x, 2)", "x.squeeze(0)", "np.einsum('ij', x)",
    "np.transpose(x, (0, 1))", "np.add(x, 1, 2, 3)", "x.swapaxes(0, 1)", "np.diff(x, n=-1)", "np.trace(x)", "x ** 'a'",
]  # fmt: skip


@pytest.mark.parametrize("code", MISMATCHES)
def test_mismatches_in_numpys_own_words(code):
    function = compiled(code)
    with pytest.raises(Exception) as numpys:  # noqa: PT011, B017
        function(X.copy())
    with pytest.raises(type(numpys.value)) as ours:
        jit(function)(X.copy())
    first = str(ours.value).split("\n  at ")[0]
    if isinstance(ours.value, jitad.JitadError):
        assert code in str(ours.value) and "<written" in str(ours.value)
    if "'a'" not in code and "(x)" not in code:
        assert first.split()[:5] == str(numpys.value).split()[:5], (first, str(numpys.value))


def test_shapes_in_full():
    check(ValueError, re.escape("operands could not be broadcast together with shapes (3,) (4,)"),
          lambda: grad(lambda x: np.sum(x + np.ones(4)))(X), line="np.ones(4)")
    check(ValueError, re.escape("shapes (2,2) and (3,) not aligned: 2 (dim 1) != 3 (dim 0)"),
          lambda: grad(lambda x: np.sum(np.dot(np.ones((2, 2)), x)))(X))
    check(IndexError, "index 5 is out of bounds for axis 0 with size 3", lambda: grad(lambda x: x[5])(X))
    check(np.exceptions.AxisError, "axis 1 is out of bounds for array of dimension 1", lambda: grad(lambda x: np.sum(x, axis=1))(X))
    check(np.linalg.LinAlgError, "Last 2 dimensions of the array must be square", lambda: jit(np.linalg.inv)(np.ones((2, 3))))


def untraceable(body):
    """Return a function without source, in which nothing is staged."""
    scope = {"np": np}
    exec(f"def function(x):\n    {body}", scope)
    return scope["function"]


VALUES = [
    ("return float(x[0])", "float() needs the value of a traced array (f64[])"),
    ("return int(x[0]) * x[0]", "int() needs the value"),
    ("return complex(x[0])", "complex() needs the value"),
    ("return x[0] if x[0] > 0 else x[1]", "a decision by if, while, and, or, not needs the value"),
    ("return x[0] > 0 and x[1]", "write np.where(condition, a, b)"),
    ("while x[0] > 1: x = x / 2", "a decision by if, while"),
    ("return [1, 2][x[0] > 0]", "only integer scalar arrays can be converted to a scalar index"),
    ("return np.zeros(3, dtype=int)[np.argmax(x):]", "must be known when the function is traced"),
    ("return np.array([x[0], x[1]])", "np.stack([x, y]) in place of np.array([x, y])"),
    ("return {x[0]: 1}", "hash(), the key of a dict or an element of a set needs the value"),
]


@pytest.mark.parametrize("body, message", VALUES)
def test_values_that_are_not_known_yet(body, message):
    with pytest.raises(jitad.JitadError) as caught:
        jit(untraceable(body))(X)
    assert isinstance(caught.value, TypeError) and message in str(caught.value)
    assert "\n  at <string>:2" in str(caught.value)
    assert any("traced without its source" in note for note in caught.value.__notes__)


def test_the_truth_of_arrays_is_ambiguous_as_in_numpy():
    check(ValueError, "The truth value of an array with more than one element is ambiguous", lambda: jit(lambda x: x or 1)(X))
    check(TypeError, "unhashable type: a traced array", lambda: jit(lambda x: {x: 1})(X))
    check(TypeError, "no values to be pickled", lambda: jit(pickle.dumps)(X))


# --- what outlives its trace --------------------------------------------------------------------------------------------------------


def test_leaked_arrays():
    kept = []

    def leaky(x):
        kept.append(x * 2)
        return np.sum(x)

    grad(leaky)(X)
    leaked = kept[0]
    message = r"a traced array \(f64\[3\]\) is used after the trace that made it has ended; return it from the traced function"
    check(RuntimeError, message, lambda: leaked + 1, line="leaked + 1")
    check(RuntimeError, message, lambda: np.sin(leaked))
    check(RuntimeError, message, lambda: jit(vector)(leaked))
    check(RuntimeError, message, lambda: grad(np.sum)(leaked))
    check(RuntimeError, message, lambda: jit(lambda x: x * leaked)(X))
    check(RuntimeError, message, lambda: jit(lambda x: leaked)(X))
    check(RuntimeError, "after the trace", lambda: float(leaked[0]))
    check(RuntimeError, "after the trace", lambda: leaked.__setitem__(0, 1.0))
    assert repr(leaked) == "Array(f64[3])" and leaked.shape == (3,)


def test_arrays_that_leak_from_an_inner_trace():
    def outer(x):
        kept = []
        jvp(lambda y: (kept.append(y * x), y)[1], (x,), (x,))
        return kept[0] + x

    check(RuntimeError, "after the trace that made it has ended", lambda: grad(outer)(2.0), line="kept[0] + x")


def test_random_numbers():
    generator = np.random.default_rng(0)
    message = "draws random numbers while the function is traced: once, and not at each call; pass the numbers as an argument"
    for draw in (lambda: np.random.rand(3), lambda: np.random.normal(size=3), lambda: generator.normal(size=3), random.random,  # noqa: NPY002
                 lambda: random.gauss(0, 1)):
        check(TypeError, message, lambda: jit(lambda x: x + draw())(X))  # noqa: B023


# --- values that are no arrays ------------------------------------------------------------------------------------------------------


def generator(x):
    yield x


def test_generators_and_other_results():
    check(TypeError, "generator is a generator function, which has no value to differentiate", lambda: grad(generator)(X))
    hint = "; return a list or a tuple of its elements"
    check(TypeError, "the function returns a generator, .*" + hint, lambda: jit(lambda x: (v for v in x))(X))
    check(TypeError, "the function returns a map, .*" + hint, lambda: jit(lambda x: map(np.sin, x))(X))
    check(TypeError, r"the function returns a set \(result\['a'\]\[0\]\), .*" + hint, lambda: jit(lambda x: {"a": [{1}]})(X))
    check(TypeError, r"the function returns a str \(result\[1\]\), which is neither an array nor", lambda: jit(lambda x: (x, ""))(X))
    check(TypeError, "the function returns a str", lambda: grad(lambda x: "")(X))
    check(TypeError, "the function returns a object", lambda: vmap(lambda x: object())(X))


DTYPES = [
    (np.array([1.0, None], object), "object; convert it with astype"),
    (np.zeros(3, [("a", float), ("b", int)]), r"pass its fields as arrays of their own"),
    (np.rec.array([(1.0,)], dtype=[("a", float)]), "pass its fields as arrays of their own"),
    (X.astype(np.float16), "float16; use float32 or float64"),
    (X.astype(np.longdouble), "use float32 or float64"),
    (X.astype(np.clongdouble), "use complex64 or complex128"),
    (np.float16(1), "float16; use float32"),
    (np.array(["2020-01-01"], "M8[D]"), r"datetime64\[D\]"),
    (np.array(["text"]), "<U4"),
]


@pytest.mark.parametrize("array, message", DTYPES, ids=lambda x: str(getattr(x, "dtype", "")))
def test_arrays_that_jitad_does_not_have(array, message):
    message = "jitad has no arrays of dtype .*" + message
    check(TypeError, message, lambda: jit(lambda x: x)(array), line="(array)")
    check(TypeError, message, lambda: grad(lambda x: x)(array))
    check(TypeError, message, lambda: vjp(lambda x: x, array))
    if isinstance(array, np.ndarray):
        check(TypeError, message, lambda: jit(lambda x: x + array)(1.0), line="x + array")
        check(TypeError, message, lambda: jit(lambda x: x.astype(array.dtype))(1.0), line="x.astype")


def test_arrays_that_compute_in_their_own_way():
    masked = np.ma.array([1.0, 2.0], mask=[True, False])
    check(TypeError, "jitad does not compute with MaskedArray; convert it to a plain array first", lambda: grad(np.sum)(masked))
    check(TypeError, "jitad does not compute with MaskedArray", lambda: jit(lambda x: x * masked)(1.0))


def test_arguments_that_are_no_keys():
    check(TypeError, "an argument of type set is neither an array nor a number nor hashable", lambda: jit(lambda x, s: x)(X, {1}))
    check(TypeError, "a static argument is part of a key and must be hashable, which a list is not; pass a tuple",
          lambda: jit(lambda x, s: x, static_argnums=1)(X, [1]))
    assert jit(lambda x, s: x * len(s) * s[0])(1.0, [2.0, 3.0]) == 4


# --- the classes themselves ---------------------------------------------------------------------------------------------------------


def test_every_error_is_jitads_and_pythons():
    errors = jitad.ir.errors
    for name, cls in vars(errors).items():
        if isinstance(cls, type) and issubclass(cls, errors.JitadError) and cls is not errors.JitadError:
            bases = [base for base in cls.__mro__ if base.__module__ == "builtins" and base not in (Exception, BaseException, object)]
            assert bases, name
            if hasattr(builtins, name):
                assert issubclass(cls, getattr(builtins, name))


def test_errors_survive_pickling():
    with pytest.raises(jitad.JitadError) as caught:
        grad(vector)(X)
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value) and type(again) is type(caught.value)


def test_errors_of_the_users_own_pass_through():
    def function(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        grad(function)(X)


RECORD, COUNTS = [], {"calls": 0}


class Walker:
    def __init__(self):
        self.place = 0.0

    def step(self, x):
        self.place = self.place + x


WALKER = Walker()


def noted(x):
    RECORD.append(1)
    return 2 * x


def test_objects_of_the_module_are_not_changed_once_for_all_trips():
    def through_a_helper(x):
        s = 0.0
        for i in range(3000):
            s += noted(x[i % 3])
        return s

    def in_a_branch(x):
        if x[0] > 0:
            RECORD.append(1)
        return x[0]

    for function in through_a_helper, in_a_branch:
        with pytest.raises(errors.ControlFlowError, match="a list gets or loses entries"):
            jitad.jit(function)(np.ones(3))
        assert RECORD == []

    def walk(x):
        WALKER.place = 0.0
        for i in range(3000):
            WALKER.step(x[i % 3])
            COUNTS["calls"] += 1
        return WALKER.place * COUNTS["calls"]

    np.testing.assert_allclose(jitad.jit(walk)(np.ones(3)), 3000.0 * 3000)
