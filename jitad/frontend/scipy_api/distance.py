"""``scipy.spatial``: distances between points."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jitad.frontend.arrays.array import Array
from jitad.frontend.numpy_api.operands import asarray
from jitad.ir import errors


def length(x: Array) -> Array:
    return np.sqrt(np.sum(x * x, -1))


def cosine_of(u: Array, v: Array) -> Array:
    return 1 - np.sum(u * v, -1) / np.sqrt(np.sum(u * u, -1) * np.sum(v * v, -1))


def centred(u: Array) -> Array:
    return u - np.mean(u, -1, keepdims=True)


def canberra_of(u: Array, v: Array) -> Array:
    size = abs(u) + abs(v)
    return np.sum(np.where(size == 0, 0, abs(u - v) / np.where(size == 0, 1, size)), -1)


def minkowski_of(u: Array, v: Array, p=2, w=None) -> Array:
    powers = abs(u - v) ** p
    return np.sum(powers if w is None else powers * asarray(w), -1) ** (1 / p)


def mahalanobis_of(u: Array, v: Array, VI=None) -> Array:  # noqa: N803
    if VI is None:
        raise errors.NotImplementedError("the distance 'mahalanobis' of traced points needs VI, the inverse of their covariance")
    return np.sqrt(np.sum(((u - v) @ asarray(VI)) * (u - v), -1))


def jensenshannon_of(u: Array, v: Array, base=None) -> Array:
    u, v = (x / np.sum(x, -1, keepdims=True) for x in (u, v))
    middle = 0.5 * (u + v)
    total = 0.0
    for x in (u, v):
        inside = x > 0
        total = total + np.sum(np.where(inside, x * np.log(np.where(inside, x, 1) / np.where(inside, middle, 1)), 0), -1)
    return np.sqrt((total if base is None else total / np.log(base)) / 2)


METRICS: dict[str, Callable] = {
    "euclidean": lambda u, v: length(u - v),
    "sqeuclidean": lambda u, v: np.sum((u - v) ** 2, -1),
    "cityblock": lambda u, v: np.sum(abs(u - v), -1),
    "chebyshev": lambda u, v: np.max(abs(u - v), -1),
    "cosine": cosine_of,
    "correlation": lambda u, v: cosine_of(centred(u), centred(v)),
    "canberra": canberra_of,
    "braycurtis": lambda u, v: np.sum(abs(u - v), -1) / np.sum(abs(u + v), -1),
    "minkowski": minkowski_of,
    "mahalanobis": mahalanobis_of,
    "seuclidean": lambda u, v, V: np.sqrt(np.sum((u - v) ** 2 / asarray(V), -1)),  # noqa: N803
    "jensenshannon": jensenshannon_of,
}
SHORT = {"l2": "euclidean", "l1": "cityblock", "manhattan": "cityblock", "cosine": "cosine", "linf": "chebyshev", "chebychev": "chebyshev"}


def metric_of(metric) -> Callable:
    name = getattr(metric, "__name__", metric)
    name = SHORT.get(name, name)
    if name not in METRICS:
        raise errors.NotImplementedError(f"jitad does not know the distance {metric!r} of traced points; it knows {', '.join(METRICS)}")
    return METRICS[name]


def real(x) -> Array:
    x = asarray(x)
    return x if x.dtype.kind == "f" and x.dtype.itemsize == 8 else x.astype(np.float64)


def cdist(XA, XB, metric="euclidean", *, out=None, **options):  # noqa: N803
    u, v = real(XA), real(XB)
    if u.ndim != 2 or v.ndim != 2 or u.shape[1] != v.shape[1]:
        raise errors.ValueError("XA and XB must be 2-dimensional arrays with the same number of columns")
    return metric_of(metric)(u[:, None], v[None], **options)


def pdist(X, metric="euclidean", *, out=None, **options):  # noqa: N803
    x = real(X)
    if x.ndim != 2:
        raise errors.ValueError("A 2-dimensional array must be passed.")
    i, j = np.triu_indices(len(x), 1)
    return metric_of(metric)(x[i], x[j], **options)


def squareform(X, force="no", checks=True):  # noqa: N803
    """Of a matrix the upper triangle, of that the matrix. That it is symmetric is not checked."""
    x = asarray(X)
    if x.ndim == 2:
        return x[np.triu_indices(len(x), 1)]
    n = int(np.ceil(np.sqrt(2 * len(x))))
    if n * (n - 1) != 2 * len(x):
        raise errors.ValueError("Incompatible vector size. It must be a binomial coefficient n choose 2 for some integer n >= 2.")
    places = np.zeros((n, n), int)
    places[np.triu_indices(n, 1)] = np.arange(len(x))
    places = places + places.T
    return np.where(np.eye(n, dtype=bool), 0, x[places]) if n > 1 else np.zeros_like(x, shape=(1, 1))


def distance_matrix(x, y, p=2, threshold=1000000):
    u, v = real(x)[:, None], real(y)[None]
    if p == np.inf:
        return np.max(abs(u - v), -1)
    return np.sum(abs(u - v), -1) if p == 1 else length(u - v) if p == 2 else minkowski_of(u, v, p)


def of_two(name: str) -> Callable:
    """The distance of two points."""

    def distance(u, v, *args, **options):
        weights = options.pop("w", args[0] if args and name not in ("minkowski", "mahalanobis", "jensenshannon", "seuclidean") else None)
        rest = args if name in ("minkowski", "mahalanobis", "jensenshannon", "seuclidean") else ()
        if weights is not None:
            raise errors.NotImplementedError(f"scipy.spatial.distance.{name} of traced points: jitad does not know weights; scale the points")
        return METRICS[name](real(u), real(v), *rest, **options)

    return distance


FUNCTIONS = {
    **{name: of_two(name) for name in METRICS}, "cdist": cdist, "pdist": pdist, "squareform": squareform, "distance_matrix": distance_matrix,
    "minkowski_distance": lambda x, y, p=2: np.sum(abs(real(x) - real(y)), -1) if p == 1 else length(real(x) - real(y)) if p == 2
    else minkowski_of(real(x), real(y), p),
}  # fmt: skip
