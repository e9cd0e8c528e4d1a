"""Functions of SciPy: see `swept`."""

import re

import numpy as np
import pytest
from scipy import integrate, interpolate, linalg, optimize, signal, stats
from swept import ARRAYS, check, function_of, lines

import jitad
from jitad.testing import check_grads

FOURIER = """
fft.fft(x) | x
fft.irfft(fft.rfft(x,10),9) | x
fft.fft2(image) | image
fft.rfftn(image) | image
fft.hfft(x) | x
fft.fftshift(x) | x
fft.fft(x,workers=1,norm="ortho") | x
fft.dct(x) | x
fft.dct(x,1) | x
fft.dct(x,3) | x
fft.dct(x,4) | x
fft.dct(x,norm="ortho") | x
fft.dct(x,1,norm="ortho") | x
fft.dct(x,3,norm="ortho") | x
fft.dct(image,axis=0,n=5) | image
fft.dct(f) | f
fft.idct(x) | x
fft.idct(x,1) | x
fft.idct(x,3,norm="ortho") | x
fft.idct(x,norm="ortho") | x
fft.idct(x,4,norm="forward") | x
fft.dst(x) | x
fft.dst(x,1) | x
fft.dst(x,3) | x
fft.dst(x,4) | x
fft.dst(x,norm="ortho") | x
fft.dst(x,3,norm="ortho") | x
fft.idst(x,1,norm="ortho") | x
fft.idst(x) | x
fft.dctn(image,norm="ortho") | image
fft.idctn(image) | image
fft.dstn(image) | image
fft.dct(z) | z
"""
SIGNALS = """
signal.convolve(x,x[:3]) | x
signal.convolve(x[:3],x,mode="same") | x
signal.convolve(image,a,mode="same") | image a
signal.convolve(image,a,mode="valid") | image a
signal.convolve(z,a) | z a
signal.fftconvolve(image,image[::-1]) | image
signal.fftconvolve(x,y,mode="same") | x y
signal.oaconvolve(x,x[:3]) | x
signal.correlate(x,x[:3]) | x
signal.correlate(image,a,mode="valid") | image a
signal.correlate(x[:3],x,mode="same") | x
signal.correlate(z,a) | z a
signal.convolve2d(image,a) | image a
signal.convolve2d(image,a,mode="same",boundary="symm") | image a
signal.convolve2d(image,a,boundary="wrap") | image a
signal.convolve2d(image,a,mode="same",fillvalue=2.0) | image a
signal.correlate2d(image,a,mode="valid") | image a
signal.lfilter([1.,.5],[1.,-.3,.1],x) | x
signal.lfilter(x[:3],x[:2],x) | x
signal.lfilter([1.,.5],[1.,-.3,.1],image,axis=0) | image
signal.lfilter([1.,.5],[1.,-.3,.1],x,zi=[.1,.2]) | x
signal.lfilter([.5],[2.],x) | x
signal.lfilter([.5,1.,.3],1.,x) | x
signal.filtfilt([1.,.5],[1.,-.3],np.tile(x,4)) | x
signal.sosfilt(signal.butter(3,.3,output="sos"),x) | x
signal.sosfiltfilt(signal.butter(3,.3,output="sos"),np.tile(x,4)) | x
signal.hilbert(x) | x
signal.hilbert(image,axis=0) | image
signal.detrend(x) | x
signal.detrend(image,axis=0,type="constant") | image
signal.savgol_filter(x,5,2) | x
signal.savgol_filter(y,5,2,deriv=1,delta=.1) | y
signal.savgol_filter(y,5,3,mode="nearest") | y
signal.savgol_filter(image,5,3,mode="mirror",axis=1) | image
signal.medfilt(y,3) | y
signal.resample(x,5) | x
signal.resample(y,8) | y
signal.resample(x,14) | x
signal.resample(y,6) | y
signal.freqz(x[:3],y[:2],worN=8)[1] | x y
signal.welch(np.tile(x,8),nperseg=16)[1] | x
signal.welch(np.tile(x,8),10.0,"hamming",12,scaling="spectrum",detrend="linear")[1] | x
signal.periodogram(x)[1] | x
signal.csd(np.tile(x,8),np.tile(y,8),nperseg=16)[1] | x y
signal.coherence(np.tile(x,8),np.tile(y**2,8),nperseg=15)[1] | x y
signal.spectrogram(np.tile(x,8),nperseg=16)[2] | x
"""
IMAGES = """
ndimage.correlate1d(image,x[:3]) | image x
ndimage.correlate1d(image,x[:4],axis=0,mode="constant",cval=2.0) | image x
ndimage.convolve1d(image,x[:4],origin=1) | image x
ndimage.convolve1d(image,x[:3],mode="nearest") | image x
ndimage.correlate(image,a[:3,:3],mode="wrap") | image a
ndimage.convolve(image,a[:3,:3]) | image a
ndimage.convolve(image,a,mode="constant") | image a
ndimage.convolve(image,a[:3,:2],mode="mirror",origin=[1,0]) | image a
ndimage.gaussian_filter(image,1.2) | image
ndimage.gaussian_filter(image,[.5,.8],order=[0,1],mode=["nearest","wrap"]) | image
ndimage.gaussian_filter1d(image,1.2,order=2) | image
ndimage.gaussian_filter(f,1.) | f
ndimage.uniform_filter(image,3) | image
ndimage.uniform_filter(image,[2,4],mode="mirror") | image
ndimage.uniform_filter1d(image,4,origin=-1) | image
ndimage.laplace(image) | image
ndimage.sobel(image) | image
ndimage.prewitt(image,axis=0,mode="constant") | image
ndimage.gaussian_laplace(image,1.) | image
ndimage.gaussian_gradient_magnitude(image,1.) | image
ndimage.maximum_filter(image,3) | image
ndimage.minimum_filter(image,[2,3],mode="nearest") | image
ndimage.median_filter(image,3) | image
ndimage.maximum_filter1d(image,3,axis=0) | image
ndimage.map_coordinates(image,np.stack([x*2+.13,y+1.6]),order=1) | image x y
ndimage.map_coordinates(image,np.stack([x*2+.13,y+1.6])) | image x y
ndimage.map_coordinates(image,np.stack([x*2+.13,y+1.6]),order=0) | image x y
ndimage.map_coordinates(image,np.stack([x*2+.13,y+1.6]),order=2,mode="mirror") | image x y
ndimage.map_coordinates(image,np.stack([x*4-3.1,y*6+1.6]),order=3,mode="reflect") | image x y
ndimage.map_coordinates(image,np.stack([x*4-3.1,y*6+1.6]),order=1,mode="nearest") | image x y
ndimage.map_coordinates(image,np.stack([x*4-3.1,y*6+1.6]),order=3,mode="nearest") | image x y
ndimage.map_coordinates(image,np.stack([x*4-3.1,y*6+1.6]),order=3,mode="grid-wrap") | image x y
ndimage.map_coordinates(image,np.stack([x*4-3.1,y*6+1.6]),order=3,mode="wrap") | image x y
ndimage.map_coordinates(image,np.stack([x*4-3.1,y*6+1.6]),order=1,mode="constant",cval=3.0) | image x y
ndimage.map_coordinates(image,np.stack([x*4-3.1,y*6+1.6]),order=3,mode="grid-constant",cval=3.0) | image x y
ndimage.map_coordinates(image,np.stack([x*2+.13,y+1.6]),order=5) | image x y
ndimage.map_coordinates(image,np.stack([x*2+.13,y+1.6]),order=4,prefilter=False) | image x y
ndimage.spline_filter(image) | image
ndimage.spline_filter1d(image,5,axis=0,mode="reflect") | image
ndimage.shift(image,(.3,.4),order=1) | image
ndimage.shift(image,(.3,x[0])) | image x
ndimage.zoom(image,1.7) | image
ndimage.affine_transform(image,a[:2,:2]+np.eye(2),[.3,.2],order=1) | image a
"""
INTEGRALS = """
integrate.trapezoid(x,t) | x
integrate.trapezoid(image,dx=.1,axis=0) | image
integrate.simpson(x,x=t) | x t
integrate.simpson(image,dx=.1) | image
integrate.simpson(image,x=x,axis=1) | image x
integrate.simpson(image,axis=0) | image
integrate.cumulative_trapezoid(y,x) | x y
integrate.cumulative_trapezoid(image,initial=0,axis=0) | image
integrate.cumulative_simpson(y,x=x) | x y
integrate.cumulative_simpson(image,dx=.2,initial=1.0,axis=0) | image
integrate.romb(np.append(x,1.),dx=.3) | x
"""
DISTANCES = """
spatial.distance.cdist(p,q) | p q
spatial.distance.cdist(p,q,"sqeuclidean") | p q
spatial.distance.cdist(p,q,"cityblock") | p q
spatial.distance.cdist(p,q,"cosine") | p q
spatial.distance.cdist(p,q,"chebyshev") | p q
spatial.distance.cdist(p,q,"minkowski",p=3) | p q
spatial.distance.cdist(p,q,"correlation") | p q
spatial.distance.cdist(p,q,"canberra") | p q
spatial.distance.cdist(p,q,"braycurtis") | p q
spatial.distance.cdist(p,q,"seuclidean",V=[1.,2.,3.]) | p q
spatial.distance.cdist(p**2,q**2,"jensenshannon") | p q
spatial.distance.pdist(p) | p
spatial.distance.squareform(spatial.distance.pdist(p)) | p
spatial.distance.squareform(spatial.distance.cdist(p,p)+1,checks=False) | p !
spatial.distance.euclidean(p[0],p[1]) | p
spatial.distance.cosine(p[0],p[1]) | p
spatial.distance.minkowski(p[0],p[1],3) | p
spatial.distance.mahalanobis(b,b**2,s) | b s
spatial.distance.jensenshannon(x,t+.1) | x t
spatial.distance_matrix(p,q) | p q
spatial.distance_matrix(p,q,p=1) | p q
"""
INTERPOLATION = """
interpolate.interp1d(t,x)(.33) | x
interpolate.interp1d(t,image)(t[:3]*.9+.05) | image t
interpolate.interp1d(np.arange(7.),image,axis=0,kind="cubic")(x) | image x
interpolate.interp1d(t,x,kind="cubic")(.33) | x
interpolate.interp1d(np.linspace(0,3,5),[1.,3.,2.,5.,4.])(x) | x
interpolate.interp1d(np.linspace(0,3,5),[1.,3.,2.,5.,4.],kind="cubic")(x) | x
interpolate.interp1d(np.linspace(0,3,5),[1.,3.,2.,5.,4.],kind="nearest")(x) | x
interpolate.interp1d(np.linspace(.5,2,5),[1.,3.,2.,5.,4.],bounds_error=False,fill_value=(0.,7.))(x) | x
interpolate.interp1d(np.linspace(.5,2,5),y[:5],fill_value="extrapolate")(x) | x y
interpolate.CubicSpline(t,x)(.33) | x
interpolate.CubicSpline(x,y)(t+.3) | x y t
interpolate.CubicSpline(np.linspace(0,3,5),[1.,3.,2.,5.,4.])(x) | x
interpolate.CubicSpline(t,y,bc_type="natural")([.1,.7]) | y
interpolate.CubicSpline(t,y,bc_type="clamped")([.1,.7],1) | y
interpolate.CubicSpline(t,y,bc_type=((1,.3),(2,-.2)))([.1,.7]) | y
interpolate.CubicSpline(np.linspace(0,1,9),np.append(y,y[0]),bc_type="periodic")([.1,.7,1.3]) | y
interpolate.CubicSpline(t,image,axis=1)([.1,.7]) | image
interpolate.CubicSpline(t,y).derivative()(x/3) | x y
interpolate.CubicSpline(t,y).integrate(.1,.8) | y
interpolate.PchipInterpolator(t,y)(x/3) | x y
interpolate.PchipInterpolator(np.linspace(0,3,5),[1.,3.,2.,5.,4.])(x) | x
interpolate.Akima1DInterpolator(t,y)(x/3) | x y
interpolate.CubicHermiteSpline(t,x,y)(.33) | x y
interpolate.PPoly(a,np.arange(5.))(x) | a x
interpolate.BSpline(np.arange(12.),x,3)(y+5.3) | x y
interpolate.BSpline(np.arange(12.)/4,np.arange(8.)**2,3)(x,1) | x
interpolate.make_interp_spline(np.linspace(0,3,6),[1.,3.,2.,5.,4.,1.])(x) | x
interpolate.UnivariateSpline(np.linspace(0,3,6),[1.,3.,2.,5.,4.,1.],s=0)(x) | x
interpolate.splev(x,interpolate.splrep(np.linspace(0,3,6),[1.,3.,2.,5.,4.,1.])) | x
interpolate.RegularGridInterpolator((np.arange(7.),np.arange(8.)),image)(np.stack([x,x*2],-1)) | image x
interpolate.RegularGridInterpolator((np.arange(7.),np.arange(8.)),ARRAYS["image"],bounds_error=False,fill_value=None)((x*3,x-.5)) | x
interpolate.RegularGridInterpolator((np.arange(7.),np.arange(8.)),image,method="nearest")([1.2,2.9]) | image
interpolate.interpn((np.arange(7.),np.arange(8.)),image,np.stack([x,x],-1)) | image x
interpolate.make_interp_spline(ARRAYS["t"],y)(x/3) | x y
interpolate.make_interp_spline(ARRAYS["t"],image.T,k=2)(x/3) | x image
interpolate.make_interp_spline(ARRAYS["t"],y,bc_type="natural").derivative()(x/3) | x y
interpolate.make_lsq_spline(ARRAYS["t"],y,[0,0,0,0,.5,1,1,1,1])(x/3) | x y
interpolate.make_smoothing_spline(ARRAYS["t"],y,lam=.1)(x/3) | x y
interpolate.InterpolatedUnivariateSpline(ARRAYS["t"],y)(x/3,1) | x y
interpolate.UnivariateSpline(ARRAYS["t"],y,k=4,s=0).integral(.1,x[3]) | x y
interpolate.UnivariateSpline(ARRAYS["t"],y,s=0).antiderivative()(x/3) | x y
interpolate.splev(x/3,interpolate.splrep(ARRAYS["t"],y,k=2),1) | x y
interpolate.splint(.2,.9,interpolate.splrep(ARRAYS["t"],y)) | y
interpolate.interp1d(ARRAYS["t"],image,"quadratic")(x/3) | x image
interpolate.RectBivariateSpline(ARRAYS["t"][:7],ARRAYS["t"],image)(x/3,x[2:5]/4) | x image
interpolate.RectBivariateSpline(ARRAYS["t"][:7],ARRAYS["t"],image,kx=2).ev(x/3,x/4,dx=1) | x image
interpolate.RectBivariateSpline(ARRAYS["t"][:7],ARRAYS["t"],ARRAYS["image"]).ev(x/3,x/4) | x
interpolate.RectBivariateSpline(ARRAYS["t"][:7],ARRAYS["t"],ARRAYS["image"])(x/3,x/4,dy=1) | x
interpolate.RBFInterpolator(ARRAYS["p"],x[:5])(ARRAYS["q"]) | x
interpolate.griddata(ARRAYS["p"][:,:2],x[:5],[[.1,-.2]],method="nearest") | x
interpolate.LinearNDInterpolator(ARRAYS["a"][:,:2],b)(np.mean(ARRAYS["a"][:,:2],0)) | b
interpolate.BarycentricInterpolator(ARRAYS["t"],y)([.3,.4]) | y
"""
STATISTICS = """
stats.norm.logpdf(x) | x
stats.norm.logpdf(x,x[0],2.) | x
stats.norm(x[0],2.).logpdf(x) | x
stats.norm(.3,2.).cdf(x) | x
stats.norm.pdf(x,loc=1.,scale=y[0]) | x y
stats.norm.cdf(y) | y
stats.norm.logcdf(y) | y
stats.norm.sf(y) | y
stats.norm.logsf(y,.1,.5) | y
stats.norm.ppf(x/3,1.,2.) | x
stats.norm.isf(x/3) | x
stats.gamma.logpdf(x,2.,scale=x[3]) | x
stats.gamma.logpdf(y,2.) | y !
stats.gamma.cdf(x,2.) | x
stats.gamma.sf(x,2.) | x
stats.gamma.ppf(x/3,2.) | x
stats.beta.logpdf(x/3,x[1],3.) | x
stats.beta.cdf(x/3,2.,3.) | x
stats.beta.ppf(x/3,2.,3.) | x
stats.t.logpdf(x,x[4]) | x
stats.t.cdf(x,3.) | x
stats.t.ppf(x/3,3.) | x
stats.expon.logpdf(y,0.,x[0]) | x y !
stats.expon.cdf(x,scale=2.) | x
stats.expon.logsf(x,scale=2.) | x
stats.uniform.pdf(x+.01) | x
stats.uniform.cdf(x+.01,.1,2.) | x
stats.lognorm.logpdf(x,.5) | x
stats.lognorm.cdf(x,.5) | x
stats.cauchy.logpdf(x,1.,2.) | x
stats.cauchy.cdf(x) | x
stats.laplace.logpdf(y+.01) | y
stats.laplace.cdf(y+.01) | y
stats.logistic.logpdf(y+.01) | y
stats.logistic.logcdf(y) | y
stats.chi2.logpdf(x,3.) | x
stats.chi2.sf(x,3.) | x
stats.invgamma.logpdf(x,3.) | x
stats.invgamma.cdf(x,3.) | x
stats.weibull_min.logpdf(x,x[6]) | x
stats.weibull_min.ppf(x/3,2.) | x
stats.gumbel_r.logpdf(x) | x
stats.gumbel_l.cdf(x) | x
stats.halfnorm.logpdf(x) | x
stats.halfnorm.cdf(x) | x
stats.halfcauchy.logpdf(x,scale=2.) | x
stats.pareto.logpdf(x+1,3.) | x
stats.truncnorm.logpdf(x,-.1,5.) | x
stats.truncnorm.logpdf(x,.1,x[6]+1) | x
stats.skewnorm.logpdf(y,3.) | y
stats.skewnorm.cdf(y,3.) | y
stats.rayleigh.logpdf(x) | x
stats.maxwell.logpdf(x) | x
stats.vonmises.logpdf(y,x[5]) | x y
stats.f.logpdf(x,3.,4.) | x
stats.f.cdf(x,3.,4.) | x
stats.invgauss.logpdf(x,1.5) | x
stats.poisson.logpmf(3,x) | x
stats.poisson.pmf(np.arange(8),x) | x
stats.poisson(x).logpmf([1.,2.5,0,3,4,5,6,-1]) | x !
stats.poisson.cdf(2,x) | x
stats.binom.logpmf(3,8,x/3) | x
stats.bernoulli.logpmf([0,1,1,0,2,1,0,1],x/3) | x !
stats.geom.logpmf(3,x/3) | x
stats.nbinom.logpmf(3,8,x/3) | x
stats.multivariate_normal.logpdf(b,np.zeros(4),a@a.T+4*np.eye(4)) | a b
stats.multivariate_normal.pdf(np.stack([b,2*b]),b**2,s) | b
stats.multivariate_normal(np.zeros(4),s).logpdf(b) | b
stats.multivariate_normal.logpdf(x,1.,2.) | x
stats.dirichlet.logpdf([.2,.3,.5],x[:3]) | x
stats.zscore(x) | x
stats.gmean(x) | x
stats.hmean(image**2+1,axis=1) | image
stats.skew(y,bias=False) | y
stats.kurtosis(image) | image
stats.moment(x,3) | x
stats.sem(x) | x
stats.variation(x) | x
stats.entropy(x) | x
stats.entropy(x,y**2+.1,base=2) | x y
"""
MATRICES = """
linalg.lu_solve(linalg.lu_factor(s),b) | s b
linalg.lu_solve(linalg.lu_factor(a),s,trans=1) | a s
linalg.expm(a) | a
linalg.expm(np.stack([a,9*a])) | a
linalg.expm(z*.1) | z
linalg.expm(a*1e-3) | a
linalg.svd(p)[1] | p
linalg.svd(p,full_matrices=False)[1] | p
linalg.svdvals(p) | p
linalg.qr(p,mode="economic") | p
linalg.qr(a) | a
linalg.qr(p,mode="r")[0][:3] | p
linalg.eigh(a@a.T)[0] | a
linalg.eigh(a+a.T,eigvals_only=True) | a
linalg.eigh(a+a.T,a@a.T+np.eye(4),eigvals_only=True) | a
abs(linalg.eigh(a+a.T,a@a.T+np.eye(4))[1]) | a
linalg.eigvalsh(a+a.T) | a
linalg.eigvals(a) | a
linalg.pinv(p) | p
linalg.pinvh(a@a.T) | a
linalg.lstsq(p,x[:5])[0] | p x
linalg.circulant(x) | x
linalg.hankel(x[:3],y[:4]) | x y
linalg.hankel(x) | x
linalg.companion(x) | x
linalg.solve_circulant(x,y) | x y
linalg.solve_toeplitz(x+5*(np.arange(8)==0),y) | x y
linalg.solve_toeplitz((x+5*(np.arange(8)==0),y),np.stack([x,y],1)) | x y
linalg.matmul_toeplitz((x,y),np.stack([x,y],1)) | x y
linalg.khatri_rao(a,s) | a s
linalg.solve_sylvester(s,s,a) | s a
linalg.solve_continuous_lyapunov(s,a) | s a
linalg.solve_discrete_lyapunov(a*.1,s) | a s
linalg.inv(a) | a
linalg.sqrtm(s) | s
linalg.sqrtm(s+a/3) | a s
linalg.sqrtm(z+4*np.eye(4)) | z
linalg.logm(s+a/3) | a s
linalg.logm(z@z+9*np.eye(4)) | z
linalg.fractional_matrix_power(s,.3) | s
linalg.fractional_matrix_power(a,2) | a
linalg.cosm(a) | a
linalg.sinm(z/3) | z
linalg.tanm(a/3) | a
linalg.coshm(a) | a
linalg.tanhm(a/3) | a
linalg.polar(a) | a
linalg.eigvalsh_tridiagonal(x,y[1:]) | x y
abs(linalg.eigh_tridiagonal(x,y[1:])[1]) | x y
"""
SPECIAL = """
sp.polygamma(1,x) | x
sp.polygamma([0,1,2],x[:,None]) | x
sp.zeta(x+1.5) | x
sp.zeta(x+1.5,y+2) | x y
sp.comb(x+4,2) | x
sp.perm(x+4,2) | x
sp.factorial(x) | x
sp.sinc(y+.1) | y
sp.jvp(2,x) | x
sp.jvp(2,x,2) | x
sp.ivp(1,x) | x
sp.kvp(1,x,3) | x
sp.yvp(0,x) | x
sp.spherical_jn(2,x) | x
sp.spherical_jn(np.arange(3),x[:,None]) | x
sp.spherical_yn(1,x,derivative=True) | x
sp.spherical_in(0,x) | x
sp.spherical_kn(3,x) | x
sp.legendre(3)(x) | x
sp.lambertw(x) | x
sp.lambertw(-x,-1) | x
sp.lambertw(-.1*t-.01,-1) | t
sp.lambertw(z) | z
sp.lambertw(z,2) | z
sp.sph_harm_y(2,1,x,y) | x y
sp.sph_harm_y(3,-2,x,y) | x y
sp.sph_harm_y(2,0,x,y) | x y
sp.diric(x,3) | x
sp.wofz(z) | z
sp.wofz(-1j*abs(z)) | z
sp.wofz(x) | x
sp.voigt_profile(x,y**2+.1,.3) | x y
sp.voigt_profile(x,.4,x[:1]) | x
sp.voigt_profile(x,0.,y**2+.1) | x y
np.frexp(x*100-1) | x
np.ldexp(*np.frexp(y)) | y
sp.logsumexp(y,b=x-1,return_sign=True) | x y
"""
SPARSE = """
sparse.csr_matrix((x,([0,1,2,3,0,1,2,0],[3,2,1,0,1,1,0,3])),shape=(4,4))@b | x b
sparse.csr_matrix((x,([0,1,2,3,0,1,2,0],[3,2,1,0,1,1,0,3])),shape=(4,4))*b | x b
sparse.csr_matrix((x[:4],[1,0,2,1],[0,2,3,4]),shape=(3,3)).toarray() | x
b@sparse.coo_matrix((x[:4],([0,1,2,3],[0,1,1,2])),shape=(4,3)) | x b
a@sparse.csc_array(a[:,:3]).T.T | a
sparse.csr_matrix(a).dot(b) | a b
sparse.diags([x[:4],x[:3],x[1:4]],[0,1,-1])@b | x b
sparse.diags(x[:4]).T.toarray() | x
(sparse.diags(x[:4])*2-sparse.csr_matrix(a)).diagonal() | x a
(sparse.csr_matrix(ARRAYS["a"])+sparse.diags(x[:4])/3).toarray() | x
(sparse.csr_matrix(ARRAYS["p"]).T@sparse.diags(x[:5])@sparse.csr_matrix(ARRAYS["p"])).toarray() | x
sparse.kron(sparse.eye(2),sparse.diags([x[:4],x[1:4]],[0,1])).toarray() | x
sparse.bmat([[sparse.diags(x[:3]),None],[sparse.csr_matrix(a[:,:3]),sparse.eye(4)]]).toarray() | x a
sparse.vstack([sparse.diags(x[:3]),sparse.eye(3)])@y[:3] | x y
sparse.linalg.spsolve(sparse.diags([x+3,x[1:],y[:7]],[0,1,-1],format="csc"),y) | x y
sparse.linalg.spsolve(sparse.csc_matrix(a),np.stack([b,b*b],1)) | a b
sparse.linalg.spsolve(sparse.csc_matrix((x,([0,1,2,3,0,1,2,3],[3,2,1,0,0,1,2,3])),shape=(4,4)).T,b) | x b
sparse.linalg.splu(sparse.csc_matrix(s)).solve(b) | s b
sparse.linalg.cg(s,b,rtol=1e-13) | s b
sparse.linalg.cg(sparse.diags([x+3,x[1:],x[1:]],[0,1,-1]),y,rtol=1e-13)[0] | x y
sparse.linalg.gmres(sparse.csr_matrix(ARRAYS["s"]),b,rtol=1e-13)[0] | b
sparse.linalg.bicgstab(a+6*np.eye(4),b,rtol=1e-13,M=np.diag(1/(6+np.arange(4))))[0] | a b
sparse.linalg.gmres(sparse.linalg.LinearOperator((4,4),matvec=lambda v:(3+b)*v+b[0]*np.roll(v,1)),b,rtol=1e-13)[0] | b
"""
TABLES = (SPARSE, MATRICES, SPECIAL, STATISTICS, FOURIER, SIGNALS, IMAGES, INTEGRALS, DISTANCES, INTERPOLATION)

CALLBACKS = """
integrate.quad(lambda u:np.exp(-u*x[0]),0,1)[0] | x
integrate.quad(lambda u:np.exp(-u*x[2]),x[0],np.inf)[0] | x
integrate.quad(lambda u:np.exp(-u*u*x[2]),np.inf,-np.inf)[0] | x
integrate.quad(lambda u,k:np.exp(u*k),-np.inf,y[3],args=(x[2],))[0] | x y
integrate.quad(lambda u:np.sqrt(u)*x[2],0,x[1])[0] | x
integrate.quad(lambda u:u**2,0,2.0)[0]*x | x
optimize.brentq(lambda u:u**3-x[0],0,5) | x
optimize.brentq(lambda u,k:np.exp(u)*u-k,0,x[7],args=(x[2],)) | x
optimize.root_scalar(lambda u:u**3-x[0],bracket=(0,5)).root | x
optimize.bisect(lambda u:np.cos(u)-x[0],0,3) | x
optimize.newton(lambda u:u**3-x[0],1.0) | x
optimize.root_scalar(lambda u:u**3-x[0],x0=1.0,fprime=lambda u:3*u*u).root | x
optimize.brentq(lambda u:u**3-2,0,5)*x | x
"""


@pytest.mark.parametrize("line", lines(CALLBACKS))
def test_functions_of_functions_agree(line):
    check(line, rtol=1e-8)


def test_roots_and_integrals_compiled():
    """Branches in what is integrated; second derivatives of roots; what SciPy raises."""
    def temperature(flux):
        return optimize.brentq(lambda t: 0.9 * t**4 + 0.1 * t - flux if t > 0 else t - flux, -1.0, 5.0)

    np.testing.assert_allclose(jitad.jit(temperature)(2.0), temperature(2.0), rtol=1e-10)
    check_grads(temperature, (2.0,), order=2)
    with pytest.raises(ValueError, match="different signs"):
        jitad.jit(temperature)(1e9)

    def f(k):
        return integrate.quad(lambda u: k * u if u < k else u * u, 0, 2)[0]

    np.testing.assert_allclose(jitad.grad(f)(0.7), (f(0.7 + 1e-5) - f(0.7 - 1e-5)) / 2e-5, rtol=1e-3)


@pytest.mark.parametrize("line", [line for table in TABLES for line in lines(table)])
def test_agrees(line):
    check(line)


def test_compiled():
    """Loops of jitad's own in kernels: a filter, squarings whose number is known when the kernel runs; objects made of traced values."""
    def f(x, c):
        spline = interpolate.CubicSpline(np.linspace(0, 1, 8), signal.lfilter([1.0, 0.5], [1.0, -c, 0.1], x))
        return np.sum(linalg.expm(np.outer(x, x)) ** 0.1) + spline(c) + stats.norm(c, 2.0).logpdf(x[0])

    x = np.linspace(0.1, 1.5, 8)
    np.testing.assert_allclose(jitad.jit(f)(x, 0.3), f(x, 0.3), rtol=1e-10)
    check_grads(f, (x, 0.3), order=1)


def test_objects_made_outside():
    table = interpolate.RegularGridInterpolator((np.arange(4.0), np.arange(3.0)), np.arange(12.0).reshape(4, 3) ** 2)
    spline, prior = interpolate.PchipInterpolator(np.arange(4.0), [0.0, 1.0, 4.0, 3.0]), stats.gamma(2.0, scale=3.0)

    def f(x):
        return table([x, 0.5 * x])[0] + spline(x) + prior.logpdf(x)

    np.testing.assert_allclose(jitad.jit(f)(1.2), f(1.2))
    np.testing.assert_allclose(jitad.grad(f)(1.2), (f(1.2 + 1e-6) - f(1.2 - 1e-6)) / 2e-6, rtol=1e-7)


REFUSED = {
    "sparse.csr_array(a) * a": "use @",
    "linalg.lu_factor(a)[0]": "hand its result to lu_solve", "ndimage.zoom(a, 2, grid_mode=True)": "grid_mode=True",
    "interpolate.UnivariateSpline(ARRAYS['t'], a.ravel()[:8])(1.5)": "pass s=0", "stats.levy.logpdf(a)": "levy.logpdf",
    "signal.filtfilt(a[0], [1.0, 0.5], a[1])": "use lfilter", "spatial.distance.cdist(a, a, 'hamming')": "hamming",
    "signal.lfilter([1.0], [1.0, 0.2], a, zi=np.zeros((4, 3)))": "zi",
}  # fmt: skip


@pytest.mark.parametrize("code", REFUSED)
def test_refusals_say_what_to_write(code):
    function = function_of(code, ["a"])
    with pytest.raises(jitad.JitadError, match=re.escape(REFUSED[code])):
        jitad.jit(function).lookup([ARRAYS["a"]], {})
