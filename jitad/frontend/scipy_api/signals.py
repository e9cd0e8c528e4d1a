"""``scipy.signal``: convolutions, filters, spectra."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from jitad.frontend.arrays.array import Array
from jitad.frontend.hooks.own_code import traced_as_users
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.operations.promotion import contains_traced
from jitad.frontend.scipy_api.options import refuse
from jitad.ir import errors

DIRECT = 64  # elements of a kernel up to which its shifts are added up; beyond, transforms are multiplied

# --- convolutions ---------------------------------------------------------------------------------------------------------------


def operands(a, b) -> list[Array]:
    a, b = asarray(a), asarray(b)
    dtype = np.result_type(a.dtype, b.dtype)
    if a.ndim != b.ndim:
        raise errors.ValueError("in1 and in2 should have the same dimensionality")
    return [a.astype(dtype), b.astype(dtype)]


def whole_convolution(a: Array, b: Array, transform: bool) -> Array:
    """All places at which two arrays overlap."""
    shape = [n + m - 1 for n, m in zip(a.shape, b.shape, strict=True)]
    if transform and a.dtype.kind in "fc":
        if a.dtype.kind == "c":
            return np.fft.ifftn(np.fft.fftn(a, shape) * np.fft.fftn(b, shape))
        axes = tuple(range(a.ndim))
        return np.fft.irfftn(np.fft.rfftn(a, shape, axes) * np.fft.rfftn(b, shape, axes), shape, axes).astype(a.dtype)
    if math.prod(b.shape) > math.prod(a.shape):
        a, b = b, a
    padded, total = np.pad(a, [(m - 1, m - 1) for m in b.shape]), None
    for index in itertools.product(*map(range, b.shape)):
        start = [m - 1 - k for k, m in zip(index, b.shape, strict=True)]
        term = padded[tuple(slice(i, i + n) for i, n in zip(start, shape, strict=True))] * b[index]
        total = term if total is None else total + term
    return total


def middle(x: Array, shape) -> Array:
    starts = [(n - m) // 2 for n, m in zip(x.shape, shape, strict=True)]
    return x[tuple(slice(i, i + m) for i, m in zip(starts, shape, strict=True))]


def cut(full: Array, mode: str, first, second) -> Array:
    if mode == "full":
        return full
    if mode == "same":
        return middle(full, first)
    if mode != "valid":
        raise errors.ValueError("acceptable mode flags are 'valid', 'same', or 'full'")
    larger = all(n >= m for n, m in zip(first, second, strict=True)), all(n <= m for n, m in zip(first, second, strict=True))
    if not any(larger):
        raise errors.ValueError("For 'valid' mode, one must be at least as large as the other in every dimension")
    return middle(full, [abs(n - m) + 1 for n, m in zip(first, second, strict=True)])


def convolve(in1, in2, mode="full", method="auto"):
    a, b = operands(in1, in2)
    many = min(math.prod(a.shape), math.prod(b.shape)) > DIRECT
    return cut(whole_convolution(a, b, method == "fft" or (method == "auto" and many)), mode, a.shape, b.shape)


def fftconvolve(in1, in2, mode="full", axes=None):
    refuse("signal.fftconvolve", "convolve whole arrays", axes=(axes, None))
    return convolve(in1, in2, mode)


def oaconvolve(in1, in2, mode="full", axes=None):
    refuse("signal.oaconvolve", "convolve whole arrays", axes=(axes, None))
    return convolve(in1, in2, mode)


def reversed_all(x: Array) -> Array:
    return np.conj(x[(slice(None, None, -1),) * x.ndim])


def correlate(in1, in2, mode="full", method="auto"):
    a, b = operands(in1, in2)
    return convolve(a, reversed_all(b), mode, method)


BOUNDARIES = {"fill": "constant", "wrap": "wrap", "circular": "wrap", "symm": "symmetric", "symmetric": "symmetric", "pad": "constant"}


def convolve2d(in1, in2, mode="full", boundary="fill", fillvalue=0):
    a, b = operands(in1, in2)
    if mode == "valid" and any(n < m for n, m in zip(a.shape, b.shape, strict=True)):
        a, b = b, a
    if mode == "valid" or (boundary in ("fill", "pad") and np.ndim(fillvalue) == 0 and not contains_traced([fillvalue]) and fillvalue == 0):
        return convolve(a, b, mode, "direct" if math.prod(b.shape) <= DIRECT else "auto")
    options = {"constant_values": fillvalue} if boundary in ("fill", "pad") else {}
    padded = np.pad(a, [(m - 1, m - 1) for m in b.shape], BOUNDARIES[boundary], **options)
    full = convolve(padded, b, "valid")
    return full if mode == "full" else middle(full, a.shape)


def correlate2d(in1, in2, mode="full", boundary="fill", fillvalue=0):
    a, b = operands(in1, in2)
    return convolve2d(a, reversed_all(b), mode, boundary, fillvalue)


# --- recursive filters ------------------------------------------------------------------------------------------------------------


@traced_as_users
def run_filter(b, a, x, z):
    """Direct form II, transposed, along the first axis; `z` are the delays."""
    y = np.zeros_like(x)
    for n in range(len(x)):
        value = b[0] * x[n] + z[0]
        y[n] = value
        z = np.concatenate([z[1:], 0 * z[:1]]) + x[n] * b[1:] - value * a[1:]
    return y, z


def coefficients(b, a) -> tuple[Array, Array]:
    """Return numerator and denominator of one length, with 1 in front of the denominator."""
    b, a = (np.atleast_1d(asarray(x)) + 0.0 for x in (b, a))
    count = max(len(a), len(b), 2)
    b, a = (np.concatenate([x, np.zeros_like(x, shape=count - len(x))]) for x in (b, a))
    return b / a[0], a / a[0]


def lfilter(b, a, x, axis=-1, zi=None):
    order = max(np.size(b), np.size(a)) - 1
    (b, a), x = coefficients(b, a), asarray(x)
    x = np.moveaxis(x.astype(np.result_type(x, b, a)), normalize_axis_index(axis, x.ndim), 0)
    b, a = (k.reshape(-1, *(1,) * (x.ndim - 1)).astype(x.dtype) for k in (b, a))
    start = np.zeros_like(x, shape=(len(b) - 1, *x.shape[1:]))
    if zi is not None:
        if np.shape(zi)[axis] != order:
            raise errors.ValueError(f"The shape of zi does not fit: along the axis it has {order} elements")
        if order:
            start = start + np.moveaxis(asarray(zi), axis, 0)
    y, z = run_filter(b, a, x, start)
    y = np.moveaxis(y, 0, axis)
    return y if zi is None else (y, np.moveaxis(z[:order], 0, axis))


def sosfilt(sos, x, axis=-1, zi=None):
    sos, x, last = asarray(sos), asarray(x), []
    for k in range(len(sos)):
        if zi is None:
            x = lfilter(sos[k, :3], sos[k, 3:], x, axis)
        else:
            x, z = lfilter(sos[k, :3], sos[k, 3:], x, axis, asarray(zi)[k])
            last.append(z)
    return x if zi is None else (x, np.stack(last))


def extended(x: Array, count: int, kind: str | None) -> Array:
    """Continue an array at both ends of its last axis: ``odd``, ``even`` or ``constant``."""
    if not count or kind is None:
        return x
    if count >= x.shape[-1]:
        raise errors.ValueError(f"The length of the input vector x must be greater than padlen, which is {count}.")
    first, last = x[..., :1], x[..., -1:]
    before, after = x[..., count:0:-1], x[..., -2 : -(count + 2) : -1]
    if kind == "odd":
        before, after = 2 * first - before, 2 * last - after
    elif kind == "constant":
        before, after = 0 * before + first, 0 * after + last
    return np.concatenate([before, x, after], -1)


def there_and_back(x, axis: int, kind, count: int, run) -> Array:
    y = extended(np.moveaxis(asarray(x) + 0.0, axis, -1), count, kind)
    y = run(y, y[..., :1])[..., ::-1]
    y = run(y, y[..., :1])[..., ::-1]
    y = y[..., count:-count] if count and kind is not None else y
    return np.moveaxis(y, -1, axis)


def filtfilt(b, a, x, axis=-1, padtype="odd", padlen=None, method="pad", irlen=None):
    refuse("signal.filtfilt", "use method='pad'", method=(method, "pad"))
    if contains_traced([b, a]):
        raise errors.NotImplementedError("scipy.signal.filtfilt: jitad needs coefficients that are not traced; use lfilter for those that are")
    from scipy import signal

    count = 3 * max(len(np.atleast_1d(a)), len(np.atleast_1d(b))) if padlen is None else padlen
    steady = signal.lfilter_zi(b, a)
    return there_and_back(x, axis, padtype, count, lambda y, first: lfilter(b, a, y, -1, steady * first)[0])


def sosfiltfilt(sos, x, axis=-1, padtype="odd", padlen=None):
    if contains_traced([sos]):
        raise errors.NotImplementedError("scipy.signal.sosfiltfilt: jitad needs coefficients that are not traced; use sosfilt for those that are")
    from scipy import signal

    sos = np.asarray(sos)
    taps = 2 * len(sos) + 1 - min((sos[:, 2] == 0).sum(), (sos[:, 5] == 0).sum())
    count = int(3 * taps if padlen is None else padlen)
    steady = signal.sosfilt_zi(sos)

    def run(y, first):
        shape = (len(sos), *(1,) * (y.ndim - 1), 2)
        return sosfilt(sos, y, -1, steady.reshape(shape) * first)[0]

    return there_and_back(x, axis, padtype, count, run)


# --- others -----------------------------------------------------------------------------------------------------------------------


def hilbert(x, N=None, axis=-1):  # noqa: N803
    x = asarray(x)
    if x.dtype.kind == "c":
        raise errors.ValueError("x must be real.")
    n = x.shape[axis] if N is None else N
    weights = np.zeros(n)
    weights[0] = 1
    weights[1 : (n + 1) // 2] = 2
    if n % 2 == 0:
        weights[n // 2] = 1
    shape = [1] * x.ndim
    shape[axis] = n
    return np.fft.ifft(np.fft.fft(x, n, axis) * weights.reshape(shape), axis=axis)


def detrend(data, axis=-1, type="linear", bp=0, overwrite_data=False):
    refuse("signal.detrend", "detrend the pieces one by one", bp=(bp, 0))
    x = np.moveaxis(asarray(data) + 0.0, axis, -1)
    if type in ("constant", "c"):
        x = x - np.mean(x, -1, keepdims=True)
    elif type in ("linear", "l"):
        place = np.arange(x.shape[-1]) - (x.shape[-1] - 1) / 2
        x = x - np.mean(x, -1, keepdims=True)
        x = x - np.sum(x * place, -1, keepdims=True) * (place / np.sum(place**2))
    else:
        raise errors.ValueError("Trend type must be 'linear' or 'constant'.")
    return np.moveaxis(x, -1, axis)


def medfilt(volume, kernel_size=None):
    """Medians of windows, with zeros beyond the ends."""
    x = np.atleast_1d(asarray(volume))
    sizes = [3 if kernel_size is None else int(k) for k in np.broadcast_to(kernel_size if kernel_size is not None else 3, x.ndim)]
    padded = np.pad(x, [(k // 2, k // 2) for k in sizes])
    shifted = [padded[tuple(slice(i, i + n) for i, n in zip(index, x.shape, strict=True))] for index in itertools.product(*map(range, sizes))]
    return np.median(np.stack(shifted), axis=0).astype(x.dtype)


def savgol_filter(x, window_length, polyorder, deriv=0, delta=1.0, axis=-1, mode="interp", cval=0.0):
    from scipy import signal

    x = asarray(x)
    x = np.moveaxis(x if x.dtype.kind == "f" else x.astype(np.float64), axis, -1)
    half, n = window_length // 2, x.shape[-1]
    taps = signal.savgol_coeffs(window_length, polyorder, deriv, delta)[::-1]
    modes = {"interp": "constant", "constant": "constant", "nearest": "edge", "mirror": "reflect", "wrap": "wrap"}
    if mode not in modes:
        raise errors.ValueError("mode must be 'mirror', 'constant', 'nearest' 'wrap' or 'interp'.")
    before = half if window_length % 2 else half - 1
    options = {"constant_values": cval} if mode == "constant" else {}
    padded = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(before, half)], modes[mode], **options)
    y = sum(padded[..., k : k + n] * taps[k] for k in range(window_length))
    if mode == "interp":
        if window_length > n:
            raise errors.ValueError("If mode is 'interp', window_length must be less than or equal to the size of x.")
        place = np.arange(window_length) - (window_length - 1) / 2
        powers = np.vander(place, polyorder + 1, increasing=True)
        fit = np.linalg.pinv(powers)
        slopes = np.array([[math.perm(k, deriv) * p ** max(k - deriv, 0) if k >= deriv else 0.0 for k in range(polyorder + 1)] for p in place])
        smooth = (slopes @ fit) / delta**deriv
        y = np.concatenate([x[..., :window_length] @ smooth[:half].T, y[..., half : n - half], x[..., n - window_length :] @ smooth[-half:].T], -1)
    return np.moveaxis(y, -1, axis)


def resample(x, num, t=None, axis=0, window=None, domain="time"):
    refuse("signal.resample", window=(window, None), t=(t, None), domain=(domain, "time"))
    x = np.moveaxis(asarray(x) + 0.0, axis, -1)
    n, least = x.shape[-1], min(num, x.shape[-1])
    if x.dtype.kind == "c":
        raise errors.NotImplementedError("scipy.signal.resample of complex traced arrays: resample the real and the imaginary parts")
    spectrum = np.fft.rfft(x)[..., : least // 2 + 1]
    if least % 2 == 0 and num != n:
        scale = np.ones(least // 2 + 1)
        scale[-1] = 2.0 if num < n else 0.5
        spectrum = spectrum * scale
    return np.moveaxis(np.fft.irfft(spectrum, num) * (num / n), -1, axis)


def freqz(b, a=1, worN=512, whole=False, plot=None, fs=2 * math.pi, include_nyquist=False):  # noqa: N803
    refuse("signal.freqz", plot=(plot, None))
    if np.ndim(worN) == 0:
        w = np.linspace(0, 2 * math.pi if whole else math.pi, worN, endpoint=include_nyquist and not whole)
    else:
        w = np.asarray(worN) * (2 * math.pi / fs)
    turn = np.exp(-1j * w)
    b, a = (np.atleast_1d(asarray(x)) for x in (b, a))
    return w * (fs / (2 * math.pi)), np.polyval(b[::-1], turn) / np.polyval(a[::-1], turn)


# --- spectra ------------------------------------------------------------------------------------------------------------------------


def spectra(x, y, fs, window, nperseg, noverlap, nfft, detrended, return_onesided, scaling, axis):
    """Frequencies, places in time and, frame by frame, the products of the transforms of two signals."""
    from scipy import signal

    x, y = (np.moveaxis(asarray(k) + 0.0, axis, -1) for k in (x, y))
    if x.dtype.kind == "c" or y.dtype.kind == "c" or not return_onesided:
        raise errors.NotImplementedError("spectra of traced signals that are complex, or of two sides, are not known to jitad; use np.fft")
    nperseg = min(256 if nperseg is None else int(nperseg), x.shape[-1])
    if not isinstance(window, str | tuple):
        nperseg = len(window)
    window = np.asarray(signal.get_window(window, nperseg) if isinstance(window, str | tuple) else window)
    nfft, overlap = nperseg if nfft is None else nfft, nperseg // 2 if noverlap is None else noverlap
    step, count = nperseg - overlap, (x.shape[-1] - overlap) // (nperseg - overlap)
    places = np.arange(count)[:, None] * step + np.arange(nperseg)

    def transformed(k):
        frames = k[..., places]
        frames = detrend(frames, type=detrended) if isinstance(detrended, str) else frames
        return np.fft.rfft(frames * window, nfft)

    first = transformed(x)
    product = np.conj(first) * (first if y is x else transformed(y))
    if scaling not in ("density", "spectrum"):
        raise errors.ValueError(f"Unknown scaling: {scaling!r}")
    scale = np.full(nfft // 2 + 1, 1 / (fs * np.sum(window**2)) if scaling == "density" else 1 / np.sum(window) ** 2)
    scale[1 : -1 if nfft % 2 == 0 else None] *= 2
    times = (np.arange(count) * step + nperseg / 2) / fs
    return np.fft.rfftfreq(nfft, 1 / fs), times, product * scale


def csd(x, y, fs=1.0, window="hann", nperseg=None, noverlap=None, nfft=None, detrend="constant", return_onesided=True, scaling="density", axis=-1,
        average="mean"):
    f, _, product = spectra(x, y, fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis)
    refuse("signal.csd", "use average='mean'", average=(average, "mean"))
    return f, np.moveaxis(np.mean(product, -2), -1, axis)


def welch(x, *args, **options):
    f, power = csd(x, x, *args, **options)
    return f, power.real


def periodogram(x, fs=1.0, window="boxcar", nfft=None, detrend="constant", return_onesided=True, scaling="density", axis=-1):
    n = asarray(x).shape[axis]
    return welch(x, fs, window, n, 0, nfft, detrend, return_onesided, scaling, axis)


def coherence(x, y, fs=1.0, window="hann", nperseg=None, noverlap=None, nfft=None, detrend="constant", axis=-1):
    options = {"window": window, "nperseg": nperseg, "noverlap": noverlap, "nfft": nfft, "detrend": detrend, "axis": axis}
    f, both = csd(x, y, fs, **options)
    return f, (both * np.conj(both)).real / welch(x, fs, **options)[1] / welch(y, fs, **options)[1]


def spectrogram(x, fs=1.0, window=("tukey", 0.25), nperseg=None, noverlap=None, nfft=None, detrend="constant", return_onesided=True,
                scaling="density", axis=-1, mode="psd"):
    refuse("signal.spectrogram", "use mode='psd'", mode=(mode, "psd"))
    nperseg = min(256 if nperseg is None else nperseg, asarray(x).shape[axis])
    noverlap = nperseg // 8 if noverlap is None else noverlap
    f, times, product = spectra(x, x, fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis)
    return f, times, np.swapaxes(product.real, -1, -2)


FUNCTIONS = {function.__name__: function for function in (
    convolve, fftconvolve, oaconvolve, correlate, convolve2d, correlate2d, lfilter, sosfilt, filtfilt, sosfiltfilt, hilbert, detrend, medfilt,
    savgol_filter, resample, freqz, csd, welch, periodogram, coherence, spectrogram)}
