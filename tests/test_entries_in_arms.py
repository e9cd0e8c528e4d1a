"""Dicts and objects that get the same entries in both arms of a branch."""

import numpy as np
import pytest

import jitad
from jitad.ir import errors


def entries(x):
    d = {}
    if x[0] > 0:
        d["a"] = x[1]
        d["b"] = x[0] * 1.0
    else:
        d["a"] = x[0] * 2
        d["b"] = 3.0
    return d["a"] * d["b"] + len(d)


class Layer:
    pass


def attributes(x):
    layer = Layer()
    if x[0] > 0:
        layer.speed = x[1] * x[0]
    else:
        layer.speed = x[2]
    return layer.speed**2


def nested(x):
    d = {"z": 1.0}
    if x[0] > 0:
        if x[1] > 1:
            d["a"] = x[1]
        else:
            d["a"] = x[2]
    else:
        d["a"] = x[0] * 2
    return d["a"] * d["z"] + sum(d.values())


def in_trips(x):
    total = 0.0
    for i in range(60):
        d = {}
        if x[0] > i * 0.01:
            d["v"] = x * i
        else:
            d["v"] = x + 1
        d["v"][0] = 5 * x[1]
        total += d["v"].sum()
    return total


@pytest.mark.parametrize("function", [entries, attributes, nested, in_trips])
def test_same_entries(function):
    for x in (np.array([0.705, -1.3, 0.4]), np.array([-0.7, 1.3, 0.4])):
        np.testing.assert_allclose(jitad.jit(function)(x), function(x))
        jitad.testing.check_grads(function, (x,), order=2)


def in_one_arm(x):
    d = {}
    if x > 0:
        d["a"] = x
    return d.get("a", 0.0)


def in_another_order(x):
    d = {}
    if x > 0:
        d["a"], d["b"] = x, 1.0
    else:
        d["b"], d["a"] = x, 2.0
    return next(iter(d.values()))


@pytest.mark.parametrize("function", [in_one_arm, in_another_order])
def test_other_entries(function):
    with pytest.raises(errors.ControlFlowError, match="a dict gets or loses entries"):
        jitad.jit(function)(1.0)
