"""Values that are None on one path and a number on another, and strings, functions and constants chosen by what is known at run time."""

import dataclasses
import enum

import numpy as np
import pytest

import jitad
from jitad.ir import errors

COEFFICIENTS = (1.0, 2.5, -3.0, 0.5)
TABLE = {0: (2.0, np.sin), 3: (-1.0, np.cos), 7: (0.5, np.tanh)}
NAMED = {"grow": 1.5, "fall": -0.5, "stay": 0.25}


class Mode(enum.Enum):
    LINEAR = 1
    SQUARE = 2


class Layer:
    """An object among constants."""

    def __init__(self, depth, speed):
        self.depth = depth
        self.speed = speed

    def time(self, way):
        return way / self.speed


@dataclasses.dataclass
class Sheet:
    """The same as a dataclass."""

    depth: float
    speed: float


def least_positive(v):
    """A number that is None until there is one."""
    best = place = None
    for i in range(40):
        e = np.sin(v[0] * i) + v[1]
        if e > 0 and (best is None or e < best):
            best, place = e, i
    if best is None:
        return v[0]
    return best * 2 + place * v[2]


def first_positive(v):
    for e in v:
        if e > 0:
            return e


def of_helper(v):
    found = first_positive(v)
    if found is not None:
        return found**2
    return v[1]


def bracket(v):
    """Both of two values are None, or none is."""
    low, high = None, None
    for i in range(len(v) - 1):
        if v[i] * v[i + 1] < 0:
            low, high = v[i], v[i + 1]
            break
    return v.sum() if low is None else low * high


def entries(v):
    best = {"value": None, "count": 0}
    for e in v:
        if e > -1 and (best["value"] is None or e > best["value"]):
            best["value"] = e
            best["count"] += 1
    return best["value"] * best["count"] if best["value"] is not None else v[0]


def defaults(v):
    def scaled(x, factor=None, offset=None):
        factor = factor or 0.5
        if offset is None:
            return x * factor
        return x * factor + np.sum(offset)

    return scaled(v[0], None if v[0] < 0 else v[3]) + scaled(v[1], v[2]) + scaled(v[2], offset=v if v[1] > v[0] else None)


def states(v):
    """A string that a loop carries."""
    state, s, turns = "grow", abs(v[0]), 0
    for _ in range(300):
        if state == "grow":
            s = s * 1.1 + 0.01
            if s > 5:
                state = "fall"
        elif state in ("fall", "stay"):
            s = s * 0.9
            turns += 1
            if s < 1:
                state = "grow" if turns < 30 else "stay"
    return s * NAMED[state] + turns * v[1]


def functions(v):
    """Functions, enumerations and tuples chosen by conditions."""
    def square(t):
        return t * t * v[2]

    f = np.sin if v[0] > 0 else square
    mode = Mode.LINEAR if v[1] > v[0] else Mode.SQUARE
    factor, g = (2.0, np.cos) if v[3] > 0 else (3.0, square)
    match mode:
        case Mode.LINEAR:
            y = f(v[1])
        case Mode.SQUARE:
            y = f(v[1]) ** 2
    return y + factor * g(v[2])


def arrays_of_tuples(v):
    """np.array of what is None until there is a tuple."""
    best, pair = np.inf, None
    for k in range(30):
        if v[k % 4] * k < best:
            best, pair = v[k % 4] * k, (k, v[k % 4])
    return np.array(pair) @ np.asarray(pair, float) + best


def functions_of_a_loop(v):
    """Functions that each trip defines anew, one of which is called after the loop."""
    t, x = 0.0, v[0]
    while t < 1.0 + x * 0:
        step = 0.2 + 0.1 * t

        def slope(y):
            rate = y * t  # noqa: B023
            return np.sin(rate) + v[1]

        half = lambda y, f=0.5: y + f * step * slope(y)  # noqa: B023, E731
        x = x + step * slope(half(x))
        t += step
    return half(x) + slope(v[2])


def constants(v):
    """Tuples, dicts and lists of numbers, functions and objects, asked for by traced numbers."""
    total, layers = 0.0, [Layer(1.0, 2.0), Layer(0.7, v[3] + 2), Layer(3.0, 1.0)]
    for i in range(40):
        k = int(abs(np.sin(i * v[0])) * 3.99)
        factor, f = TABLE[3 if k == 1 else 7 if k else 0]
        total += COEFFICIENTS[k] * f(v[1]) * factor + [np.sin, np.cos, abs, np.tanh][k](v[2]) + TABLE.get(k, (1.0, None))[0]
    way, k = abs(v[0]) * 3, 0
    while k < 2 and way > layers[k].depth:
        total += layers[k].time(layers[k].depth)
        way -= layers[k].depth
        k += 1
    return total + layers[k].time(way)


PROGRAMS = [least_positive, of_helper, bracket, entries, defaults, states, functions, arrays_of_tuples, functions_of_a_loop, constants]
POINTS = [np.array([0.57, -1.2, 2.0, 0.3, -0.7]), np.array([-2.9, -1.25, -2.0, -0.3, -0.7]), np.array([0.21, 0.93, 0.4, -0.8, 0.1])]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_variants(program):
    value, gradient = jitad.jit(program), jitad.grad(program)
    rng = np.random.default_rng(0)
    for x in POINTS:
        np.testing.assert_allclose(value(x), program(x), rtol=1e-12)
        direction = rng.normal(size=x.shape)
        slope = (program(x + 1e-7 * direction) - program(x - 1e-7 * direction)) / 2e-7
        np.testing.assert_allclose(gradient(x) @ direction, slope, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(jitad.jvp(program, (x,), (direction,))[1], slope, rtol=1e-5, atol=1e-6)


def test_results_that_may_be_none():
    compiled = jitad.jit(first_positive)
    assert compiled(-np.ones(3)) is None
    assert compiled(np.arange(3.0)) == 1.0
    pair = jitad.jit(lambda x: (x * 2, None if x > 0 else (x, x + 1)))
    assert pair(1.0) == (2.0, None)
    assert pair(-1.0) == (-2.0, (-1.0, 0.0))


def test_what_python_raises_is_raised():
    def used(x):
        y = None
        if x > 0:
            y = x
        return y * 2

    def called(x):
        return (np.sin if x > 0 else 3.0)(x)

    def looked_up(x):
        return TABLE[int(x * 3)][0] * x

    for function, right, wrong, error in (
        (used, 1.0, -1.0, TypeError), (called, 1.0, -1.0, TypeError), (looked_up, 1.0, 0.5, KeyError),
        (lambda x: COEFFICIENTS[int(x * 3)] * x, 1.0, 2.0, IndexError)):
        compiled = jitad.jit(function)
        np.testing.assert_allclose(compiled(right), function(right))
        with pytest.raises(error):
            function(wrong)
        with pytest.raises(error):
            compiled(wrong)


def test_what_cannot_be_known_is_refused():
    def key(x):
        counts = {"up": 0.0, "down": 0.0}
        counts["up" if x > 0 else "down"] += x
        return counts["up"]

    def text(x):
        return float(f"{'1' if x > 0 else '2'}.5")

    for function in (key, text):
        with pytest.raises(errors.ControlFlowError, match=r"in each arm of a branch\n.*test_variants.py"):
            jitad.jit(function)(1.0)


def test_lists_are_no_alternatives():
    def f(x):
        found = None
        if x > 0:
            found = [x]
        return 0.0 if found is None else found[0]

    with pytest.raises(errors.ControlFlowError, match=r"found is not of one kind in both arms of the branch.*\n.*test_variants.py"):
        jitad.jit(f)(1.0)


def test_objects_made_in_arms():
    def f(x, cls):
        layer = cls(x, 2.0)
        if x > 0:
            layer = cls(2 * x, 3.0)
        return layer.depth * layer.speed

    with pytest.raises(errors.ControlFlowError, match="an object of the class Layer .as a dataclass"):
        jitad.jit(lambda x: f(x, Layer))(1.0)
    assert jitad.jit(lambda x: f(x, Sheet))(1.0) == 6.0
    assert jitad.grad(lambda x: f(x, Sheet))(-1.0) == 2.0


class Vector:
    __slots__ = ("x", "y")

    def __init__(self, x, y):
        self.x, self.y = x, y


def test_objects_with_slots_that_arms_make_are_refused():
    def made_in_an_arm(x):
        place = Vector(0.0, x)
        if x > 0:
            place = Vector(1.0, 2.0 * x)
        return place.y

    def after_a_trip(x):
        place = [Vector(0.0, x)]
        for _ in range(2):
            if x > 100.0:
                break
            place = [Vector(1.0, place[0].y * 2.0)]
        return place[0].y

    for f in (made_in_an_arm, after_a_trip):
        with pytest.raises(errors.ControlFlowError, match="place"):
            jitad.jit(f)(0.5)
    with pytest.raises(errors.ControlFlowError, match="an object of the class Vector .as a dataclass"):
        jitad.jit(made_in_an_arm)(0.5)
