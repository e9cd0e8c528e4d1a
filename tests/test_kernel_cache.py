"""Kernels are found again and never go stale; any array may be an input; threads may share a compiled function."""

import array
import collections
import dataclasses
import functools
import gc
import os
import subprocess
import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

import jitad
from jitad import custom_jvp, custom_vjp, grad, hvp, jit, jvp, linearize, value_and_grad, vjp

X = np.array([0.3, 0.7, 1.1])
counters = jitad.config.counters


@contextmanager
def expect(traces=None, compiles=None):
    """Expect so many traces and compilations."""
    before = counters.traces, counters.compiles
    yield
    assert traces is None or counters.traces - before[0] == traces, f"{counters.traces - before[0]} traces"
    assert compiles is None or counters.compiles - before[1] == compiles, f"{counters.compiles - before[1]} compilations"


nothing_new = functools.partial(expect, 0, 0)

# --- what is part of the signature --------------------------------------------------------------------------------------------------


def test_a_second_call_traces_and_compiles_nothing():
    function = grad(lambda x: np.sum(np.sin(x)))
    with expect(1, 1):
        function(X)
    calls = counters.calls
    with nothing_new():
        np.testing.assert_allclose(function(X + 1), np.cos(X + 1))
    assert counters.calls == calls + 1
    with expect(1, 1):
        np.testing.assert_allclose(function(np.ones(4)), np.cos(np.ones(4)))
    with expect(1, 1):
        function(X.astype("f"))
    with nothing_new():
        function(X), function(np.zeros(4)), function(X.astype("f"))


def test_functions_that_take_no_decorator_are_remembered():
    square = lambda x: np.sum(x**2)  # noqa: E731
    calls = [lambda: jvp(square, (X,), (X,)), lambda: vjp(square, X)[1](1.0), lambda: linearize(square, X)[1](X),
             lambda: hvp(square, (X,), (X,))]
    for call in calls:
        call()
    with nothing_new():
        for call in calls:
            call()


def test_scalars_are_values():
    function = grad(lambda x, scale: np.sum(x) * scale)
    for number in (1.0, 3, np.array(1.0), np.float32(1), True):
        function(X, number)
    with nothing_new():
        for number in (2.0, -0.0, np.inf, 5, -(2**40), np.array(2.5), np.float32(2), False):
            np.testing.assert_array_equal(function(X, number), np.full(3, float(number)))


def test_structure_is_part_of_the_signature():
    function = jit(lambda t: sum(t["x"]) if isinstance(t, dict) else t[0] * 2)
    assert function((1.0,)) == 2 and function([1.0]) == 2 and function({"x": (1.0, 2.0)}) == 3 and function({"x": [1.0]}) == 1
    with nothing_new():
        assert function((3.0,)) == 6 and function({"x": (4.0, 2.0)}) == 6
    order = jit(lambda t: [t[key] * k for k, key in enumerate(t)])
    assert order({"a": 1.0, "b": 2.0}) == [0, 2] and order({"b": 2.0, "a": 1.0}) == [0, 1]


def test_strings_and_functions_are_part_of_the_signature():
    function = jit(lambda x, how, name: how(x) if name == "yes" else x)
    np.testing.assert_allclose(function(X, np.sin, "yes"), np.sin(X))
    np.testing.assert_allclose(function(X, np.cos, "yes"), np.cos(X))
    np.testing.assert_allclose(function(X, np.cos, "no"), X)
    with nothing_new():
        np.testing.assert_allclose(function(X + 1, np.sin, "yes"), np.sin(X + 1))


@pytest.mark.parametrize("make", [int, np.int64, np.int32, np.array], ids=lambda make: make.__name__)
def test_integers_become_static_when_they_decide(make):
    slicing, creating = jit(lambda x, n: x[:n]), jit(lambda x, n: np.zeros(n + 1) + x[0])
    unrolled, deciding = grad(lambda x, n: sum(x**k for k in range(n))), jit(lambda x, n: x if n > 2 else -x)
    for n in (1, 3, 1):
        np.testing.assert_array_equal(slicing(X, make(n)), X[:n])
        assert creating(X, make(n)).shape == (n + 1,)
        np.testing.assert_allclose(unrolled(2.0, make(n)), sum(k * 2.0 ** (k - 1) for k in range(n)))
        np.testing.assert_array_equal(deciding(X, make(n)), X if n > 2 else -X)
    with nothing_new():
        for n in (1, 3):
            slicing(X, make(n)), creating(X, make(n)), unrolled(2.0, make(n)), deciding(X, make(n))


@pytest.mark.parametrize("make", [bool, np.bool, np.array], ids=lambda make: make.__name__)
def test_booleans_become_static_when_they_decide(make):
    function, value = jit(lambda x, flag: x if flag else -x), jit(lambda x, flag: np.where(flag, x, -x))
    for flag in (True, False, True):
        np.testing.assert_array_equal(function(X, make(flag)), X if flag else -X)
        np.testing.assert_array_equal(value(X, make(flag)), X if flag else -X)
    with nothing_new():
        function(X, make(False)), value(X, make(False))


def test_integers_become_static_through_nested_transformations():
    function = grad(lambda x, n: np.sum(jit(lambda y, m: y[: m - 1])(x, n)) + np.sum(jitad.vmap(lambda y: y * np.ones(n))(x)))
    np.testing.assert_array_equal(function(X, 2), [3, 2, 2])
    np.testing.assert_array_equal(function(X, 3), [4, 4, 3])


def test_static_arguments():
    power = jit(lambda x, n: x**n, static_argnums=1)
    last = jit(lambda x, n: [x] * n, static_argnums=-1)
    named = jit(lambda x, *, name, sizes: np.zeros(sizes) + x if name == "a" else x, static_argnames=("name", "sizes"))
    assert power(2.0, 3) == 8 and power(2.0, 2) == 4 and len(last(1.0, 2)) == 2
    assert named(1.0, name="a", sizes=(2, 3)).shape == (2, 3) and named(1.0, name="b", sizes=(2, 3)) == 1
    assert power(2, 1) == 2 and type(power(2.0, True)) is np.float64  # 1 and True are not the same
    with nothing_new():
        assert power(3.0, 3) == 27


def test_options_are_part_of_the_signature():
    function = jit(lambda x, y: x * y + 1)
    x = 1 + 2.0**-30
    function(x, x)
    try:
        jitad.config.strict = True
        with expect(1, 1):
            assert function(x, x) == x * x + 1
    finally:
        jitad.config.strict = False
    with nothing_new():
        function(x, x)


def test_equal_programs_share_a_kernel():
    with expect(2, 1):
        for _ in range(2):
            jit(lambda x: x * 3 + 1)(X)


# --- nothing captured goes stale ----------------------------------------------------------------------------------------------------


def check_fresh(function, *changes, retrace=None):
    """Compare with plain Python, after each change of what the function reads from outside."""
    compiled = jit(function)
    np.testing.assert_allclose(compiled(X), function(X))
    for change in changes:
        change()
        with expect(traces=None if retrace is None else int(retrace)):
            got = compiled(X)
        np.testing.assert_allclose(got, function(X), strict=True)
        with nothing_new():
            compiled(X)


def test_captured_arrays_are_read_at_each_call():
    c, frozen = np.array([1.0, 2, 3]), np.arange(6.0)[::2]
    check_fresh(lambda x: np.sin(c) * x + frozen, lambda: c.fill(5), lambda: c.__setitem__(0, 7), lambda: frozen.fill(1), retrace=False)
    loss = value_and_grad(lambda x: np.sum(np.exp(c - 5) * x**2))
    loss(X)
    c[:] = 5
    with nothing_new():
        np.testing.assert_allclose(loss(X)[1], 2 * X)
    value, pullback = vjp(lambda x: c * x, X)
    c[:] = 6
    np.testing.assert_allclose(pullback(X)[0], 5 * X)  # a pullback belongs to the point where it was made


def test_captured_integers_and_masks():
    k, index, mask = np.array([1, 2, 3]), np.array([0, 1]), np.array([True, False, True])
    check_fresh(lambda x: np.sin(k) * x, lambda: k.fill(4))
    check_fresh(lambda x: x[index], lambda: index.fill(2))
    check_fresh(lambda x: x[mask], lambda: mask.__setitem__(0, False), lambda: mask.fill(True))
    check_fresh(lambda x: np.where(mask, x, 0), lambda: mask.__setitem__(0, False))


def test_captured_arrays_that_decide():
    a = np.ones((2, 3))
    check_fresh(lambda x: x * float(a[0, 0]), lambda: a.fill(2))
    check_fresh(lambda x: x if a[0, 0] > 3 else -x, lambda: a.fill(4), lambda: a.fill(5))
    check_fresh(lambda x: x[: int(a[0, 0])], lambda: a.fill(2))
    check_fresh(lambda x: x @ np.linalg.inv(np.diag(a[0] * 2)), lambda: a.fill(3), retrace=False)


def test_captured_arrays_that_change_their_shape():
    c = np.array([1.0, 2, 3])

    def set_shape():
        c.shape = (3, 1)

    check_fresh(lambda x: x * c, set_shape)
    d = np.array([1.0, 2, 3])
    check_fresh(lambda x: x * np.sum(d), lambda: d.resize(2, refcheck=False), lambda: d.resize(9, refcheck=False))


scale, weights, mode = 2.0, np.ones(3), "sin"


def helper(x):
    return scale * x


def test_rebinding_of_globals():
    def bind(**values):
        return lambda: globals().update(values)

    check_fresh(lambda x: x * scale, bind(scale=3.0), bind(scale=np.float32(3)), bind(scale=3), bind(scale=np.ones(3)), bind(scale=2.0))
    check_fresh(lambda x: x * weights, bind(weights=2 * np.ones(3)), bind(weights=np.ones((2, 3))), bind(weights=4.0))
    check_fresh(lambda x: getattr(np, mode)(x), bind(mode="cos"))
    check_fresh(lambda x: helper(x) + 1, bind(scale=5.0), bind(helper=lambda x: 7 * x))
    check_fresh(lambda x: abs(-x), bind(abs=lambda x: 7 * x))
    del globals()["abs"]


def test_rebinding_what_comes_back_is_found_again():
    factor = 2.0
    function = jit(lambda x: factor * x)
    for value in (2.0, 3.0):
        factor = value
        function(X)
    factor = 2.0
    with nothing_new():
        np.testing.assert_array_equal(function(X), 2 * X)


def test_rebinding_in_closures():
    n, a = 2.0, np.ones(3)

    def function(x):
        return x * n * a

    def bind(value_n, value_a):
        nonlocal n, a
        n, a = value_n, value_a

    check_fresh(function, lambda: bind(3.0, a), lambda: bind(3.0, np.full(3, 4.0)), lambda: bind(2, a), lambda: bind(np.ones(3), a))


def test_defaults():
    def function(x, w=np.ones(3), *, n=2):  # noqa: B008
        return x * w**n

    check_fresh(function, lambda: function.__defaults__[0].fill(2), lambda: setattr(function, "__defaults__", (3 * np.ones(3),)),
                lambda: function.__kwdefaults__.update(n=3), lambda: setattr(function, "__kwdefaults__", {"n": 1}))


def test_containers():
    numbers, arrays, table = [1.0, 2.0], [np.ones(3), np.ones(3)], {"a": 1.0, "b": np.ones(3)}
    check_fresh(lambda x: sum(numbers) * x, lambda: numbers.append(3.0), lambda: numbers.__setitem__(0, 5.0), numbers.clear)
    check_fresh(lambda x: len(numbers) * x, lambda: numbers.append(3.0))
    check_fresh(lambda x: sum(w * k * x for k, w in enumerate(numbers)) + x, lambda: numbers.append(4.0))
    changes = [lambda: arrays.append(np.ones(3)), lambda: arrays[0].fill(3), lambda: arrays.__setitem__(1, np.zeros(3))]
    check_fresh(lambda x: sum(arrays) * x, *changes)
    check_fresh(lambda x: np.sum([a * x for a in arrays], axis=0), *changes)
    check_fresh(lambda x: np.stack(arrays).sum(0) * x, *changes)
    check_fresh(lambda x: sum(table.values()) * x, lambda: table.update(a=3.0), lambda: table["b"].fill(4), lambda: table.update(c=5.0))
    check_fresh(lambda x: x * 2 if "z" in table else x, lambda: table.update(z=1.0), lambda: table.pop("z"))
    check_fresh(lambda x: x * table.get("y", 2.0), lambda: table.update(y=1.0), lambda: table.pop("y"))
    check_fresh(lambda x: x * len(list(table)), lambda: table.update(y=1.0))
    chosen = {1, 2}
    check_fresh(lambda x: x * sum(chosen), lambda: chosen.add(5))


class Settings:
    def __init__(self):
        self.values = {"k": 2.0}

    def __len__(self):
        return len(self.values)

    def __float__(self):
        return self.values["k"]


def test_containers_of_other_classes():
    queue, numbers, frozen = collections.deque([1.0, 2.0]), array.array("d", [1.0, 2.0]), types.MappingProxyType({"a": [1.0]})
    users, chain, settings = collections.UserDict(a=1.0), collections.ChainMap({"a": 1.0}, {"b": 2.0}), Settings()
    check_fresh(lambda x: x * queue[0] * len(queue), lambda: queue.append(3.0), lambda: queue.__setitem__(0, 5.0))
    check_fresh(lambda x: x * numbers[0] * len(numbers), lambda: numbers.append(3.0), lambda: numbers.__setitem__(0, 5.0))
    check_fresh(lambda x: x * frozen["a"][0], lambda: frozen["a"].__setitem__(0, 5.0))
    check_fresh(lambda x: x * users["a"], lambda: users.update(a=5.0))
    check_fresh(lambda x: x * chain["b"], lambda: chain.update(b=5.0))
    check_fresh(lambda x: x * len(settings), lambda: settings.values.update(z=5.0))
    check_fresh(lambda x: x * float(settings), lambda: settings.values.update(k=5.0))


def test_nested_parameters():
    layers = [{"w": np.ones(3), "b": 2.0}]

    def network(x):
        for layer in layers:
            x = np.tanh(x * layer["w"] + layer["b"])
        return x

    check_fresh(network, lambda: layers[0].update(b=0.5), lambda: layers[0]["w"].fill(2), lambda: layers[0].update(w=np.zeros(3)),
                lambda: layers.append({"w": np.full(3, 0.1), "b": 0.1}), lambda: layers[1]["w"].fill(0.2), layers.pop)


def test_objects():
    class Thing:
        kind = 4.0

    thing, module = Thing(), types.ModuleType("module")
    thing.part = types.SimpleNamespace(value=2.0, array=np.ones(3))
    module.k, module.f = 2.0, lambda x: 2 * x
    check_fresh(lambda x: x * thing.part.value * thing.part.array, lambda: setattr(thing.part, "value", 3.0),
                lambda: thing.part.array.fill(2), lambda: setattr(thing, "part", types.SimpleNamespace(value=1.0, array=np.zeros(3))))
    check_fresh(lambda x: x * thing.kind, lambda: setattr(Thing, "kind", 3.0), lambda: setattr(thing, "kind", 9.0))
    check_fresh(lambda x: 2 * x if hasattr(thing, "flag") else x, lambda: setattr(thing, "flag", 1), lambda: delattr(thing, "flag"))
    check_fresh(lambda x: x * getattr(thing, "flag", 2.0), lambda: setattr(thing, "flag", 3.0), lambda: delattr(thing, "flag"))
    check_fresh(lambda x: 2 * x if isinstance(thing.part, Thing) else x, lambda: setattr(thing, "part", thing))
    check_fresh(lambda x: module.f(x) * module.k, lambda: setattr(module, "k", 3.0), lambda: setattr(module, "f", lambda x: 5 * x))


class Model:
    def __init__(self, scale):
        self.scale = scale
        self.weights = np.ones(3)
        self.layers = [1.0, np.ones(3)]

    @property
    def twice(self):
        return 2 * self.scale

    def predict(self, x):
        return x * self.weights * self.twice * self.layers[0]

    def __call__(self, x):
        return self.predict(x) + 1

    @value_and_grad(argnums=1)
    def loss(self, x):
        return np.sum(self.predict(x))


def test_methods_of_objects_whose_attributes_change():
    model, other = Model(2.0), Model(5.0)
    changes = [lambda: setattr(model, "scale", 3.0), lambda: model.weights.fill(7), lambda: setattr(model, "weights", 9 * np.ones(3)),
               lambda: model.layers.__setitem__(0, 2.0)]
    check_fresh(model.predict, *changes)
    check_fresh(model, *reversed(changes), lambda: setattr(model, "scale", 1.0))
    check_fresh(lambda x: model(x), lambda: setattr(model, "scale", 4.0))
    for one in (model, other, model):
        np.testing.assert_allclose(one.loss(X)[1], one.weights * one.twice * one.layers[0])
    other.scale = 8.0
    np.testing.assert_allclose(other.loss(X)[1], 16.0 * np.ones(3))
    with nothing_new():
        model.loss(X), other.loss(X)


def test_dataclasses_and_partial_functions():
    @dataclasses.dataclass
    class Settings:
        n: int
        w: np.ndarray

    settings, w = Settings(2, np.ones(3)), np.ones(3)
    check_fresh(lambda x: x * settings.n * settings.w, lambda: setattr(settings, "n", 3), lambda: settings.w.fill(5))
    check_fresh(functools.partial(lambda w, x: w * x, w), lambda: w.fill(3), retrace=False)


def test_rules():
    factor = 2.0

    @custom_jvp
    def function(x):
        return x * 1.0

    @function.defjvp
    def rule(primals, tangents):
        return function(*primals), factor * tangents[0]

    @custom_vjp
    def other(x):
        return x * 1.0

    other.defvjp(lambda x: (other(x), None), lambda _, ct: (factor * ct,))
    compiled = [grad(lambda x: function(x)), grad(other), lambda x: vjp(function, x)[1](1.0)[0], lambda x: vjp(other, x)[1](1.0)[0],
                lambda x: linearize(function, x)[1](1.0), lambda x: jvp(function, (x,), (1.0,))[1]]
    assert [f(1.0) for f in compiled] == [2.0] * 6
    factor = 3.0
    assert [f(1.0) for f in compiled] == [3.0] * 6
    function.defjvp(lambda primals, tangents: (function(*primals), 4.0 * tangents[0]))
    other.defvjp(lambda x: (other(x), None), lambda _, ct: (4.0 * ct,))
    assert [f(1.0) for f in compiled] == [4.0] * 6


def test_old_kernels_are_forgotten():
    n = 0
    function = jit(lambda x: x * n)
    for n in range(10):  # noqa: B007
        function(X)
    (plan,) = function.plans.values()
    assert sum(map(len, plan.entries.values())) <= 4


# --- inputs of all kinds ------------------------------------------------------------------------------------------------------------

BIG = np.arange(24.0).reshape(4, 6)
INPUTS = {
    "strided": BIG[::2, ::3],
    "transposed": BIG.T,
    "Fortran order": np.asfortranarray(BIG),
    "reversed": BIG[::-1, ::-1],
    "broadcast": np.broadcast_to(np.arange(3.0), (2, 3)),
    "byte-swapped": BIG.astype(">f8"),
    "no rows": np.zeros((0, 3)),
    "no columns": np.zeros((3, 0)),
    "one": np.ones((1, 1)),
    "0-d": np.array(2.0),
    "unaligned": np.frombuffer(b"x" + BIG.tobytes(), np.uint8)[1:].view("f8"),
    "read-only": np.frombuffer(BIG.tobytes()),
    "subclass": BIG.view(type("Kind", (np.ndarray,), {})),
    "single, strided and byte-swapped": BIG.astype(">f4")[:, ::2],
}


@pytest.mark.parametrize("x", INPUTS.values(), ids=INPUTS)
def test_inputs(x):
    plain = np.array(x).astype(x.dtype.newbyteorder("="))
    value, gradient = value_and_grad(lambda x: np.sum(x**2))(x)
    assert type(gradient) is np.ndarray and gradient.dtype == plain.dtype and gradient.flags.writeable
    np.testing.assert_allclose(value, np.sum(plain**2))
    np.testing.assert_allclose(gradient, 2 * plain, strict=True)
    np.testing.assert_allclose(jit(lambda: x + 1)(), plain + 1)
    assert np.array_equal(x, plain), "the input is not touched"


@pytest.mark.parametrize("char", "?bhilqBHILQfdFD")
def test_dtypes(char):
    x = np.array([0, 1, 1], char)
    got = jit(lambda x: (x, x + x, x == 1))(x)
    for ours, numpys in zip(got, (x, x + x, x == 1)):
        np.testing.assert_array_equal(ours, numpys, strict=True)


def test_results_do_not_share_memory():
    function = jit(lambda x: (x, x, x[1:]))
    one, two, three = function(X)
    one[:] = 0
    np.testing.assert_array_equal(X, [0.3, 0.7, 1.1])
    np.testing.assert_array_equal(two, X)
    np.testing.assert_array_equal(three, X[1:])
    assert function(X)[0] is not one


def test_arguments_that_share_memory():
    x = np.arange(4.0)
    np.testing.assert_array_equal(jit(lambda a, b: a + b)(x[1:], x[:-1]), x[1:] + x[:-1])
    np.testing.assert_array_equal(jit(lambda a: a + x)(x), 2 * x)


def test_an_array_that_is_changed_under_two_names_is_refused():
    """What NumPy would make of it depends on the order of reads and writes."""
    def change(a, b):
        a[0] = 9
        return b.sum()

    def change_captured(b):
        captured[0] = 9
        return b.sum()

    captured, x = np.ones(3), np.ones(6)
    jit(change)(x[::2], x[1::2])
    for call in (lambda: jit(change)(x, x), lambda: jit(change)(x[1:], x[:-1]), lambda: jit(change_captured)(captured),
                 lambda: jit(lambda a: change(a, captured))(captured)):
        with pytest.raises(ValueError, match="is changed in place, and its memory is used through another one"):
            call()
    assert captured.sum() == 3


def test_arrays_changed_in_place():
    def change(a):
        a[0] = 9
        return a.sum()

    for x in (np.ones((4, 4))[::2, 1], np.ones(4).astype(">f8"), np.ones((2, 2), order="F"), np.ones(3, np.float32)):
        expected = x.copy()
        value = change(expected)
        np.testing.assert_allclose(jit(change)(x), value)
        np.testing.assert_array_equal(x, expected)
    with pytest.raises(ValueError, match="read-only"):
        jit(change)(np.frombuffer(X.tobytes()))


# --- threads and recursion ----------------------------------------------------------------------------------------------------------


def test_threads_share_a_compiled_function():
    """With workspaces, by several signatures, from the first call on."""
    rng = np.random.default_rng(0)
    function = value_and_grad(lambda x: np.sum(np.sin(x @ x) @ np.cumsum(x, 0)))
    inputs = [rng.standard_normal((n, n)) for n in (30, 40) for _ in range(8)]
    start = threading.Barrier(8)

    def first(x):
        start.wait()
        return function(x)

    with ThreadPoolExecutor(8) as pool:
        with expect(2, 2):
            results = list(pool.map(first, inputs))
        for _ in range(20):
            for (value, gradient), (again, gradient_again) in zip(results, pool.map(function, inputs), strict=True):
                assert value == again and np.array_equal(gradient, gradient_again)
    for x, (value, gradient) in zip(inputs, results, strict=True):
        serial = function(x)
        assert serial[0] == value and np.array_equal(serial[1], gradient)


def test_threads_trace_different_functions_at_once():
    def work(k):
        return grad(lambda x: x**k * grad(lambda y: x * y)(2.0))(3.0)

    with ThreadPoolExecutor(6) as pool:
        np.testing.assert_allclose(list(pool.map(work, range(2, 14))), [(k + 1) * 3.0**k for k in range(2, 14)])


def test_kernels_release_the_gil():
    function = jit(lambda x: np.cumsum(np.sin(x) * x))
    x = np.linspace(0, 1, 4_000_000)
    function(x)
    finished = threading.Event()
    thread = threading.Thread(target=lambda: (function(x), function(x), finished.set()))
    thread.start()
    turns = 0
    while not finished.is_set():
        turns += 1
    thread.join()
    assert turns > 1000


@jit
def power(x, n):
    return 1.0 if n == 0 else x * power(x, n - 1)


@grad
def repeated(x, n):
    return x**3 if n == 0 else x * repeated(x, n - 1)


def test_recursion():
    assert power(2.0, 5) == 32
    assert repeated(2.0, 1) == 9 * 2.0**2
    assert grad(lambda x: power(x, 3))(2.0) == 12

    @jit
    def endless(x):
        return endless(x)

    with pytest.raises(RecursionError):
        endless(1.0)
    assert power(3.0, 2) == 9


def test_a_failure_leaves_nothing_behind():
    function = jit(lambda x, flag: x.no_such_attribute if flag == "bad" else np.cumsum(x) @ x)
    for _ in range(2):
        with pytest.raises(AttributeError):
            function(X, "bad")
        np.testing.assert_allclose(function(X, "good"), np.cumsum(X) @ X)
    with pytest.raises(jitad.JitadError):
        grad(lambda x: grad(lambda y: y * X)(x))(1.0)
    assert grad(lambda x: x * x)(3.0) == 6


def test_the_collector_is_as_it_was():
    """While a function is traced it leaves old objects alone, through nested calls and errors."""
    before, seen = gc.get_threshold(), []

    @jitad.jit
    def inner(x):
        return x + 1

    def function(x):
        seen.append(gc.get_threshold())
        inner(np.ones(3))
        seen.append(gc.get_threshold())
        if x.shape == (2,):
            raise ZeroDivisionError
        return x * inner(x)

    jitad.jit(function)(np.ones(3))
    with pytest.raises(ZeroDivisionError):
        jitad.jit(function)(np.ones(2))
    assert gc.get_threshold() == before and all(during[2] > 10**6 for during in seen)


def test_functions_of_kernels_outlive_the_tables_that_made_them():
    """As when a process ends: what they were made of must not be freed before them."""
    program = """
import jitad, numpy as np
from jitad.codegen import entry
function = jitad.jit(lambda x: np.sin(x))
function(np.ones(3))
entry._methods.clear()
bytes(32), [bytearray(32) for _ in range(1000)]
print(function(np.zeros(3)))
"""
    run = subprocess.run([sys.executable, "-c", program], env=os.environ | {"PYTHONMALLOC": "debug"}, capture_output=True, text=True)
    assert run.returncode == 0 and run.stdout == "[0. 0. 0.]\n"
