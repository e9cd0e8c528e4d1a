"""Functions whose source is rewritten, and `Trial`, which traces them: helpers of the tests."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import linecache
import math
import sys
from collections import namedtuple

import numba
import numpy as np

from jitad.frontend.hooks.calls import rewrite
from jitad.frontend.tracing.captures import Captures
from jitad.frontend.tracing.programs import describe, trace_function
from jitad.frontend.tracing.trees import flatten, unflatten
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
        self.valid = self.captures.check(self.traced.pinned).holds

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


def defined(name, source, **names):
    """Define a function as a notebook does: with its source in ``linecache``."""
    file = f"<cell {name} {len(linecache.cache)}>"
    linecache.cache[file] = len(source), None, source.splitlines(True), file
    names["__name__"] = "cells"
    exec(compile(source, file, "exec", dont_inherit=True), names)
    return names[name]
