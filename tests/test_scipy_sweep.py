"""Functions of SciPy: see `swept`."""

import pytest
from swept import check, lines

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
"""
TABLES = (FOURIER, SIGNALS, IMAGES, INTEGRALS, DISTANCES, INTERPOLATION)


@pytest.mark.parametrize("line", [line for table in TABLES for line in lines(table)])
def test_agrees(line):
    check(line)
