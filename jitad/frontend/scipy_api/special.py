"""The functions of ``scipy.special`` that are not ufuncs: logsumexp, softmax, log_softmax, softplus, multigammaln."""

from __future__ import annotations

import math

import numpy as np

from jitad.frontend.array import wrap
from jitad.frontend.numpy_api.operands import asarray
from jitad.ir import errors
from jitad.primitives.custom import stop_gradient


def softmax(x, axis=None):
    x = asarray(x)
    weights = np.exp(x - shift(x, axis))
    return weights / np.sum(weights, axis=axis, keepdims=True)


def log_softmax(x, axis=None):
    x = asarray(x)
    x = x - shift(x, axis)
    return x - np.log(np.sum(np.exp(x), axis=axis, keepdims=True))


def logsumexp(a, axis=None, b=None, keepdims=False, return_sign=False):
    if return_sign:
        raise errors.NotImplementedError("jitad does not know the option return_sign of scipy.special.logsumexp")
    a = asarray(a)
    if b is not None:
        a = np.where(b == 0, -np.inf, a)
    top = shift(a, axis)
    weights = np.exp(a - top)
    total = np.log(np.sum(weights if b is None else b * weights, axis=axis, keepdims=True)) + top
    return total if keepdims else np.squeeze(total, axis=axis)


def shift(x, axis):
    """Return the greatest element, which cancels, as a constant; 0 where it is infinite."""
    top = np.max(x, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    return wrap(stop_gradient(top.atom), scalar=False)


def softplus(x, **options):
    return np.logaddexp(0.0, x, **options)


def multigammaln(a, d):
    from scipy import special

    result = (d * (d - 1.0) * 0.25) * math.log(math.pi)
    for j in range(1, d + 1):
        result = result + special.gammaln(a - (j - 1.0) / 2)
    return result


FUNCTIONS = {function.__name__: function for function in (softmax, log_softmax, logsumexp, softplus, multigammaln)}
