"""Rewritten functions mean what the originals mean, and a trace knows all that it read from outside."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gc
import importlib
import inspect
import linecache
import math
import re
import sys
import threading
import traceback
import types
from collections import deque, namedtuple

import numba
import numpy as np
import pytest

from jitad.frontend.calls import rewrite
from jitad.frontend.captures import Captures
from jitad.frontend.functions import is_rewritten, rewritten_code
from jitad.frontend.programs import describe, trace_function
from jitad.frontend.trees import flatten, unflatten
from jitad.ir import errors
from jitad.ir.interpreter import evaluate

WEIGHTS = np.array([1.0, 2.0, 3.0])
INDICES = np.array([2, 0])
RATE = 0.5
PARAMETERS = {"w": np.array([2.0, 1.0, 0.0]), "scale": 3.0, "nested": {"bias": np.array([1.0])}, "layers": [np.ones(3), np.ones(3)]}
counter = 0


class Trial:
    """A function traced on arguments: its value by the interpreter, and whether the trace is still valid."""

    def __init__(self, function, *args):
        self.leaves, treedef = flatten(args)
        with Captures() as self.captures:
            self.traced = trace_function(lambda *a: rewrite(function)(*a), [describe(x) for x in self.leaves], treedef)
        self.valid = self.captures.checker(self.traced.pinned)

    def value(self):
        arguments = [np.asarray(x) for x in self.leaves if not isinstance(describe(x), tuple) or hasattr(describe(x), "type")]
        outputs = evaluate(self.traced.program, *arguments, *[array for array, _ in self.traced.captured])
        return unflatten(self.traced.treedef, outputs)

    def primitives(self):
        return [equation.primitive.name for equation in self.traced.program.equations]


@contextlib.contextmanager
def changed(trial, container, key, value):
    """Within the block, an attribute or an item has another value, and the trial knows."""
    assert trial.valid()
    set_, get = (dict.__setitem__, dict.__getitem__) if isinstance(container, dict) else (
        (list.__setitem__, list.__getitem__) if isinstance(container, list) else (setattr, getattr))
    before = get(container, key)
    set_(container, key, value)
    assert not trial.valid()
    yield
    set_(container, key, before)
    assert trial.valid()


# --- functions that are run as they are, rewritten, and traced --------------------------------------------------------------------


class Base:
    factor = 2.0

    def scaled(self, x):
        return self.factor * x


class Model(Base):
    __secret = 4.0
    __array_ufunc__ = None

    def __init__(self, w=WEIGHTS, n=2):
        self.w = w
        self.n = n
        self.calls = 0
        self.stack = [w, w + 1]
        self.activation = np.tanh

    @property
    def total(self):
        return np.sum(self.w)

    @functools.cached_property
    def squares(self):
        return self.w**2

    @staticmethod
    def square(x):
        return x * x

    @classmethod
    def made(cls, w):
        return cls(w * 2)

    def __call__(self, x):
        return self.w * x

    def __matmul__(self, x):
        return self.w @ x

    def __rmul__(self, x):
        return x * self.w

    def __getitem__(self, k):
        return self.stack[k] * RATE

    def __iter__(self):
        for w in self.stack:
            yield w * RATE

    def scaled(self, x):
        self.calls += 1
        return super().scaled(x) + __class__.factor

    def own_name(self, x):
        return super(Model, self).scaled(x)  # noqa: UP008

    def loss(self, x):
        for _ in range(self.n):
            x = self.scaled(x) * self.__secret
        return np.sum(self.activation(self.w * x)) + self.total


MODEL = Model()
Pair = namedtuple("Pair", "a b")
PAIR = Pair(np.array([1.0, 4.0, 9.0]), 2.0)


@dataclasses.dataclass
class Settings:
    dt: float = 0.25
    grid: np.ndarray = dataclasses.field(default_factory=lambda: np.linspace(0.0, 1.0, 3))


SETTINGS = Settings()


def defines_class():
    class Inner:
        def method(self):
            return self

    return Inner


def doubled(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return 2 * function(*args, **kwargs)

    return wrapper


def plain(x):
    """A docstring."""
    y: np.ndarray = np.sin(WEIGHTS) * x
    return y.sum() / RATE


def defaults(x, w=WEIGHTS, *rest, k=PARAMETERS["w"], **named):
    return (x * w * k).sum() + len(rest) + len(named)


def nested(x):
    factor = 3.0

    def inner(y, power=2):
        nonlocal factor
        factor = factor + 1
        return y**power * factor + WEIGHTS

    return inner(x) + inner(x, power=3)


def loop_closures(x):
    functions = [lambda y, k=k: y * k * WEIGHTS for k in range(3)]
    late = [lambda y: y * k for k in range(3)]  # noqa: B023
    return sum(f(x) for f in functions).sum() + sum([f(x) for f in late]).sum()


def comprehensions(x):
    table = {k: v for k, v in zip("abc", x)}
    chosen = {k for k in table if k != "b"}
    matrix = [[a * b for a in x if a is not None] for b in WEIGHTS]
    return sum(table[k] for k in sorted(chosen)) + sum(map(sum, matrix)) + sum(w for w in PARAMETERS["layers"])[0]


def walrus(x):
    if (n := len(x)) > 2:
        x = x * n
    return [y := x.sum(), y**2][1] + any((last := k) > 1 for k in range(4)) * last


def starred(x):
    first, *rest = x
    args = (2, *[3])
    return np.add(*rest) * first + max(*args) + defaults(x, *[WEIGHTS, 1, 2], **{"z": 1, **{"q": 2}})


def statements(x):
    total = 0
    for k in range(10):
        if k == 2:
            continue
        if k > 5:
            break
        total += x[k % 3] * k
    else:
        total = None
    while total is None:
        pass
    try:
        raise KeyError("a")
    except KeyError as error:
        total = total + len(error.args)
    finally:
        total = total * RATE
    with contextlib.suppress(ZeroDivisionError):
        total = total + 1 / 0
    del k
    assert WEIGHTS.shape == (3,), "three weights"
    return total


def matching(x):
    def weight(shape):
        match shape:
            case {"kind": "circle", "r": r} if r > RATE:
                return r
            case [a, b, *_]:
                return a + b
            case str() as name:
                return len(name)
            case _:
                return 0

    return x * (weight({"kind": "circle", "r": 2}) + weight((1, 2, 3)) + weight("abc") + weight(None))


def formatted(x):
    name = f"{RATE:.1f}-{PARAMETERS['scale']!r}-{len(WEIGHTS)}"
    return x * len(name)


def writes_global(x):
    global counter
    counter += 1
    return x * 2


def recursion(x, depth=3):
    return x if depth == 0 else recursion(x * 2, depth - 1) + WEIGHTS


def containers(x):
    w = PARAMETERS["w"] * PARAMETERS["scale"] + PARAMETERS["nested"]["bias"]
    for name, value in PARAMETERS.items():
        if name == "w":
            w = w * value
    return (x * w).sum() + PARAMETERS.get("scale", 1.0) * np.stack(PARAMETERS["layers"]).sum() + np.sqrt(PAIR.a).sum() * PAIR[1]


def methods(x):
    bound = MODEL.scaled
    return MODEL.loss(x) + MODEL(x).sum() + bound(x).sum() + MODEL.square(x).sum() + Model.made(x).total + MODEL.squares.sum()


def operators(x):
    result = MODEL @ x + (2 * x * MODEL).sum() + MODEL[1].sum()
    for w in MODEL:
        result += w.sum()
    return result


def instances(x):
    model = Model(x * 2, n=1)
    settings = Settings(dt=x[0])
    model.w += 1
    model.stack[0] *= 2
    return model.loss(x) + settings.dt + settings.grid.sum() + SETTINGS.grid[1] + model.stack[0].sum()


def in_place(x):
    buffer = np.zeros(3)
    buffer[0] = x[0]
    buffer[1:] += x[1:]
    buffer *= WEIGHTS
    x = x.copy()
    x -= buffer
    return x


def integers(x):
    mask = np.array([True, False, True])
    picked = x[INDICES] * INDICES
    for k in INDICES:
        picked = picked + k
    return picked[: int(INDICES[0])].sum() + x[mask].sum() + picked[INDICES > 0].sum()


def concrete(x):
    if WEIGHTS[0] > 0 and not WEIGHTS.sum() > 100:
        x = x * int(WEIGHTS[1])
    order = np.polyfit(WEIGHTS, PARAMETERS["w"], 1)
    return x[WEIGHTS > 1] * order[0] + float(WEIGHTS[2])


def pythons_functions(x):
    ordered = sorted([3, 1, 2], key=lambda k: -k)
    mapped = list(map(plain, [x, x * 2]))
    reduced = functools.reduce(lambda a, b: a * b, list(x))
    scaled = functools.partial(defaults, w=WEIGHTS * 2)(x)
    kinds = isinstance(x, np.ndarray) + isinstance(x[0], float) + isinstance(x, list)
    return mapped[0] + mapped[1] + reduced + ordered[0] + math.sin(x[0]) + scaled + getattr(MODEL, "w").sum() + kinds  # noqa: B009


@doubled
def decorated(x):
    return x * RATE


@numba.njit
def jitted(x):
    total = 0.0
    for k in range(x.size):
        total += x[k] * WEIGHTS[k]
    return total


@numba.vectorize
def vectorized(x, y):
    return x * y + RATE


@numba.njit
def jitted_caller(x):
    return jitted(x) * 2


def with_numba(x):
    return jitted_caller(x) + vectorized(x, WEIGHTS).sum()


@functools.lru_cache
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def memory(x):
    return x * fibonacci(60)


def generator(n):
    for k in range(n):
        yield k, WEIGHTS[k] * RATE


def uses_generator(x):
    return sum([x[k] * w for k, w in generator(3)])


def imports(x):
    import math as m
    from math import pi

    return x * m.sqrt(pi)


def frames(x):
    frame = sys._getframe()
    return x * frame.f_lineno + len(locals()) + len(eval("[x, frame]"))


CASES = [
    plain, defaults, nested, loop_closures, comprehensions, walrus, starred, statements, matching, formatted, writes_global, recursion,
    containers, methods, operators, instances, in_place, integers, concrete, pythons_functions, decorated, with_numba, memory,
    uses_generator, imports, frames, MODEL, MODEL.loss, functools.partial(defaults, k=WEIGHTS), (lambda x: x * WEIGHTS), jitted,
]  # fmt: skip


@pytest.mark.parametrize("function", CASES, ids=lambda function: getattr(function, "__name__", type(function).__name__))
def test_same_meaning(function):
    x = np.array([0.5, 0.25, -1.5])
    expected = function(x)
    np.testing.assert_allclose(rewrite(function)(x), expected, rtol=1e-14)
    trial = Trial(function, x)
    np.testing.assert_allclose(trial.value(), expected, rtol=1e-13)
    assert trial.valid()


@pytest.mark.parametrize("function", [plain, nested, loop_closures, containers, methods, operators, recursion])
def test_captured_arrays_are_read_at_each_call(function):
    x = np.array([0.5, 0.25, -1.5])
    trial = Trial(function, x)
    arrays = [WEIGHTS, PARAMETERS["w"], *PARAMETERS["layers"]]
    before = [array.copy() for array in arrays]
    for array in arrays:
        array += 0.75
    assert trial.valid()
    np.testing.assert_allclose(trial.value(), function(x), rtol=1e-13)
    for array, values in zip(arrays, before):
        array[...] = values


# --- looks ------------------------------------------------------------------------------------------------------------------------


def test_rewritten_function_looks_like_the_original():
    for function in (defaults, Model.scaled, nested):
        copy = rewrite(function)
        for name in ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__", "__globals__", "__dict__"):
            assert getattr(copy, name) == getattr(function, name)
        assert copy.__globals__ is function.__globals__
        assert copy.__closure__ == function.__closure__
        assert copy.__code__.co_filename == __file__ and copy.__code__.co_firstlineno == function.__code__.co_firstlineno
        assert (copy.__code__.co_flags ^ function.__code__.co_flags) in (0, inspect.CO_NESTED)
        assert copy.__code__.co_varnames == function.__code__.co_varnames
    assert rewrite(nested)(1.0).shape == (3,)
    assert rewrite(defines_class)().__qualname__ == "defines_class.<locals>.Inner"
    assert rewrite(Model.own_name)(MODEL, 1) == 2.0
    inner = next(const for const in rewrite(nested).__code__.co_consts if isinstance(const, types.CodeType))
    assert inner.co_qualname == "nested.<locals>.inner"


def test_closures_share_their_cells():
    def make():
        total = 0

        def add(x):
            nonlocal total
            total += x
            return total

        return add, lambda: total

    add, get = make()
    assert rewrite(add)(3) == 3 and get() == 3
    add(4)
    assert rewrite(get)() == 7


def test_lambdas_on_one_line():
    first, second, third = (lambda x: x + 1), (lambda x: x + 2), (lambda x: (lambda y: y + 3)(x))  # fmt: skip
    assert [rewrite(f)(0) for f in (first, second, third)] == [1, 2, 3]
    same = [lambda x: x * WEIGHTS, lambda x: x * WEIGHTS]
    columns = [next(c for *_, c, _ in rewrite(f).__code__.co_positions() if c) for f in same]
    assert columns == [next(c for *_, c, _ in f.__code__.co_positions() if c) for f in same]


def test_future_flags_are_kept():
    source = "from __future__ import annotations\ndef f(x):\n    def g(y: NoSuchName): return y\n    return g(x), g.__annotations__\n"
    f = defined("f", source)
    assert rewrite(f)(1) == (1, {"y": "NoSuchName"})


def defined(name, source, **names):
    """Define a function as a notebook does: with its source in ``linecache``."""
    file = f"<cell {name} {len(linecache.cache)}>"
    linecache.cache[file] = len(source), None, source.splitlines(True), file
    names["__name__"] = "cells"
    exec(compile(source, file, "exec", dont_inherit=True), names)
    return names[name]


def test_cells_of_a_notebook():
    f = defined("f", "def f(x):\n    return np.sin(c) * x\n", np=np, c=WEIGHTS)
    trial = Trial(f, 2.0)
    assert trial.primitives() == ["sin", "mul"]
    with changed(trial, f.__globals__, "c", WEIGHTS * 2):
        pass


def test_code_that_does_not_come_from_its_file():
    source = "def f(x):\n    return x + 1\n"
    f = defined("f", source)
    linecache.cache[f.__code__.co_filename] = len(source), None, source.replace("1", "2").splitlines(True), f.__code__.co_filename
    assert rewrite(f)(1) == 2


def test_modules_that_are_edited_and_imported_again(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "edited_module.py"
    file.write_text("def f(x):\n    return x + 1\n")
    module = importlib.import_module("edited_module")
    assert rewrite(module.f)(1) == 2 and is_rewritten(rewrite(module.f).__code__)
    old = module.f
    file.write_text("# a comment in front\n\ndef f(x):\n    return x + 20\n")
    assert rewrite(importlib.reload(module).f)(1) == 21 and is_rewritten(rewrite(module.f).__code__)
    rewritten_code.entries.clear()
    assert rewrite(old)(1) == 2 and not is_rewritten(rewrite(old).__code__)


def test_deeply_nested_expressions():
    f = defined("f", f"def f(x):\n    return {' + '.join(['x'] * 2000)}\n")
    assert rewrite(f)(1) == 2000


# --- where errors are -------------------------------------------------------------------------------------------------------------


def failing(x):
    y = x * 2
    return helper_that_fails(
        y)


def helper_that_fails(y):
    z = [y]
    return z[3]


def test_tracebacks_show_the_users_lines():
    for run in (lambda: rewrite(failing)(1.0), lambda: Trial(failing, 1.0)):
        with pytest.raises(IndexError) as caught:
            run()
        lines = [(entry.name, entry.line) for entry in traceback.extract_tb(caught.value.__traceback__) if entry.filename == __file__]
        assert lines[-2][0] == "failing" and lines[-2][1].startswith("return helper_that_fails(")
        assert lines[-1] == ("helper_that_fails", "return z[3]")


def test_decisions_of_code_that_cannot_be_rewritten_are_refused_with_the_line():
    def decides_by_name(x):
        return [x, -x][bool(vars())] if x[0] > 0 else -x

    with pytest.raises(errors.ConcreteValueError, match="np.where") as caught:
        Trial(decides_by_name, np.ones(2))
    assert "if x[0] > 0" in str(caught.value) and re.search(r"test_syntax\.py:\d+", str(caught.value))


@pytest.mark.parametrize("source", ["return x if x > 0 else -x", "return x > 0 and x", "return not x", "assert x"])
def test_every_kind_of_decision(source):
    f = defined("f", f"def f(x):\n    {source}\n")
    assert Trial(f, 1.0).value() == f(1.0)


def test_what_cannot_be_traced():
    async def coroutine(x):
        return x

    for function, kind in ((generator, "generator"), (coroutine, "coroutine")):
        with pytest.raises(TypeError, match=f"{kind} function"):
            rewrite(function)
    with pytest.raises(TypeError, match="a function is needed"):
        rewrite(3)


# --- without source ---------------------------------------------------------------------------------------------------------------


def executed(source, **names):
    exec(source, names)
    return names["f"]


def test_functions_without_source():
    offset = np.array([1.0, 1.0, 1.0])
    f = executed("def f(x):\n    return np.sin(c) * x + helper(x) + sum(parts)", np=np, c=WEIGHTS, helper=plain, parts=[offset])
    x = np.array([1.0, 2.0, 3.0])
    trial = Trial(f, x)
    offset += 1
    np.testing.assert_allclose(trial.value(), f(x))
    with changed(trial, f.__globals__, "c", offset):
        pass
    g = executed("def outer(c):\n    def g(x):\n        return x * c\n    return g\nf = outer(c)", c=WEIGHTS)
    trial = Trial(g, x)
    np.testing.assert_allclose(trial.value(), g(x))
    assert len(trial.traced.captured) == 1
    h = executed("def f(x):\n    global n\n    n = n + 1\n    return x * n", n=1)
    Trial(h, x)
    assert h.__globals__["n"] == 2


def test_errors_say_that_the_source_is_missing():
    with pytest.raises(errors.ConcreteValueError) as caught:
        Trial(executed("def f(x):\n    return x if x > 0 else -x"), 1.0)
    assert any("traced without its source" in note for note in caught.value.__notes__)


# --- what was read is guarded -----------------------------------------------------------------------------------------------------


def test_names_and_items_that_change():
    x = np.ones(3)
    names = globals()
    with changed(Trial(plain, x), names, "RATE", 0.75):
        pass
    with changed(Trial(plain, x), names, "WEIGHTS", WEIGHTS * 2):
        pass
    with changed(Trial(pythons_functions, x), names, "plain", lambda x: x):
        pass
    trial = Trial(containers, x)
    for container, key, value in [(PARAMETERS, "scale", 4.0), (PARAMETERS, "w", np.ones(3)), (PARAMETERS["nested"], "bias", np.ones(1)),
                                  (PARAMETERS["layers"], 1, np.zeros(3)), (names, "PARAMETERS", {}), (names, "PAIR", PAIR)]:
        if value is not PAIR:
            with changed(trial, container, key, value):
                pass
    PARAMETERS["more"] = 1
    assert not trial.valid()
    del PARAMETERS["more"]
    assert trial.valid()
    trial = Trial(comprehensions, x)
    names["sum"] = sum
    assert not trial.valid()
    del names["sum"]


def test_equal_numbers_are_no_change():
    trial = Trial(plain, np.ones(3))
    names = globals()
    names["RATE"] = float("0.5")
    assert trial.valid()
    for other in (np.float64(0.5), 1, -0.5):
        with changed(trial, names, "RATE", other):
            pass
    f = defined("f", "def f(x):\n    return x * a", a=float("nan"))
    trial = Trial(f, 1.0)
    f.__globals__["a"] = float("nan")
    assert trial.valid()
    f.__globals__["a"] = 0.0
    trial = Trial(f, 1.0)
    with changed(trial, f.__globals__, "a", -0.0):
        pass


def test_attributes_that_change():
    x = np.ones(3)
    trial = Trial(methods, x)
    for attribute, value in [("w", WEIGHTS * 2), ("n", 3), ("activation", np.sin), ("factor", 3.0)]:
        with changed(trial, MODEL if attribute != "factor" else Base, attribute, value):
            pass
    with changed(trial, Model, "scaled", Base.scaled):
        pass
    with changed(trial, Model, "_Model__secret", 5.0):
        pass
    with changed(trial, Model.scaled, "__code__", (lambda self, x: x).__code__.replace(co_freevars=("__class__",))):
        pass
    recent = deque([np.ones(3), np.ones(3)], maxlen=2)
    trial = Trial(lambda x: x * sum(recent) + recent[0], x)
    np.testing.assert_array_equal(trial.value(), [3.0, 3.0, 3.0])
    recent.append(x)
    assert not trial.valid()
    trial = Trial(lambda x: x * SETTINGS.dt + SETTINGS.grid, x)
    with changed(trial, SETTINGS, "dt", 0.5):
        pass
    trial = Trial(MODEL.loss, x)
    with changed(trial, MODEL, "w", x):
        pass
    trial = Trial(operators, x)
    with changed(trial, MODEL.stack, 1, x):
        pass


def test_modules_of_the_user():
    module = types.ModuleType("settings_of_the_user")
    module.__file__ = __file__
    module.constant, module.array = 2.0, np.ones(3)
    trial = Trial(lambda x: x * module.constant + module.array, np.ones(3))
    with changed(trial, module, "constant", 3.0):
        pass
    with changed(trial, module, "array", np.zeros(3)):
        pass
    module.array += 1
    np.testing.assert_array_equal(trial.value(), [4.0, 4.0, 4.0])


def test_closures_that_change():
    def make(a, parts):
        def f(x):
            return x * a + sum(parts)

        def set_a(value):
            nonlocal a
            a = value

        return f, set_a

    f, set_a = make(2.0, [1.0, 2.0])
    trial = Trial(f, 1.0)
    set_a(3.0)
    assert not trial.valid()
    set_a(2.0)
    assert trial.valid()
    f.__closure__[1].cell_contents[0] = 5.0
    assert not trial.valid()


def test_integers_and_decisions_are_pinned():
    x = np.array([1.0, 2.0, 3.0])
    trial = Trial(integers, x)
    INDICES[0] = 1
    assert not trial.valid()
    INDICES[0] = 2
    assert trial.valid()
    trial = Trial(concrete, x)
    WEIGHTS[0] = 1.5
    assert not trial.valid()
    WEIGHTS[0] = 1.0
    assert trial.valid()
    assert Trial(plain, x).traced.pinned == []


def test_what_a_function_itself_changes_is_not_guarded():
    trial = Trial(MODEL.scaled, np.ones(3))
    assert trial.valid()
    assert not any(guard.key == "calls" for guard in trial.captures.guards.values())


def test_unread_branches_are_not_guarded():
    f = defined("f", "def f(x):\n    if flag:\n        x = x * unread\n    return x", flag=False, unread=1.0)
    trial = Trial(f, 1.0)
    f.__globals__["unread"] = 2.0
    assert trial.valid()
    with changed(trial, f.__globals__, "flag", True):
        pass


def test_captured_arrays_that_are_written():
    buffer = np.zeros(3)
    holder = types.SimpleNamespace(total=np.zeros(3))

    def f(x):
        buffer[:] = 0
        buffer[1] = x[0]
        holder.total += buffer
        return holder.total * 2 + buffer

    trial = Trial(f, np.array([3.0]))
    np.testing.assert_array_equal(trial.value(), [0.0, 9.0, 0.0])
    assert {id(array) for array, _ in trial.captures.written()} == {id(buffer), id(holder.total)}
    assert type(holder.total) is np.ndarray and not holder.total.any() and not buffer.any()


def test_arrays_that_share_memory():
    base = np.zeros(4)
    view, apart = base[1:], base[::2]
    read = Trial(lambda x: x * view[:2] + base[:2], np.ones(2))
    base += 1
    np.testing.assert_array_equal(read.value(), [2.0, 2.0])

    def writes(x):
        view[:] = x
        return base + x

    with pytest.raises(NotImplementedError, match="shares its memory"):
        Trial(writes, 1.0)

    def writes_apart(x):
        apart[:] = x
        return others + x

    others = base[1::2]
    np.testing.assert_array_equal(Trial(writes_apart, 1.0).value(), [2.0, 2.0])


def test_arrays_of_other_kinds():
    things = np.array([2.0, "a", None], dtype=object)
    table = np.array([(1.0, 2)], dtype=[("a", "f8"), ("b", "i4")])
    masked = np.ma.array([3.0, 4.0], mask=[False, True])

    def f(x):
        return x * things[0] + (things[1] == "a") * table["a"][0] + float(masked[0])

    trial = Trial(f, 1.0)
    assert trial.value() == f(1.0)
    things[0] = 3.0
    assert not trial.valid()
    trial = Trial(f, 1.0)
    table["a"] = 5.0
    assert not trial.valid()


def test_inherited_attributes():
    class A:
        size = 2.0
        offset = np.zeros(3)

        @property
        def rate(self):
            return self.factor

        def __setattr__(self, name, value):
            super().__setattr__(name, value)

    class B(A):
        factor = 3.0

        @property
        def rate(self):
            return super().rate + 1

        def f(self, x):
            return x * self.rate * super().size + super().offset

    b = B()
    b.factor = 4.0
    trial = Trial(b.f, np.ones(3))
    np.testing.assert_array_equal(trial.value(), b.f(np.ones(3)))
    with changed(trial, b, "factor", 5.0):
        pass
    with changed(trial, A, "size", 5.0):
        pass
    A.offset += 1
    np.testing.assert_array_equal(trial.value(), b.f(np.ones(3)))
    B().other = 1
    Trial(lambda x: setattr(b, "z", 1) or x, 1.0)


def test_nested_traces_share_what_they_read():
    def inner(y):
        return np.sum(WEIGHTS * y) * RATE

    def outer(x):
        with Captures() as captures:
            leaves, treedef = flatten((x,))
            traced = trace_function(lambda y: rewrite(inner)(y), [describe(leaf) for leaf in leaves], treedef)
        assert any(guard.key == "RATE" for guard in captures.guards.values())
        assert len(traced.program.equations) == 3
        return x * WEIGHTS

    trial = Trial(outer, np.ones(3))
    assert len(trial.traced.captured) == 1
    with changed(trial, globals(), "RATE", 0.75):
        pass


def test_threads_trace_independently():
    results = []
    threads = [threading.Thread(target=lambda: results.append(Trial(containers, np.ones(3)).value())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [containers(np.ones(3))] * 4


# --- cost -------------------------------------------------------------------------------------------------------------------------


def test_code_is_rewritten_once_and_forgotten_with_its_function():
    rewritten_code.entries.clear()
    f = defined("f", "def f(x):\n    return x + 1\n")
    assert rewrite(f).__code__.co_consts and len(rewritten_code.entries) == 1
    rewrite(f)
    rewrite(types.FunctionType(f.__code__, {}))
    assert len(rewritten_code.entries) == 1
    del f
    gc.collect()
    assert len(rewritten_code.entries) == 0


@pytest.mark.parametrize("name", [__name__, "asyncio.base_events", "csv", "fractions", "numpy.ma.core", "statistics", "typing", "zipfile"])
def test_source_of_every_function_is_found(name):
    module = importlib.import_module(name)
    places = [vars(module), *[vars(cls) for cls in vars(module).values() if isinstance(cls, type) and cls.__module__ == name]]
    functions = [x for place in places for x in place.values() if isinstance(x, types.FunctionType)]
    functions = [function for function in functions if function.__code__.co_filename == module.__file__]
    assert len(functions) > 5
    for function in functions:
        assert isinstance(rewritten_code(function.__code__, function.__globals__), types.CodeType), function
