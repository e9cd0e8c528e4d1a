"""Covariances, and counts of what falls into cells: ``cov``, ``histogram`` and those of several dimensions."""

from __future__ import annotations

import operator

import numpy as np

from jitad.frontend.arrays.array import Array
from jitad.frontend.numpy_api.operands import asarray, concrete
from jitad.frontend.numpy_api.table import implements
from jitad.ir import errors
from jitad.ir.types import INT


@implements(np.cov)
def cov(m, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, *, dtype=None):
    """Weights are taken as they are: what NumPy says of those that are negative, or no integers, is known only when the function runs."""
    m = asarray(m)
    if m.ndim > 2:
        raise errors.ValueError("m has more than 2 dimensions")
    dtype = np.result_type(m, np.float64, *([] if y is None else [asarray(y)])) if dtype is None else dtype
    x = rows_of(m, rowvar, m.ndim != 1).astype(dtype)
    if y is not None:
        x = np.concatenate([x, rows_of(asarray(y), rowvar, np.atleast_2d(asarray(y)).shape[0] != 1).astype(dtype)])
    if ddof is not None and ddof != operator.index(ddof):
        raise errors.ValueError("ddof must be integer")
    ddof = (0 if bias else 1) if ddof is None else ddof
    fweights, aweights = (None if w is None else weights_of(name, w, x.shape[1]) for name, w in (("fweights", fweights), ("aweights", aweights)))
    if fweights is None and aweights is None:
        w, total, count = None, x.shape[1], x.shape[1] - ddof
    else:
        w = fweights if aweights is None else aweights if fweights is None else fweights * aweights
        total = np.sum(w)
        count = total - ddof if aweights is None else total - ddof * np.sum(w * aweights) / total
        count = np.maximum(count, 0.0) if ddof else total
    x = x - (np.sum(x if w is None else x * w, axis=1) / total)[:, None]
    return (x @ np.conj(x if w is None else x * w).T / count).squeeze()


def rows_of(x: Array, rowvar: bool, turned: bool) -> Array:
    """Return the variables, one a row."""
    x = np.atleast_2d(x)
    return x.T if not rowvar and turned else x


def weights_of(name: str, w, count: int) -> Array:
    w = asarray(w, np.float64)
    if w.ndim > 1:
        raise errors.ValueError(f"cannot handle multidimensional {name}")
    if len(w) != count:
        raise errors.ValueError(f"incompatible numbers of samples and {name}")
    return w


# --- histograms -----------------------------------------------------------------------------------------------------------------


@implements(np.histogram_bin_edges)
def histogram_bin_edges(a, bins=10, range=None, weights=None):
    a = asarray(a).ravel()
    if np.ndim(bins) == 0:
        count = operator.index(concrete(bins, "np.histogram", "bins"))
        if count < 1:
            raise errors.ValueError("`bins` must be positive, when an integer")
        low, high = (a.min(), a.max()) if range is None else range
        half = np.where(np.equal(low, high), 0.5, 0.0)
        dtype = np.result_type(*[getattr(x, "dtype", x) for x in (low, high, a)])
        return np.linspace(low - half, high + half, count + 1, dtype=dtype if dtype.kind == "f" else np.float64)
    bins = asarray(bins)
    if bins.ndim != 1:
        raise errors.ValueError("`bins` must be 1d, when an array")
    return bins


def cell_of_equal(a: Array, edges: Array) -> Array:
    """The cell between equidistant edges that each element is in, any where it is in none: computed, and mended where rounding has put it off."""
    last = len(edges) - 2
    estimate = (a - edges[0]) * ((last + 1) / (edges[-1] - edges[0]))
    cell = np.where(estimate > 0, np.minimum(estimate, last), 0).astype(INT)
    cell = np.maximum(cell - (a < edges[cell]), 0)
    return np.minimum(cell + (a >= edges[cell + 1]), last)


@implements(np.histogram)
def histogram(a, bins=10, range=None, density=None, weights=None):
    if isinstance(bins, str):
        raise errors.NotImplementedError(f"np.histogram with bins={bins!r} of traced arrays; give the number of bins or their edges")
    a = asarray(a).ravel()
    edges = np.histogram_bin_edges(a, bins, range)
    weights = np.ones(a.shape, INT) if weights is None else asarray(weights).ravel()
    if weights.shape != a.shape:
        raise errors.ValueError("weights should have the same shape as a.")
    cell = np.clip(np.searchsorted(edges, a, "right") - 1, 0, len(edges) - 2) if np.ndim(bins) else cell_of_equal(a, asarray(edges))
    total = np.zeros_like(asarray(weights), shape=len(edges) - 1)
    np.add.at(total, cell, np.where((a >= edges[0]) & (a <= edges[-1]), weights, 0))
    return (total / (np.diff(edges) * np.sum(total)) if density else total), edges


def cells_of(a: Array, edges, bins) -> tuple[Array, Array]:
    """The cell that each element is in, and whether it is in one."""
    cell = np.clip(np.searchsorted(edges, a, "right") - 1, 0, len(edges) - 2) if np.ndim(bins) else cell_of_equal(a, asarray(edges))
    return cell, (a >= edges[0]) & (a <= edges[-1])


@implements(np.histogramdd)
def histogramdd(sample, bins=10, range=None, density=None, weights=None):
    sample = asarray(sample) if isinstance(sample, Array | np.ndarray) else np.stack([asarray(x) for x in sample], axis=-1)
    sample = sample[:, None] if sample.ndim == 1 else sample
    count = sample.shape[1]
    bins = [bins] * count if np.ndim(bins) == 0 and not isinstance(bins, list | tuple) else bins
    ranges = [None] * count if range is None else range
    if len(bins) != count or len(ranges) != count:
        raise errors.ValueError("The dimension of bins must be equal to the dimension of the sample x.")
    columns = list(sample.T)
    edges = [np.histogram_bin_edges(x, n, r) for x, n, r in zip(columns, bins, ranges, strict=True)]
    found = [cells_of(x, e, n) for x, e, n in zip(columns, edges, bins, strict=True)]
    inside = np.all(np.stack([inner for _, inner in found]), axis=0)
    weights = np.ones(sample.shape[0]) if weights is None else asarray(weights, np.float64)
    total = np.zeros_like(weights if isinstance(weights, Array) else asarray(weights), shape=[len(e) - 1 for e in edges])
    np.add.at(total, tuple(cell for cell, _ in found), np.where(inside, weights, 0))
    if density:
        total = total / np.sum(total)
        for axis, e in enumerate(edges):
            total = total / np.diff(e).reshape([-1 if k == axis else 1 for k in np.arange(count)])
    return total, edges


@implements(np.histogram2d)
def histogram2d(x, y, bins=10, range=None, density=None, weights=None):
    if np.ndim(bins) == 1 and len(bins) not in (1, 2):  # edges for both
        bins = [bins, bins]
    total, (first, second) = histogramdd([x, y], bins, range, density, weights)
    return total, first, second
