"""What selections in loops, branches and checkpoints leave out contributes nothing, even where its derivative is infinite outside of them."""

import numpy as np
import pytest

import jitad

X = np.array([0.0, 1.0, 4.0, 0.0, 2.25])


def chosen_in_a_loop(x):
    r, u = np.sqrt(x), np.zeros(5)
    for _ in range(30):
        u = np.where(r > 0, 0.9 * u + r * r, u)
    return u.sum()


def quotient(x):
    r, u = 1 / x, np.zeros(5)
    for _ in range(20):
        u = np.where(x > 0, 0.9 * u + r, u)
    return u.sum()


def masked_assignment(x):
    r, u = np.sqrt(x), np.zeros(5)
    m = r > 0
    for _ in range(20):
        u[m] = 0.9 * u[m] + r[m]
    return (u**2).sum()


def elements(x):
    r, u = x**0.5, np.ones(5)
    for _ in range(20):
        for i in range(5):
            if r[i] > 0:
                u[i] = u[i] * 0.9 + u[i - 1] * r[i]
    return (u * u).sum()


def list_of_elements(x):
    r, out = np.sqrt(x), []
    for i in range(len(x)):
        if r[i] > 0:
            out.append(r[i] ** 1.5)
    return sum(out)


def mask_carried(x):
    r, alive, u = np.sqrt(x), x >= 0, np.ones(5)
    for _ in range(20):
        alive = alive & (u < 3) & (r > 0)
        u = np.where(alive, u + 0.3 * r, u)
    return u.sum()


def root_carried(x):
    u, r, s = x * 1.0, np.sqrt(x), np.zeros(5)
    for _ in range(20):
        s = np.where(r > 0, s + r, s)
        u = np.where(r > 0, 0.9 * u, u)
        r = np.sqrt(u)
    return np.where(r > 0, s + r, s).sum()


def while_it_grows(x):
    r, u = np.sqrt(x), np.zeros(5)
    while u.sum() < 30:
        u = np.where(r > 0, u + r, u)
    return u.sum()


def loops_in_a_loop(x):
    s, y = np.zeros(5), x * 1.0
    for _ in range(20):
        r, u = np.sqrt(y), np.ones(5)
        for _ in range(20):
            u = np.where(r > 0, 0.5 * u + r, u)
        s, y = s + u, 0.9 * y
    return s.sum()


def arm_in_a_loop(x):
    r, u = np.sqrt(x), np.zeros(5)
    for _ in range(20):
        if u.sum() < 10:
            u = np.where(r > 0, u + r, u)
        else:
            u = u * 0.99 + r[1]
    return u.sum()


@jitad.checkpoint
def trip(r, u):
    return np.where(r > 0, u * 0.9 + np.sin(r) * u + r, u)


def checkpoints(x):
    r, u = np.sqrt(x), np.ones(5)
    u = trip(r, u)
    for _ in range(20):
        u = 0.5 * trip(r, u)
    return u.sum()


def slices(x):
    r, u = np.sqrt(x), np.zeros(3)
    for _ in range(20):
        u = 0.9 * u + r[1:3].sum() * np.array([1.0, 2.0, 3.0]) + r[4]
    return u.sum()


def elements_by_number(x):
    r, y = np.sqrt(x), np.zeros(5)
    for _ in range(20):
        for i in range(1, 3):
            y[i] = 0.5 * y[i - 1] + r[i] + 0.1 * y[i]
    return y.sum()


def numbers_from_data(x):
    r, s = np.sqrt(x), 0.0
    for _ in range(20):
        s = 0.9 * s + 0.1 * np.sum(np.sort(r)[2:] * np.cos(0.1 * s)) + r[np.array([4, 1])].sum()
    return s


def rows(x):
    r = np.sqrt(np.outer(np.array([0.0, 1.0, 2.0]), np.where(x > 0, x, 1.0)) + 0 * x)
    u = np.ones(5)
    for _ in range(3):
        for i in range(1, 3):
            u = np.where(u > 0.5, 0.5 * u + r[i], u)
    return u.sum()


FUNCTIONS = [chosen_in_a_loop, quotient, masked_assignment, elements, list_of_elements, mask_carried, root_carried, while_it_grows, loops_in_a_loop,
             arm_in_a_loop, checkpoints, slices, elements_by_number, numbers_from_data, rows]  # fmt: skip


def slopes(function, step=1e-6):
    """Numerical slopes; none along what is not selected."""
    moves = [np.eye(5)[k] * step for k in range(5)]
    return np.array([(function(X + d) - function(X - d)) / (2 * step) if x > 0 else 0.0 for x, d in zip(X, moves, strict=True)])


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@pytest.mark.parametrize("function", FUNCTIONS)
def test_gradient(function):
    value, gradient = jitad.value_and_grad(function)(X)
    np.testing.assert_allclose(value, function(X), rtol=1e-13)
    np.testing.assert_allclose(gradient, slopes(function), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_forward(function):
    v = np.where(X > 0, 0.7, 0.0) + np.arange(5) * (X > 0)
    np.testing.assert_allclose(jitad.jvp(function, (X + (X == 0),), (v,))[1], jitad.grad(function)(X + (X == 0)) @ v, rtol=1e-12)


@pytest.mark.parametrize("function", [chosen_in_a_loop, elements, while_it_grows, checkpoints, elements_by_number])
def test_second_order(function):
    both = X > 0
    hessian, twice = jitad.hessian(function)(X), jitad.jacrev(jitad.grad(function))(X)
    elsewhere = jitad.hessian(function)(np.where(both, X, 0.01))
    np.testing.assert_allclose(hessian, twice, rtol=1e-11, atol=1e-12)
    np.testing.assert_array_equal(hessian[~both], 0)
    if function is not elements:  # where a neighbour's element is left as it is
        np.testing.assert_allclose(hessian[np.ix_(both, both)], elsewhere[np.ix_(both, both)], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("function", [chosen_in_a_loop, elements, loops_in_a_loop, while_it_grows])
def test_members(function):
    members = np.stack([X, X[::-1], np.ones(5)])
    np.testing.assert_allclose(jitad.vmap(jitad.grad(function))(members), [jitad.grad(function)(x) for x in members], rtol=1e-13)


@pytest.mark.parametrize("function", [chosen_in_a_loop, arm_in_a_loop, while_it_grows])
def test_budget(function):
    np.testing.assert_allclose(jitad.grad(function, memory=2000)(X), slopes(function), rtol=1e-6, atol=1e-7)


def carried(gradient, *arguments) -> int:
    """How many truth values loops give."""
    lines = str(jitad.show(gradient, *arguments)).splitlines()
    return sum(line.split(" = loop")[0].count(":bool") for line in lines if " = loop" in line)


def test_masks_that_nobody_asks_for_are_not_carried():
    """Only a derivative that may be infinite meets a cotangent again: that of the argument does not."""

    def direct(x):
        u = np.zeros(5)
        for _ in range(30):
            u = np.where(x > 0, 0.9 * u + x, u)
        return u.sum()

    assert carried(jitad.grad(direct), X) == 0
    assert carried(jitad.grad(quotient), X) == 0  # every trip has the same
    assert carried(jitad.grad(while_it_grows), X) == 0


def test_masks_in_which_trips_differ_are_carried():
    assert carried(jitad.grad(arm_in_a_loop), X) == 2  # which arm was taken, in the sweep up, and the mask, in the sweep down


def test_what_is_read_and_written_by_number_has_no_masks():
    """Places that trips count do not depend on data: cotangents of what is carried there come without masks."""

    def sweeps(x):
        u = x * x
        for _ in range(20):
            for i in range(1, 4):
                u[i] = u[i - 1] / (1 + u[i + 1] ** 2)
        return u.sum()

    assert carried(jitad.grad(sweeps), X) == 0
    jitad.testing.check_grads(sweeps, (X,))
