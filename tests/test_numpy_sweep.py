"""Functions of NumPy that it writes in Python, or that need library routines: see `swept`."""

import math

import numpy as np
import pytest
from swept import check, lines

import jitad

CASES = """
# polynomials
np.roots(x[:4]) | x
np.polyfit(t,x,2) | x
np.polyfit(t,x,2,w=t+1) | x t
np.polyfit(t,x,2,cov=True) | x t
np.polydiv(x,x[:3]) | x
np.polydiv(x,x[:1]) | x
np.polydiv(x[:1],x) | x
np.sort_complex(x) | x
np.sort(z) | z
np.polynomial.polynomial.polyval(t,x) | x
np.polynomial.polynomial.polyval(x,x) | x
np.polynomial.polynomial.polyval(x,a) | x a
np.polynomial.polynomial.polyval(x[:4],a,tensor=False) | x a
np.polynomial.polynomial.polyfit(t,x,2) | x
np.polynomial.polynomial.polyfit(t,x,[0,3],w=t+1) | x t
np.polynomial.polynomial.polyfit(t,x,2,full=True)[0] | x
np.polynomial.polynomial.polymul(x,x) | x
np.polynomial.polynomial.polyadd(x,x[:3]) | x
np.polynomial.polynomial.polysub(x,x[:3]) | x
np.polynomial.polynomial.polydiv(x,x[:3]) | x
np.polynomial.polynomial.polypow(x[:3],3) | x
np.polynomial.polynomial.polyder(x) | x
np.polynomial.polynomial.polyint(x) | x
np.polynomial.polynomial.polyvander(x,3) | x
np.polynomial.polynomial.polyvander2d(x,x,[1,2]) | x
np.polynomial.polynomial.polycompanion(x) | x
np.polynomial.polynomial.polyroots(x[:4]) | x
np.polynomial.polynomial.polyfromroots(x[:4]) | x
np.polynomial.polynomial.polyvalfromroots(x,x[:4]) | x
np.polynomial.chebyshev.chebval(t,x) | x
np.polynomial.chebyshev.chebval(x,[1.,2,3]) | x
np.polynomial.chebyshev.chebvander(x,3) | x
np.polynomial.chebyshev.chebfit(t,x,3) | x
np.polynomial.chebyshev.chebder(x) | x
np.polynomial.chebyshev.chebint(x) | x
np.polynomial.chebyshev.chebmul(x,x) | x
np.polynomial.legendre.legval(x,[1.,2,3]) | x
np.polynomial.legendre.legval(t,x) | x
np.polynomial.legendre.legder(x) | x
np.polynomial.legendre.legfit(t,x,3) | x
np.polynomial.legendre.legvander(x,3) | x
np.polynomial.hermite.hermval(x,[1.,2,3]) | x
np.polynomial.hermite_e.hermeval(x,[1.,2,3]) | x
np.polynomial.laguerre.lagval(x,[1.,2,3]) | x
np.polynomial.laguerre.lagvander(x,3) | x
np.polynomial.polynomial.polyval2d(t,x,a) | a x
np.polynomial.polynomial.polygrid2d(t,x,a) | a x
np.polynomial.chebyshev.chebval2d(t,x,a) | a x
np.polynomial.chebyshev.chebgrid2d(t,x,a) | a x
np.polynomial.Polynomial([1.,2,3])(x) | x
np.polynomial.Polynomial([1.,2,3],domain=[0,2])(x) | x
np.polynomial.Chebyshev([1.,2,3]).deriv()(x) | x

# integers and powers of two
np.gcd(k,6) | k
np.ldexp(x,np.array([1,-3,5,-5,0,9,-9,7])) | x
np.lcm(k,np.array([4,6,-8,5])) | k
np.ldexp(x*1e-200,1500) | x !
np.ldexp(x,np.array([1,-3,500,-500,0,900,-900,7])) | x !

# statistics
np.histogram2d(x,x**2,bins=[np.linspace(0,3,4)]*2)[0] | x
np.histogram2d(x+.01,t+.02,bins=[np.linspace(0,3,4)]*2,weights=x)[0] | x t
np.histogram2d(x,t,bins=3,weights=x,density=True) | x t
np.histogram2d(x,t-.02,bins=[3,2],range=[[0,2.1],[-1,1]],weights=x)[0] | x t
np.histogramdd(p,bins=[np.linspace(-2,2,3)]*3,weights=p[:,0]**2)[0] | p
np.histogramdd(p,bins=2,weights=p[:,0]**2)[0] | p
np.histogram(x,bins=3,weights=x)[0] | x
np.cov(a) | a
np.cov(a,aweights=x[:4]) | a x
np.cov(a,aweights=x[:4],ddof=0) | a x
np.cov(a,aweights=x[:4],bias=True) | a x
np.cov(a,fweights=[1,2,3,1]) | a
np.cov(a,fweights=[1,2,3,1],aweights=x[:4],ddof=2) | a x
np.cov(x,x**2) | x
np.cov(a,rowvar=False) | a
np.cov(z) | z
np.cov(x) | x
np.cov(x,aweights=x) | x
np.cov(a,a[0],rowvar=True) | a
np.corrcoef(a) | a
np.corrcoef(x,x**2) | x
np.add.reduceat(x,[0,3,5]) | x
np.add.reduceat(a,[0,3,1],axis=1) | a
np.multiply.reduceat(x,[0,3,5]) | x
np.maximum.reduceat(x,[0,3,3,7]) | x
np.add.reduceat(x>1,[0,3,5]) | x
np.logaddexp.reduceat(x,[0,3,5]) | x
np.subtract.reduceat(a,[0,2],axis=0) | a
np.fft.hfft(x) | x
np.fft.ihfft(x) | x
"""


@pytest.mark.parametrize("line", lines(CASES))
def test_agrees(line):
    check(line)


def test_common_divisors_compiled():
    def f(m, n):
        return np.gcd(m, n), np.lcm(m, n), math.gcd(m[0], n[0], 12), math.lcm(m[1], n[1])

    m, n = np.array([12, -35, 0, 7]), np.array([18, 21, 0, 0])
    for dtype in (np.int64, np.int32, np.uint8):
        args = abs(m).astype(dtype) if dtype == np.uint8 else m.astype(dtype), n.astype(dtype)
        for found, wanted in zip(jitad.jit(f)(*args), f(*args), strict=True):
            np.testing.assert_array_equal(found, wanted)
    assert f(m, n)[2] == jitad.jit(f)(m, n)[2] == 6
