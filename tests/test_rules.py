"""Rules where samples do not reach: zeros, kinks, overwritten elements, factorisations, user rules, bad input."""

import numpy as np
import pytest
from differences import check_derivatives, direction, gradient_of, program_of

from jitad.ir import errors
from jitad.ir.interpreter import evaluate
from jitad.ir.registry import REGISTRY
from jitad.ir.verifier import verify
from jitad.primitives.custom import custom_call, reverse_only, stop_gradient
from jitad.primitives.elementwise.arithmetic import reciprocal, sqrt
from jitad.primitives.elementwise.transcendental import cos, sin
from jitad.primitives.linalg import systems
from jitad.primitives.recurrences import cummax, cumprod
from jitad.primitives.reductions import reduce_max, reduce_prod, reduce_sum
from jitad.transform.batch import batch
from jitad.transform.jvp import jvp
from jitad.transform.vjp import gradient, pullback

# --- zeros, kinks and overwritten elements ----------------------------------------------------------------------------------


def test_products_with_zeros():
    x = np.array([2.0, 0.0, 3.0, 0.0])
    assert gradient_of(lambda x: reduce_prod(x, axes=(0,)), x[:3])[0].tolist() == [0, 6, 0]
    assert gradient_of(lambda x: reduce_prod(x, axes=(0,)), x)[0].tolist() == [0, 0, 0, 0]
    assert gradient_of(lambda x: cumprod(x, axis=0, reverse=False), x[:3])[0].tolist() == [1, 8, 0]


def test_extrema_share_their_tangent_among_ties():
    assert gradient_of(lambda x: reduce_max(x, axes=(0,)), [1.0, 3.0, 3.0])[0].tolist() == [0, 0.5, 0.5]
    assert gradient_of(lambda x: cummax(x, axis=0, reverse=False), [1.0, 3.0, 2.0])[0].tolist() == [1, 2, 0]


def test_what_is_not_selected_contributes_nothing():
    """Each derivative is infinite at 0, which the result does not depend on."""
    places, x = np.array([0]), np.array([0.0, 4.0])
    scatter = REGISTRY["scatter"]
    assert gradient_of(lambda x: reduce_max(sqrt(x), axes=(0,)), x)[0].tolist() == [0, 0.25]
    assert gradient_of(lambda x: cummax(sqrt(x), axis=0, reverse=True), x)[0].tolist() == [0, 0.5]
    overwritten = gradient_of(lambda x, v, i: scatter(reciprocal(x), v, i), x, np.array([5.0]), places)
    assert [c.tolist() for c in overwritten] == [[0, -1 / 16], [1]]


@pytest.mark.parametrize("unique", [False, True])
def test_last_write_wins(unique):
    places = np.array([1, -2, 1] if not unique else [1, 0, 2])
    base, new = np.zeros(3), np.arange(3.0)
    into_base, into_new = gradient_of(lambda b, u, i: REGISTRY["scatter"](b, u, i, unique=unique), base, new, places)
    assert (into_base.tolist(), into_new.tolist()) == (([0, 0, 0], [1, 1, 1]) if unique else ([1, 0, 1], [0, 0, 1]))


# --- linear algebra -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", "dD")
@pytest.mark.parametrize("function, reference", [
    (systems.solve, np.linalg.solve), (lambda a, b: systems.inv(a), lambda a, b: np.linalg.inv(a)),
    (lambda a, b: systems.slogdet(a), lambda a, b: np.linalg.slogdet(a))], ids=["solve", "inv", "slogdet"])
def test_functions_of_lu_factors(function, reference, dtype):
    rng = np.random.default_rng(0)
    a = direction(rng, np.empty((2, 4, 4), dtype)) + 3 * np.eye(4)[::-1]
    inputs = [a, direction(rng, np.empty((2, 4, 3), dtype))]
    program = program_of(function, inputs)
    expected = reference(*inputs)
    for got, wanted in zip(evaluate(program, *inputs), expected if isinstance(expected, tuple) else [expected], strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-12)
    check_derivatives(program, inputs)
    check_derivatives(jvp(program, [True, True]), [*inputs, *[direction(rng, x) for x in inputs]])


def test_one_factorisation_serves_value_gradient_and_all_right_hand_sides():
    a, b = np.empty((4, 4)), np.empty((4, 1))
    program = program_of(lambda a, b: reduce_sum(systems.solve(a, b), axes=(0, 1)), [a, b])
    names = [equation.primitive.name for equation in batch(gradient(program, [True, True]), [None, 0], 5).equations]
    assert names.count("lu") == 1
    with pytest.raises(np.linalg.LinAlgError, match="Singular matrix"):
        evaluate(program, np.ones((4, 4)), np.ones((4, 1)))


# --- user rules -----------------------------------------------------------------------------------------------------------------


def sine_times(x, y):
    """sin(x) * y with a rule for reverse mode that gives twice the derivative by x, so that its use can be seen."""

    def forward(inputs):
        x, y = inputs
        return [sin(x) * y], [x, y]

    def backward(residuals, cotangents):
        (x, y), (ct,) = residuals, cotangents
        return [2.0 * ct * cos(x) * y, ct * sin(x)]

    shape = np.empty(x.shape)
    program = program_of(lambda x, y: sin(x) * y, [shape, shape])
    return custom_call(x, y, program=program, jvp=reverse_only(forward, backward, "sine_times"), name="sine_times")


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0), (1, 0), (None, None)])
def test_reverse_rule_survives_batching(axes):
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((2, 3) if axis is None else (4, 2, 3)) for axis in axes)
    inputs = [np.moveaxis(z, 0, axis or 0) if axis else z for z, axis in zip((x, y), axes, strict=True)]
    member = np.empty((2, 3))
    program = program_of(sine_times, [member, member])
    if axes != (None, None):
        program = verify(batch(program, axes, 4))
    forward, backward = pullback(program, [True, True])
    value, *residuals = evaluate(verify(forward), *inputs)
    np.testing.assert_allclose(value, np.sin(x) * y)
    weights = rng.standard_normal(value.shape)
    expected = [2 * weights * np.cos(x) * y, weights * np.sin(x)]
    for got, wanted, axis in zip(evaluate(verify(backward), *residuals, *[weights]), expected, axes, strict=True):
        wanted = wanted.sum(0) if wanted.ndim > 2 and axis is None else wanted
        np.testing.assert_allclose(got, np.moveaxis(wanted, 0, axis) if axis else wanted)


def test_reverse_rule_cannot_serve_forward_mode():
    x = np.ones((2, 3))
    with pytest.raises(NotImplementedError, match="sine_times has a custom_vjp rule, which serves reverse mode only"):
        evaluate(jvp(program_of(sine_times, [x, x]), [True, False]), x, x, x)


def test_user_rules_are_checked():
    x = np.ones(3)
    program = program_of(lambda x: sin(x), [x])

    def wrong(inputs, tangents):
        return [sin(inputs[0])], [reduce_sum(tangents[0], axes=(0,))]

    called = program_of(lambda x: custom_call(x, program=program, jvp=wrong, name="f"), [x])
    with pytest.raises(errors.TypeError, match=r"rule of f returns tangents of types f64\[\]; they must be f64\[3\]"):
        jvp(called, [True])


def test_stop_gradient():
    assert gradient_of(lambda x: x * stop_gradient(x), [2.0, 3.0])[0].tolist() == [2, 3]


# --- bad input ----------------------------------------------------------------------------------------------------------------

BAD = [
    ("broadcast", [(3,)], {"shape": (2, 2)}, lambda x: np.broadcast_to(x, (2, 2))),
    ("broadcast", [(2, 3)], {"shape": (3,)}, lambda x: np.broadcast_to(x, (3,))),
    ("reshape", [(2, 3)], {"shape": (4,)}, lambda x: x.reshape(4)),
    ("transpose", [(2, 3)], {"axes": (0,)}, lambda x: x.transpose(0)),
    ("concatenate", [(2, 3), (2, 4)], {"axis": 0}, lambda x, y: np.concatenate([x, y])),
    ("concatenate", [(2, 3), (2,)], {"axis": 0}, lambda x, y: np.concatenate([x, y])),
    ("concatenate", [(), ()], {"axis": 0}, lambda x, y: np.concatenate([x, y])),
    ("reduce_max", [(0, 3)], {"axes": (0,)}, lambda x: x.max(0)),
    ("reduce_sum", [(2, 3)], {"axes": (2,)}, lambda x: x.sum(2)),
    ("reduce_sum", [(2, 3)], {"axes": (1, 1)}, lambda x: x.sum((1, 1))),
    ("cumsum", [(2, 3)], {"axis": 2, "reverse": False}, lambda x: x.cumsum(2)),
    ("dot", [(2, 3), (4, 2)], {"contract": ((1,), (0,)), "batch": ((), ())}, np.dot),
    ("lu", [(2, 3)], {}, np.linalg.det),
    ("lu", [(3,)], {}, np.linalg.inv),
    ("cholesky", [(2, 3)], {}, np.linalg.cholesky),
    ("gather", [(2, 3), (2,)], {}, lambda x, i: x[i]),
]


@pytest.mark.parametrize("name, shapes, params, reference", BAD, ids=[f"{row[0]}-{k}" for k, row in enumerate(BAD)])
def test_errors_are_worded_as_in_numpy(name, shapes, params, reference):
    inputs = [np.zeros(shape) for shape in shapes]
    with pytest.raises(Exception) as wanted:  # noqa: B017, PT011
        reference(*inputs)
    with pytest.raises(errors.JitadError) as got:
        program_of(lambda *atoms: REGISTRY[name](*atoms, **params), inputs)
    assert str(got.value).split("\n  at ")[0] == str(wanted.value)
    assert isinstance(got.value, type(wanted.value))


def test_indices_out_of_range():
    x, i = np.zeros((4, 3)), np.array([0, 4])
    program = program_of(REGISTRY["gather"], [x, i])
    with pytest.raises(IndexError, match="index 4 is out of bounds for axis 0 with size 4"):
        evaluate(program, x, i)
