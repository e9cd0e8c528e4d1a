"""A trace knows all that it read from outside, and is valid as long as that is what it was."""

from __future__ import annotations

import threading
import types
from collections import deque

import numpy as np
import pytest
import rewritten
from rewritten import (
    INDICES,
    MODEL,
    PAIR,
    PARAMETERS,
    RATE,
    SETTINGS,
    WEIGHTS,
    Base,
    Model,
    Trial,
    changed,
    comprehensions,
    concrete,
    containers,
    defined,
    integers,
    methods,
    operators,
    plain,
    pythons_functions,
)

from jitad.frontend.hooks.calls import rewrite
from jitad.frontend.tracing.captures import Captures
from jitad.frontend.tracing.programs import describe, trace_function
from jitad.frontend.tracing.trees import flatten


def test_names_and_items_that_change():
    x = np.ones(3)
    names = vars(rewritten)
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
    names = vars(rewritten)
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
