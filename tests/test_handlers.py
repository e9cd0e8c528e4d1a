"""`try` statements: what is handled while the function is traced is; handlers that would come too late are refused."""

import numpy as np
import pytest
from staged import check

import jitad
from jitad.ir import errors


def index(x, k):
    try:
        return x[k] * 2
    except IndexError:
        return 0.0


def factor(x, k):
    try:
        return np.sum(np.linalg.cholesky(np.outer(x, x)))
    except np.linalg.LinAlgError:
        return np.inf


def divide(x, k):
    try:
        ratio = 1 / k
    except (ZeroDivisionError, KeyError):
        ratio = 0.0
    return ratio * x[0]


@pytest.mark.parametrize("function", [index, factor, divide])
def test_handlers_that_come_too_late_are_refused(function):
    with pytest.raises(errors.ControlFlowError, match=r"handler for \w+ cannot take effect.*\n.*test_handlers.py"):
        jitad.jit(function)(np.ones(3), 1)


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
