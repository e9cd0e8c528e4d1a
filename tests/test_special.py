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
    "bessel": (lambda x: (sp.jv(2, x), sp.jv(1.5, x), sp.yv(2, x), sp.iv(0, x), sp.ive(1.5, x), sp.kv(0.5, x), sp.kve(2, x), sp.kn(2, x),
                          sp.yn(np.arange(7), x), sp.struve(1, x), sp.modstruve(2, x)), X),
    "bessel of orders 0 and 1": (lambda x: (sp.j0(x) * sp.j1(x), sp.y0(x) * sp.y1(x), sp.i0(x) * sp.i1(x), sp.k0(x) * sp.k1(x),
                                            sp.i0e(-x) * sp.i1e(x), sp.k0e(x) * sp.k1e(x)), X),
    "airy": (lambda y: sp.airy(y), Y),
    "inverses": (lambda x: (sp.erfinv(x / 3), sp.erfcinv(x / 2), sp.ndtri(x / 3), sp.ndtri_exp(-x), sp.gammaincinv(1.5, x / 3),
                            sp.gammainccinv(1.5, x / 3), sp.betaincinv(2, 1.5, x / 3), sp.betainccinv(2, 1.5, x / 3), sp.stdtrit(3, x / 3)), X),
    "error functions": (lambda y: (sp.erfcx(y), sp.erfi(y), sp.dawsn(y), sp.owens_t(y, 0.5 * y)), Y),
    "integrals": (lambda x: (sp.exp1(x), sp.expi(x), sp.expn(3, x), sp.spence(x), sp.wrightomega(x), *sp.sici(x), *sp.shichi(x), *sp.fresnel(x)), X),
    "incomplete": (lambda x: (sp.gammainc(2.5, x), sp.gammaincc(2, x), sp.betainc(2.0, 1.5, x / 3), sp.betaincc(2, 0.5, x / 3), sp.rgamma(x),
                              sp.gammasgn(-x), sp.poch(x, x + 1), sp.binom(x + 4, x), sp.loggamma(x)), X),
    "distributions": (lambda x: (sp.stdtr(3, x), sp.chdtr(3, x), sp.chdtrc(3, x), sp.gdtr(2.0, 3.0, x), sp.gdtrc(2.0, 3.0, x), sp.pdtr(2, x),
                                 sp.pdtrc(2, x), sp.fdtr(2, 3, x), sp.fdtrc(2, 3, x), sp.bdtr(2, 4, x / 3), sp.bdtr(4, 4, x / 3),
                                 sp.bdtrc(2, 4, x / 3)), X),
    "elliptic": (lambda x: (sp.ellipk(x / 3), sp.ellipe(-x), sp.ellipkm1(x / 3), sp.ellipkinc(2 * x, x / 3), sp.ellipeinc(2 * x, x / 3),
                            sp.elliprf(x, x + 1, 2.0), *sp.ellipj(x, x / 3)), X),
    "hypergeometric": (lambda x: (sp.hyp2f1(1.0, 0.5, 2.0, x / 4), sp.hyp1f1(1.0, 0.5, x), sp.hyp0f1(1.5, x), sp.hyperu(1, 0.5, x)), X),
    "polynomials": (lambda x: (sp.eval_legendre(np.arange(7), x), sp.eval_chebyt(3, x), sp.eval_chebyu(3, x), sp.eval_laguerre(2, x),
                               sp.eval_hermite(3, x), sp.eval_hermitenorm(0, x), sp.eval_jacobi(2, 0.5, 0.3, x), sp.eval_gegenbauer(0, 0.5, x),
                               sp.eval_genlaguerre(2, 0.5, x), sp.lpmv(1, 3, x / 3)), X),
    "powers": (lambda x: (sp.boxcox(x, np.linspace(0, 1, 7)), sp.boxcox1p(x, 0.0), sp.inv_boxcox(x, np.linspace(0, 1, 7)), sp.inv_boxcox1p(x, 0.2),
                          sp.powm1(x, 0.3), sp.sindg(x), sp.cosdg(x), sp.tandg(x), sp.radian(x, 2.0, x)), X),
}


@pytest.mark.parametrize("name", CASES)
def test_functions(name):
    function, x = CASES[name]
    for found, expected in zip(jitad.jit(function)(x), function(x), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
        assert np.shape(found) == np.shape(expected)
    check_grads(function, (x,), rtol=1e-4)


def test_order_has_no_derivative():
    with pytest.raises(NotImplementedError, match="derivative of scipy.special.kv with respect to the order"):
        jitad.grad(lambda v, x: sp.kv(v, x))(1.5, 2.0)
    np.testing.assert_allclose(jitad.grad(lambda v, x: sp.kv(v, x), argnums=1)(1.5, 2.0), sp.kvp(1.5, 2.0))


def test_modulus_zero():
    """Where derivatives by the modulus are quotients of what vanishes."""
    def f(m):
        return sp.ellipk(m) + sp.ellipe(m) ** 2 + sp.ellipkinc(1.2, m) + sp.ellipj(0.7, m)[0]

    np.testing.assert_allclose(jitad.grad(f)(0.0), (4 * f(1e-4) - f(2e-4) - 3 * f(0.0)) / 2e-4, rtol=1e-6)
    np.testing.assert_allclose(jitad.grad(jitad.grad(lambda m: sp.ellipk(m)))(np.array([0.0, 1e-4])[1]), math.pi * 9 / 64, rtol=1e-3)


def test_single_precision_and_edges_of_library_functions():
    x = np.linspace(0.1, 3, 7, dtype=np.float32)
    found, expected = jitad.jit(lambda x: sp.jv(2, x) + sp.ellipk(x / 4))(x), sp.jv(2, x) + sp.ellipk(x / 4)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    v = np.array([0.0, -1.0, np.nan, np.inf, 2.0, -np.inf, 1e-300])
    with np.errstate(all="ignore"):
        for function in (sp.j0, sp.k1, sp.erfinv, sp.ellipk, sp.exp1, sp.ndtri):
            np.testing.assert_array_equal(jitad.jit(lambda x, function=function: function(x))(v), function(v))


def test_edges():
    v = np.array([0.0, -1.0, np.nan, np.inf, 2.0, -np.inf, 1e-300])
    pairs = tuple(map(np.ravel, np.meshgrid(v, v)))
    with np.errstate(all="ignore"):
        for function in (sp.entr, sp.ndtr, sp.log_ndtr, sp.exprel, sp.exp10, sp.gamma):
            np.testing.assert_allclose(jitad.jit(lambda x, function=function: function(x))(v), function(v), rtol=1e-12)
        for function in (sp.rel_entr, sp.kl_div, sp.huber, sp.xlogy):
            np.testing.assert_allclose(jitad.jit(lambda x, y, function=function: function(x, y))(*pairs), function(*pairs), rtol=1e-12)
