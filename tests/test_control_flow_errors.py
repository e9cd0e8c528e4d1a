"""Control flow that cannot be staged: the errors name what stands in the way, and what to write instead."""

import numpy as np
import pytest
from staged import interpreted

import jitad
from jitad.ir import errors

X = np.random.default_rng(3).uniform(0.2, 1.0, 30)


def test_arms_of_different_shapes():
    def f(x):
        if x[0] > 0:
            y = np.zeros(3)
        else:
            y = np.zeros(4)
        return y

    with pytest.raises(errors.ControlFlowError, match=r"y is not of one kind.*shapes \(4,\) and \(3,\)[\s\S]*test_control_flow_errors.py:\d+: if"):
        interpreted(f, X)


def test_a_name_with_a_value_in_one_arm():
    def f(x):
        if x > 0:
            y = x * 2
        return y

    assert interpreted(f, 1.0) == 2.0
    with pytest.raises(UnboundLocalError, match="cannot access local variable 'y'"):
        interpreted(lambda x: f(x) + 1, -1.0)


def test_an_array_in_one_arm():
    """Or a tuple, or a name of functions: where Python reads it without a value, the compiled function raises."""
    def f(x):
        y = np.zeros(2)
        for i in range(4):
            if x[0] > i - 2:
                y = x * 2
                part, function = (y, i), np.sin if x[1] > 0 else np.cos
                row = y[:1]
        if x[0] > 0:
            y = y + row
        return function(part[0]) * part[1] + y

    for x in (np.array([1.5, 2.0]), np.array([-1.5, -2.0])):
        np.testing.assert_allclose(jitad.jit(f)(x), f(x))
        np.testing.assert_allclose(jitad.jacrev(f)(x), jitad.jacfwd(f)(x))
    with pytest.raises(UnboundLocalError, match="cannot access local variable"):
        jitad.jit(f)(-5 * np.ones(2))


def test_a_list_in_one_arm():
    def f(x):
        if x[0] > 0:
            y = [x, x]
        return y

    with pytest.raises(errors.UnboundError, match="y has a value only if one arm of the branch at test_control_flow_errors.py"):
        interpreted(f, np.ones(2))


def test_a_carried_shape_that_changes():
    def f(x):
        y = x
        for _ in range(5000):
            y = np.concatenate([y, x])
        return y

    with pytest.raises(errors.ControlFlowError, match="y is not of one kind at the beginning and at the end of a trip.*np.zeros"):
        interpreted(f, X)


def test_a_path_without_a_value():
    def f(x):
        if x > 0:
            return x

    assert jitad.jit(f)(1.0) == 1.0
    assert jitad.jit(f)(-1.0) is None


def test_global_names():
    def f(x):
        global written
        if x > 0:
            written = x
        return x

    with pytest.raises(errors.ControlFlowError, match="the global name written"):
        interpreted(f, 1.0)
