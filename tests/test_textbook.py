"""Examples that textbooks work out by hand.

A. Griewank and A. Walther, "Evaluating Derivatives", 2nd ed., SIAM 2008; A. G. Baydin et al., "Automatic differentiation in machine
learning: a survey", JMLR 18 (2018), tables 2 and 3.
"""

import re

import numpy as np
import pytest
from operations import count_operations
from scipy.optimize import rosen, rosen_der, rosen_hess

import jitad
from jitad.pipeline import to_loops
from jitad.transform.vjp import gradient

RNG = np.random.default_rng(0)


def baydin(x1, x2):
    return np.log(x1) + x1 * x2 - np.sin(x2)


def unit(w, x, b):
    """A sigmoid unit."""
    return 1 / (1 + np.exp(-(np.dot(w, x) + b)))


def speelpenning(x):
    return np.prod(x)


def speelpenning_by_hand(x):
    product = 1.0
    for factor in x:
        product = product * factor
    return product


def newton(a):
    """Six steps towards the square root."""
    x = a
    for _ in range(6):
        x = 0.5 * (x + a / x)
    return x


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def perceptron(parameters, x, labels):
    """Mean cross-entropy of two layers."""
    w1, b1, w2, b2 = parameters
    scores = np.tanh(x @ w1 + b1) @ w2 + b2
    scores = scores - np.max(scores, axis=1, keepdims=True)
    logarithms = scores - np.log(np.sum(np.exp(scores), axis=1, keepdims=True))
    return -np.mean(np.sum(labels * logarithms, axis=1))


# --- the evaluation trace ---------------------------------------------------------------------------------------------------


def columns(text: str) -> dict[str, tuple[float, float]]:
    """Return the value and the derivative of each row of a table."""
    rows = {}
    for line in text.splitlines():
        operation, value, derivative = re.match(r"\S+\s+= (.*?)\s+=  (\S+)\s+(?:tangent|adjoint)  (\S+)$", line).groups()
        rows[operation.split()[0]] = float(value), float(derivative)
    return rows


def test_forward_trace():
    """Table 2 of the survey: the derivative by x1."""
    rows = columns(jitad.table(baydin, 2.0, 5.0))
    expected = {"x0": (2, 1), "x1": (5, 0), "log": (0.6931472, 0.5), "mul": (10, 5), "sin": (-0.9589243, 0), "add": (10.69315, 5.5),
                "sub": (11.65207, 5.5)}  # fmt: skip
    assert {name: pytest.approx(pair, rel=1e-6) for name, pair in expected.items()} == rows


def test_reverse_trace():
    """Table 3: all adjoints in one sweep."""
    rows = columns(jitad.table(baydin, 2.0, 5.0, mode="reverse"))
    expected = {"x0": (2, 5.5), "x1": (5, 1.716338), "log": (0.6931472, 1), "mul": (10, 1), "sin": (-0.9589243, -1), "add": (10.69315, 1),
                "sub": (11.65207, 1)}  # fmt: skip
    assert {name: pytest.approx(pair, rel=1e-6) for name, pair in expected.items()} == rows


def test_value_and_gradient():
    value, (first, second) = jitad.value_and_grad(baydin, argnums=(0, 1))(2.0, 5.0)
    assert value == pytest.approx(11.652, abs=5e-4)
    assert first == pytest.approx(5.5) and second == pytest.approx(2.0 - np.cos(5.0)) == pytest.approx(1.716, abs=5e-4)
    assert jitad.jvp(baydin, (2.0, 5.0), (0.0, 1.0))[1] == pytest.approx(second)


# --- small functions --------------------------------------------------------------------------------------------------------


def test_sigmoid_unit():
    w, x, b = RNG.standard_normal(7), RNG.standard_normal(7), 0.3
    value, (by_w, by_x, by_b) = jitad.value_and_grad(unit, argnums=(0, 1, 2))(w, x, b)
    slope = value * (1 - value)
    assert value == pytest.approx(unit(w, x, b), rel=1e-14)
    np.testing.assert_allclose(by_w, slope * x, rtol=1e-13)
    np.testing.assert_allclose(by_x, slope * w, rtol=1e-13)
    assert by_b == pytest.approx(slope, rel=1e-13)


@pytest.mark.parametrize("function", [speelpenning, speelpenning_by_hand])
@pytest.mark.parametrize("zeros", [0, 1, 2])
def test_speelpenning(function, zeros):
    """Each partial derivative is the product of the other factors, whichever are zero."""
    x = RNG.uniform(0.5, 1.5, 9)
    x[:zeros] = 0.0
    np.testing.assert_allclose(jitad.grad(function)(x), [np.prod(np.delete(x, k)) for k in range(9)], rtol=1e-14)


def test_newton_iteration():
    value, slope = jitad.value_and_grad(newton)(2.0)
    assert value == pytest.approx(np.sqrt(2.0), rel=1e-14) and slope == pytest.approx(0.5 / np.sqrt(2.0), rel=1e-12)


@pytest.mark.parametrize("n", [2, 3, 40])
def test_rosenbrock(n):
    x = RNG.uniform(-1.5, 1.5, n)
    value, slope = jitad.value_and_grad(rosenbrock)(x)
    assert value == pytest.approx(rosen(x), rel=1e-13)
    np.testing.assert_allclose(slope, rosen_der(x), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(jitad.hessian(rosenbrock)(x), rosen_hess(x), rtol=1e-12, atol=1e-12)


# --- the perceptron -----------------------------------------------------------------------------------------------------------


def layers(inputs, hidden, outputs):
    shapes = (inputs, hidden), (hidden,), (hidden, outputs), (outputs,)
    return tuple(RNG.standard_normal(shape) / np.sqrt(shape[0]) for shape in shapes)


def by_hand(parameters, x, labels):
    """Backpropagation as Rumelhart, Hinton and Williams have it."""
    w1, b1, w2, b2 = parameters
    hidden = np.tanh(x @ w1 + b1)
    scores = hidden @ w2 + b2
    weights = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    shares = weights / np.sum(weights, axis=1, keepdims=True)
    loss = -np.mean(np.log(np.sum(labels * shares, axis=1)))
    error = (shares - labels) / len(x)
    back = (error @ w2.T) * (1 - hidden**2)
    return loss, (x.T @ back, np.sum(back, axis=0), hidden.T @ error, np.sum(error, axis=0))


def test_perceptron():
    """500 steps of gradient descent over batches of 64 follow those by hand, and the loss falls."""
    parameters = expected = layers(1000, 100, 10)
    examples = RNG.standard_normal((512, 1000))
    labels = np.eye(10)[np.argmax(examples @ RNG.standard_normal((1000, 10)), axis=1)]
    step = jitad.value_and_grad(perceptron)
    losses = []
    for k in range(500):
        batch = slice(64 * k % 512, 64 * k % 512 + 64)
        loss, slopes = step(parameters, examples[batch], labels[batch])
        wanted, others = by_hand(expected, examples[batch], labels[batch])
        assert loss == pytest.approx(wanted, rel=1e-10)
        parameters = tuple(p - 0.2 * s for p, s in zip(parameters, slopes, strict=True))
        expected = tuple(p - 0.2 * s for p, s in zip(expected, others, strict=True))
        losses.append(loss)
    for found, wanted in zip(parameters, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-10)
    assert np.mean(losses[-8:]) < 0.05 * np.mean(losses[:8])


# --- the cheap gradient principle -----------------------------------------------------------------------------------------------


def wave(c):
    """Five steps of the wave equation; the energy at the end."""
    before, now = np.zeros_like(c), np.sin(c)
    for _ in range(5):
        curvature = np.zeros_like(c)
        curvature[1:-1] = now[2:] - 2 * now[1:-1] + now[:-2]
        before, now = now, 2 * now - before + c * c * curvature
    return np.sum(now * now)


def softmax(x):
    weights = np.exp(x - np.max(x))
    return np.sum((weights / np.sum(weights)) ** 2)


def mixture(x, means, factor):
    """The log-likelihood of a Gaussian mixture, up to constants."""
    distances = np.sum(((x[:, None, :] - means[None]) @ factor) ** 2, axis=-1)
    return np.sum(np.log(np.sum(np.exp(-0.5 * distances), axis=1)))


def charges(x):
    """The energy of equal charges."""
    difference = x[:, None] - x[None]
    return np.sum(1 / np.sqrt(np.sum(difference * difference, axis=-1) + 1e-3))


def spring(x, stiffness):
    return np.sum(stiffness * np.maximum(np.diff(x) - 0.1, 0.0) ** 2) + np.sum(np.abs(x))


def polynomial(x):
    return np.sum(x**5 - 3 * x**3 + x**-2 + np.sqrt(x))


def regression(w, a, b):
    residual = a @ w - b
    return residual @ residual + 0.1 * np.sum(w * w)


def system(a, b):
    return np.sum(np.linalg.solve(a, b) ** 2)


def spectrum(z):
    return np.sum(np.abs(np.exp(1j * z) / (z + 2.0)) ** 2)


def scattered(x, places):
    total = np.zeros_like(x)
    np.add.at(total, places, x[places] ** 2)
    return np.sum(np.cumsum(total) * x)


SQUARE = RNG.random((20, 20)) + 4 * np.eye(20)
PROGRAMS = [
    (baydin, 2.0, 5.0), (unit, RNG.random(20), RNG.random(20), 0.1), (speelpenning, RNG.random(20)),
    (speelpenning_by_hand, RNG.random(8)), (speelpenning_by_hand, RNG.random(40)), (newton, 2.0), (rosenbrock, RNG.random(1000)),
    (perceptron, layers(1000, 100, 10), RNG.random((64, 1000)), RNG.random((64, 10))), (wave, RNG.random(100)),
    (softmax, RNG.random(50)), (mixture, RNG.random((30, 3)), RNG.random((4, 3)), RNG.random((3, 3))), (charges, RNG.random((20, 3))),
    (spring, RNG.random(50), RNG.random(49)), (polynomial, RNG.random(50)), (system, SQUARE, RNG.random(20)),
    (regression, RNG.random(30), RNG.random((60, 30)), RNG.random(60)), (spectrum, RNG.random(20) + 1j),
    (scattered, RNG.random(20), np.arange(40) % 20),
]  # fmt: skip


@pytest.mark.parametrize("function, args", [(f, args) for f, *args in PROGRAMS], ids=lambda x: getattr(x, "__name__", ""))
def test_gradients_are_cheap(function, args):
    """A value and its gradient take at most four times the operations of the value."""
    program = jitad.trace(function)(*args)
    active = [var.type.differentiable for var in program.inputs]
    value, both = (count_operations(to_loops(p)) for p in (program, gradient(program, active)))
    assert both <= 4 * value
