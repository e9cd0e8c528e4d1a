"""`try` statements: handlers of what goes wrong while tracing, and of what only goes wrong when the compiled function runs."""

import contextlib
import math

import numpy as np
import pytest
from staged import check, check_at

import jitad
from jitad.ir import errors


class NotConverged(Exception):
    """An exception of the user's, with an attribute."""

    def __init__(self, message, factor):
        super().__init__(message)
        self.factor = factor


def newton(x, tries):
    for _ in range(tries):
        slope = 3 * x * x
        if abs(slope) < 1e-3:
            raise RuntimeError("flat")
        new = x - (x**3 - 2) / slope
        if abs(new - x) < 1e-12:
            return new
        x = new
    raise RuntimeError("no convergence")


def bisected(x):
    low, high = 0.0, 2.0
    while high - low > 1e-10:
        middle = (low + high) / 2
        low, high = (low, middle) if middle**3 > 2 else (middle, high)
    return low * x


def fallback(x):
    try:
        root = newton(x, 40)
    except RuntimeError:
        root = bisected(x)
    return root * x


def returned(x):
    try:
        return newton(x, 40) * x
    except:  # noqa: E722
        return bisected(x) + x**2


def at_each_step(x):
    """What was done before the exception stays done, what comes after is left out."""
    s = x
    try:
        if x < -10:
            raise KeyError("far")
        s = s + 1
        if x < -3:
            raise ArithmeticError("left")
        s = s + 2
        if x < 0:
            raise ValueError("negative")
        s = s * s
    except ValueError:
        s = s * 3
    except (ArithmeticError, LookupError):
        s = s * 5
    else:
        s = s + x
    finally:
        s = s + 10 * x
    return s


def filled(a, x):
    a[0] = x
    if x < 0:
        raise ValueError("negative")
    a[1] = x * x
    return a[1]


def within_loops(x):
    a, total = np.zeros(2), 0.0
    for i in range(200):
        try:
            filled(a, np.sin(i * x))
        except ValueError:
            if i > 150:
                break
            continue
        total += a[1] * x
    return total + a[0]


def around_loop(x):
    total = 0.0
    try:
        for _ in range(1000):
            total += x
            if total > 51:
                raise OverflowError("large")
    except OverflowError:
        total = total * 2
    return total


def again(x):
    step = 1.0
    while True:
        try:
            y = x
            for _ in range(20):
                y = y - step * y * y * np.sign(x)
                if abs(y) > 2.5:
                    raise FloatingPointError("unstable")
            break
        except FloatingPointError:
            step = step / 2
    return y * step


def nested(x):
    try:
        try:
            if x < 0:
                raise ValueError("negative")
            y = x
        except KeyError:
            y = 0.0
        except ValueError as error:
            if x < -5:
                raise NotConverged("far", 9.0) from error
            y = -x * len(error.args)
        y = y * 2
    except NotConverged as error:
        y = x * error.factor
    return y


def inverses(x):
    def inverse(y):
        if y <= 0:
            raise ValueError("not positive")
        return 1 / y

    total = 0.0
    for y in (x, x - 1, x * 2):
        with contextlib.suppress(ValueError):
            total += inverse(y)
    return total


def solved(x):
    a = np.array([[x, 1.0], [1.0, 1.0]])
    try:
        y = np.linalg.solve(a, np.array([1.0, 2.0]))
    except np.linalg.LinAlgError:
        y = np.array([x, 3.0])
    try:
        factor = np.linalg.cholesky(a)
    except np.linalg.LinAlgError:
        factor = np.linalg.cholesky(a + 5 * np.eye(2))
    return np.sum(y) + np.sum(factor)


def indexed(x):
    table, total = np.arange(4.0), 0.0
    for i in range(30):
        try:
            total += table[int(x * i)] * x
        except IndexError:
            total += x
    return total


def written(x):
    """What raises an exception does not take effect."""
    a, y, total = np.zeros(4), 2.0, 1.0
    for i in range(6):
        try:
            a[i] = np.sin(i + x)
            if a[int(newton(x, 40) + i)] > 0:
                y /= math.floor(x)
            total = total * newton(x + i, 20)
        except (IndexError, RuntimeError, ZeroDivisionError):
            y += x
    return np.sum(a) * y * total


def positive(x):
    if x < 0:
        raise ValueError("negative")
    return x < 3


def in_one_statement(x):
    """The calls of a statement that come after the one that raises are left out, and so are those of conditions."""
    a, out, total, n = np.zeros(2), [], 0.0, 0
    for i in range(6):
        try:
            total = total + filled(a, np.sin(i * x)) + filled(a, np.sin(2 * i * x))
        except ValueError:
            total = total + a[0]
        with contextlib.suppress(ValueError):
            out.append(math.sqrt(np.cos(i * x)) + positive(a[0]))
            if positive(np.sin(i + x)):
                a[0] *= 2
        try:
            y = x
            while positive(y):
                y = y * 1.7 - 0.5
                n += 1
        except ValueError:
            n += 10
    return total * n + sum(out) + len(out) + a[0]


def of_python(x):
    try:
        y = math.sqrt(x)
    except ValueError:
        y = -2 * x
    try:
        z = math.exp(300 * x)
    except OverflowError:
        z = x
    try:
        y += 1 / math.floor(x)
    except ZeroDivisionError:
        y += 5 * x
    return y + z if x > 1 else y


CASES = [
    (fallback, [1.0, 0.001, 3.0]), (returned, [1.0, 0.001]), (at_each_step, [2.0, -1.0, -5.0, -20.0]), (within_loops, [0.7, -0.01]),
    (around_loop, [0.01, 2.0]), (again, [0.2, -1.0, 2.0]), (nested, [2.0, -1.0, -7.0]), (inverses, [2.0, 0.5, -1.0]),
    (solved, [2.0, 0.5]), (indexed, [0.11, 0.517]), (written, [0.8, 1.5, 0.01]), (in_one_statement, [0.7, 1.3, 0.4]), (of_python, [0.5, 3.1, -1.5]),
]  # fmt: skip


@pytest.mark.parametrize(("function", "points"), CASES, ids=lambda x: getattr(x, "__name__", ""))
def test_handlers_run_where_python_runs_them(function, points):
    check_at(function, points)


def test_values_at_which_handlers_run():
    np.testing.assert_allclose(jitad.jit(solved)(1.0), solved(1.0))
    assert np.isfinite(jitad.grad(solved)(1.0))
    assert jitad.jit(of_python)(0.0) == of_python(0.0)


def test_what_is_not_handled_is_raised():
    def f(x):
        y = x
        try:
            if x < 0:
                raise KeyError("negative")
            if x > 5:
                raise ValueError("large")
            y = y * 2
        except ValueError as error:
            raise RuntimeError("far") from error
        except LookupError:
            if x < -5:
                raise
            y = y * 3
        finally:
            y = y + 1
        return y

    compiled = jitad.jit(f)
    assert compiled(2.0) == 5.0
    assert compiled(-2.0) == -5.0
    with pytest.raises(RuntimeError, match="far"):
        compiled(6.0)
    with pytest.raises(KeyError, match="negative"):
        compiled(-6.0)


def differentiated(x):
    try:
        return jitad.grad(lambda y: newton(y, 4))(x)
    except RuntimeError:
        return 0.0


def trapped(x):
    with np.errstate(over="raise"):
        try:
            return np.exp(x)
        except FloatingPointError:
            return 0.0


@pytest.mark.parametrize("function", [differentiated, trapped])
def test_handlers_that_come_too_late_are_refused(function):
    with pytest.raises(errors.ControlFlowError, match=r"cannot take effect.*\n.*test_handlers.py"):
        jitad.jit(function)(2.0)


def test_errors_of_jitad_are_not_handled():
    def f(x):
        try:
            return np.zeros(int(x))
        except Exception:
            return np.zeros(2)

    with pytest.raises(errors.ConcreteValueError):
        jitad.jit(f)(np.sum(np.ones(3)) + np.zeros(()))


def test_handlers_that_run_while_tracing_take_effect():
    def f(x):
        options = {"scale": 3.0}
        try:
            scale = options["power"]
        except KeyError:
            scale = options["scale"]
        try:
            last = x[5]
        except IndexError:
            last = x[-1]
        try:
            total = np.sum(x) * scale
        except Exception:
            total = 0.0
        finally:
            scale = 1.0
        return total + last * scale

    check(f, np.arange(3.0))
