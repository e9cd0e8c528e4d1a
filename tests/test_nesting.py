"""Transformations nest in any order and to any depth, and perturbations of one are not those of another."""

import itertools
import random

import numpy as np
import pytest
from trees_compared import close

import jitad
from jitad import custom_jvp, grad, hessian, hvp, jacfwd, jacrev, jit, jvp, linearize, value_and_grad, vjp, vmap

X = np.array([0.3, 0.7, 1.1])


def wave(x):
    return np.sin(x) * x


WAVES = [  # its derivatives
    wave,
    lambda x: np.sin(x) + x * np.cos(x),
    lambda x: 2 * np.cos(x) - x * np.sin(x),
    lambda x: -3 * np.sin(x) - x * np.cos(x),
    lambda x: -4 * np.cos(x) + x * np.sin(x),
    lambda x: 5 * np.sin(x) + x * np.cos(x),
]
DERIVATIVES = {
    "grad": grad,
    "value_and_grad": lambda f: lambda x: value_and_grad(f)(x)[1],
    "jacfwd": jacfwd,
    "jacrev": jacrev,
    "jvp": lambda f: lambda x: jvp(f, (x,), (1.0,))[1],
    "vjp": lambda f: lambda x: vjp(f, x)[1](1.0)[0],
    "linearize": lambda f: lambda x: linearize(f, x)[1](1.0),
}
SECOND = {
    "hessian": hessian,
    "hvp": lambda f: lambda x: hvp(f, (x,), (1.0,)),
}
WRAPPERS = {
    "jit": jit,
    "vmap": lambda f: lambda x: vmap(f)(np.stack([x, x + 1]))[0],
    "vmap to one": lambda f: lambda x: vmap(lambda a, b: f(a) + 0 * b, in_axes=(None, 0))(x, np.arange(2.0))[1],
}


@pytest.mark.parametrize("names", list(itertools.product(DERIVATIVES, repeat=2)), ids="-".join)
def test_derivatives_nest_in_any_order(names):
    choices = list(DERIVATIVES)
    third = choices[sum(map(choices.index, names)) % len(choices)]
    function = wave
    for name in (*names, third):
        function = DERIVATIVES[name](function)
    np.testing.assert_allclose(function(0.7), WAVES[3](0.7), rtol=1e-13)


def test_everything_nests_to_any_depth():
    everything = DERIVATIVES | SECOND | WRAPPERS
    choose = random.Random(0)
    for _ in range(60):
        names, order, function = [], 0, wave
        while len(names) < 5:
            name = choose.choice(list(everything))
            order += (name in DERIVATIVES) + 2 * (name in SECOND)
            if order > 4:
                break
            names.append(name)
            function = everything[name](function)
        order = sum((name in DERIVATIVES) + 2 * (name in SECOND) for name in names)
        np.testing.assert_allclose(function(0.7), WAVES[order](0.7), rtol=1e-12, err_msg=" of ".join(reversed(names)))


@custom_jvp
def wave_with_rule(x):
    return np.sin(x) * x


wave_with_rule.defjvp(lambda primals, tangents: (
    wave_with_rule(*primals), tangents[0] * (np.sin(primals[0]) + primals[0] * np.cos(primals[0]))))


@jitad.custom_vjp
def wave_with_adjoint(x):
    return np.sin(x) * x


wave_with_adjoint.defvjp(lambda x: (np.sin(x) * x, x), lambda x, ct: (ct * (np.sin(x) + x * np.cos(x)),))
REVERSE = {name: DERIVATIVES[name] for name in ("grad", "value_and_grad", "jacrev", "vjp")}


@pytest.mark.parametrize("function, derivatives", [(wave_with_rule, DERIVATIVES), (wave_with_adjoint, REVERSE)], ids=["jvp", "vjp"])
def test_functions_with_rules_nest_too(function, derivatives):
    choose, transformations = random.Random(1), derivatives | WRAPPERS
    for _ in range(25):
        names = choose.choices(list(transformations), k=4)
        result = function
        for name in names:
            result = transformations[name](result)
        order = sum(name in derivatives for name in names)
        np.testing.assert_allclose(result(0.7), WAVES[order](0.7), rtol=1e-12, err_msg=" of ".join(reversed(names)))


def test_fifth_derivative_of_an_array_function():
    function = wave
    for _ in range(5):
        function = (lambda f: lambda x: grad(lambda x: np.sum(f(x)))(x))(function)
    np.testing.assert_allclose(function(X), WAVES[5](X), rtol=1e-12)


# --- perturbations of one derivative are not those of another ------------------------------------------------------------------------


@pytest.mark.parametrize("inner", DERIVATIVES.values(), ids=DERIVATIVES)
@pytest.mark.parametrize("outer", DERIVATIVES.values(), ids=DERIVATIVES)
def test_no_perturbation_confusion(outer, inner):
    assert outer(lambda x: x * inner(lambda y: x + y)(1.0))(1.0) == 1
    assert outer(lambda x: x * inner(lambda y: x * y)(2.0))(3.0) == 6
    assert outer(lambda x: inner(lambda y: x * y * y * x)(x))(3.0) == 54
    assert outer(lambda x: inner(lambda y: inner(lambda z: x * y * z**2 + x)(y) * x)(x))(2.0) == 48


def test_inner_derivatives_of_captured_arrays():
    weights = np.array([1.0, 2.0, 3.0])

    def outer(x):
        inner = grad(lambda y: np.sum(weights * y * x * y))(x)  # 2 w x x
        return np.sum(inner * weights)

    np.testing.assert_allclose(grad(outer)(X), 4 * weights**2 * X)


def test_nested_minimisation_step():
    """The gradient through a gradient step of an inner problem, as in meta-learning."""

    def inner(w, data):
        return np.sum((w * data - 1) ** 2)

    def outer(w, data):
        return inner(w - 0.1 * grad(inner)(w, data), data)

    w, data = 0.4, X
    step = w - 0.1 * np.sum(2 * (w * data - 1) * data)
    slope = 1 - 0.1 * np.sum(2 * data**2)
    np.testing.assert_allclose(grad(outer)(w, data), np.sum(2 * (step * data - 1) * data) * slope)


def test_pullback_within_other_traces():
    _, pullback = vjp(wave, 0.7)
    _, push = linearize(wave, 0.7)
    slope = WAVES[1](0.7)
    assert grad(lambda c: pullback(c * c)[0])(2.0) == pytest.approx(4 * slope)
    assert grad(lambda c: push(c * c))(2.0) == pytest.approx(4 * slope)
    close(vmap(lambda c: pullback(c)[0])(X), slope * X)
    close(jit(lambda c: push(c) + c)(2.0), np.float64(2 * slope + 2))
    close(jacfwd(lambda x: vjp(np.sin, x)[1](x)[0])(X), np.diag(np.cos(X) - X * np.sin(X)))
