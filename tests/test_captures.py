"""Nothing that a function reads from outside goes stale in its kernels."""

import array
import collections
import dataclasses
import functools
import types

import numpy as np
import pytest
from counted import expect, nothing_new
from traced import trace

from jitad import custom_jvp, custom_vjp, grad, jit, jvp, linearize, show, value_and_grad, vjp
from jitad.ir.interpreter import evaluate

X = np.array([0.3, 0.7, 1.1])


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
        c.resize((3, 1), refcheck=False)

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


# --- arrays made while tracing -------------------------------------------------------------------------------------------------------


def primitives(function, *args):
    return [equation.primitive.name for equation in trace(function, *args).program.equations]


def test_arrays_that_nobody_else_can_reach_are_no_inputs():
    def field(x):
        columns, rows = np.meshgrid(np.arange(3), np.arange(4))
        again = np.meshgrid(np.arange(3), np.arange(4))[0]
        weights, same = np.linspace(0, 1, 3), np.linspace(0, 1, 3)
        return x * columns + x * rows * np.arange(3.0) - x * again * weights * same * np.full(3, 0.1)

    x = np.random.default_rng(0).random((4, 3))
    np.testing.assert_allclose(jit(field)(x), field(x), rtol=1e-14)
    traced = trace(field, x)
    assert len(traced.captured) == 1 and len(traced.program.inputs) == 2
    np.testing.assert_array_equal(evaluate(traced.program, x, traced.captured[0][0])[0], field(x))


@pytest.mark.parametrize("array", [
    np.arange(6).reshape(2, 3), np.arange(6.0)[::-1].copy(), np.array([[5, 3, 1]]), np.full((2, 2), np.nan), np.array([0.0, -0.0]),
    np.array([1, 2, 4]), np.arange(3) * 0.1, np.array([2**62, 0]), np.array([1e300, -1e300]), np.zeros((0, 2)),
    np.array([True, False]), np.arange(3) * 1j, np.arange(2**24 - 2, 2**24 + 2).astype("f"), np.array(7),
], ids=str)  # fmt: skip
def test_arrays_made_while_tracing_keep_their_bits(array):
    def f(x):
        return x, array.copy()

    result = trace(f, 1.0)
    found = evaluate(result.program, np.float64(1.0), *[value for value, _ in result.captured])[1]
    assert found.tobytes() == array.astype(found.dtype).tobytes()


def test_arrays_that_others_have_are_read_at_each_call():
    kept = []

    def keeps(x):
        kept.append(np.arange(3.0))
        return x * kept[-1] + x * np.arange(3.0)

    compiled = jit(keeps)
    np.testing.assert_array_equal(compiled(np.ones(3)), [0.0, 2.0, 4.0])
    kept[-1][:] = 5.0
    np.testing.assert_array_equal(compiled(np.ones(3)), [5.0, 6.0, 7.0])


def test_arrays_that_change_while_tracing():
    def f(x):
        k = np.arange(3)
        first = x * k
        k[0] = 7
        return first + x * k

    np.testing.assert_array_equal(jit(f)(np.ones(3)), f(np.ones(3)))


def test_equal_operands_of_loops_and_branches_are_one():
    def f(x):
        for _ in range(50):
            if x[0] > -5:
                a, b = np.floor(x - np.arange(90)), np.floor(x - np.arange(90))
                x = 0.5 * x + 0.1 * np.sin(a) * b
        return x

    x = np.linspace(-2.0, 80.0, 90)
    np.testing.assert_allclose(jit(f)(x), f(x), rtol=1e-12)
    assert show(f, x, stage="loops").count("floor") == 1


class Scaled:
    def __init__(self, value):
        self.value = value

    def twice(self):
        return type(self)(self.value * 2)


def test_types_of_traced_values():
    def f(x, y):
        number, kind = type(x[0]), type(y)
        assert number is np.float64 and kind is float and type(x) is np.ndarray
        return np.sum(x ** number(2)) * kind(0.5) + number(x[0]) * Scaled(kind(y)).twice().value

    args = np.array([1.0, 2.0]), 3.0
    np.testing.assert_allclose(jit(f)(*args), f(*args))
    for gradient, expected in zip(grad(f, (0, 1))(*args), ([7.0, 2.0], 2.0), strict=True):
        np.testing.assert_allclose(gradient, expected)
