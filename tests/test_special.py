"""``scipy.special`` and ``math``: values against SciPy, derivatives in both modes against numerical ones."""

import math

import numpy as np
import pytest
from scipy import special as sp

import jitad
from jitad.testing import check_grads

X = np.linspace(0.113, 2.7, 7)
Y = np.linspace(-3.0, 3.1, 9)
A = np.sin(np.arange(12.0)).reshape(3, 4)

CASES = {
    "gamma": (lambda x: (sp.gamma(x), sp.gamma(-x), sp.gammaln(x), sp.psi(x), sp.digamma(x) * math.gamma(x[0]), math.lgamma(x[1])), X),
    "beta": (lambda x: (sp.beta(x, x + 1), sp.betaln(x, 2.0), sp.beta(x, 200.0), sp.multigammaln(x + 2, 3)), X),
    "erf": (lambda y: (sp.erf(y), sp.erfc(y), sp.ndtr(y), sp.log_ndtr(12 * y), math.erf(y[0])), Y),
    "entropy": (lambda x: (sp.entr(x), sp.rel_entr(x, x**2), sp.kl_div(x, x**2 + 0.1), sp.xlogy(x, x + 1)), X),
    "losses": (lambda y: (sp.huber(1.0, y), sp.pseudo_huber(1.5, y), sp.expit(y), sp.log_expit(y), sp.logit(sp.expit(y))), Y),
    "exponentials": (lambda y: (sp.exp10(y), sp.exprel(y), sp.exprel(y * 1e-6), sp.cosm1(y)), Y),
    "softmax": (lambda a: (sp.softmax(a), sp.softmax(a, axis=0), sp.log_softmax(a, axis=-1)), A),
    "logsumexp": (lambda a: (sp.logsumexp(a), sp.logsumexp(a * 1e3, axis=1), sp.logsumexp(a, axis=0, b=a**2, keepdims=True)), A),
}


@pytest.mark.parametrize("name", CASES)
def test_functions(name):
    function, x = CASES[name]
    for found, expected in zip(jitad.jit(function)(x), function(x), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
        assert np.shape(found) == np.shape(expected)
    check_grads(function, (x,), rtol=1e-4)


def test_edges():
    v = np.array([0.0, -1.0, np.nan, np.inf, 2.0, -np.inf, 1e-300])
    pairs = tuple(map(np.ravel, np.meshgrid(v, v)))
    with np.errstate(all="ignore"):
        for function in (sp.entr, sp.ndtr, sp.log_ndtr, sp.exprel, sp.exp10, sp.gamma):
            np.testing.assert_allclose(jitad.jit(lambda x, function=function: function(x))(v), function(v), rtol=1e-12)
        for function in (sp.rel_entr, sp.kl_div, sp.huber, sp.xlogy):
            np.testing.assert_allclose(jitad.jit(lambda x, y, function=function: function(x, y))(*pairs), function(*pairs), rtol=1e-12)
