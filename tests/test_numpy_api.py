"""NumPy functions on traced arrays against NumPy: each line of `CASES` is evaluated twice, and value, dtype and shape must agree.

Upper- and lower-case names are the arrays of `ARRAYS`, traced in the second evaluation; names that end in an underscore stay concrete.
"""

import builtins
import cmath
import math
import re
import types
import warnings

import numpy as np
import pytest

from jitad import jit
from jitad.frontend.array import is_traced, to_atom, wrap
from jitad.frontend.numpy_api import BUILTINS, REDIRECTS
from jitad.frontend.numpy_api.nests import reading_lists
from jitad.frontend.trace import Trace
from jitad.ir import errors
from jitad.ir.interpreter import evaluate
from jitad.ir.program import Program, Var
from jitad.ir.types import ArrayType
from jitad.ir.verifier import verify

rng = np.random.default_rng(7)


def draw(*shape):
    return rng.uniform(-2, 2, shape)


ARRAYS = {
    "A": draw(3, 4), "B": draw(3, 4), "C": draw(4, 5), "D": draw(2, 3, 4), "E": draw(2, 4, 5),
    "S": draw(3, 3) + 3 * np.eye(3), "T": draw(2, 3, 3) + 3 * np.eye(3),
    "a": np.float64(draw()), "v": draw(4), "w": draw(4), "u": draw(3), "x": np.sort(draw(6)), "y": draw(6),
    "long": draw(40), "kernel": draw(20), "P": np.eye(3) * 4 + 1.0,
    "F": draw(3, 4).astype("f"), "f": draw(4).astype("f"), "Z": draw(3, 4) + 1j * draw(3, 4), "z": draw(4) + 1j * draw(4),
    "Y": draw(4, 3) + 1j * draw(4, 3), "H": np.eye(2) * 5 + np.array([[0, 1j], [-1j, 0]]), "G": (draw(3, 4) + 1j * draw(3, 4)).astype("F"),
    "I": rng.integers(-5, 6, (3, 4)), "i": rng.integers(0, 3, 4), "j": rng.integers(0, 4, (2, 3)),
    "K": rng.integers(0, 9, (3, 4)).astype("i4"),
    "U": rng.integers(0, 9, 4).astype("u1"), "M": rng.random((3, 4)) < 0.5, "m": np.array([True, False, True, True]),
    "N": np.where(rng.random((3, 4)) < 0.4, np.nan, draw(3, 4)), "n": np.array([np.nan, 1.0, np.inf, -np.inf]),
    "R": np.array([[0.5, 1.5, -0.5], [2.5, -1.234567, 17.0]]), "O": draw(0, 3), "L": draw(1, 3, 1), "Q": np.array([0.0, -0.0, 1.0, -1.0]),
}  # fmt: skip
CONCRETE = {
    "A_": draw(3, 4), "v_": draw(4), "x_": np.sort(draw(6)), "M_": rng.random((3, 4)) < 0.5, "m_": np.array([True, False, True, True]),
    "i_": np.array([0, 2, 1, 2]), "j_": np.array([[0, 2], [3, 1]]), "f_": draw(4).astype("f"),
}  # fmt: skip


def after(change, x):
    """Return a copy of `x` as an in-place change leaves it."""
    x = x.copy()
    change(x)
    return x


def run(code: str, arrays: dict, **more):
    return eval(code, {"np": np, "math": math, "cmath": cmath, "after": after, **CONCRETE, **more, **arrays})


def flat(result) -> list:
    return [leaf for part in result for leaf in flat(part)] if isinstance(result, tuple | list) else [result]


def traced(code: str, arrays: dict = ARRAYS, **more) -> list:
    """Return the leaves of the result of evaluating `code` by way of a Program."""
    used = {name: array for name, array in arrays.items() if name in code}
    with Trace() as trace:
        inputs = [Var(ArrayType(array.dtype, array.shape)) for array in used.values()]
        result = flat(run(code, dict(zip(used, map(wrap, inputs))), **more))
        outputs = [to_atom(leaf) for leaf in result if is_traced(leaf)]
    captured = trace.inputs()
    program = verify(Program([*inputs, *[var for _, var in captured]], trace.recorder.equations, outputs))
    values = iter(evaluate(program, *used.values(), *[array for array, _ in captured]))
    return [next(values) if is_traced(leaf) else leaf for leaf in result]


def compare(code: str, expected, actual) -> None:
    expected = flat(expected)
    assert len(expected) == len(actual)
    for wanted, got in zip(expected, actual):
        wanted, got = np.asarray(wanted), np.asarray(got)
        assert got.dtype == wanted.dtype, code
        assert got.shape == wanted.shape, code
        rtol = 2e-6 if wanted.dtype.char in "fF" else 1e-13
        np.testing.assert_allclose(got, wanted, rtol=rtol, atol=rtol, err_msg=code)


def check(code: str, **more) -> None:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        compare(code, run(code, ARRAYS, **more), traced(code, **more))


def lines(text: str) -> list[str]:
    """Return the cases of a table whose functions the installed version of NumPy has."""
    cases = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    return [case for case in cases if all(hasattr(np, name) for name in re.findall(r"\bnp\.(\w+)", case))]


CASES = """
# reductions
np.sum(A)
np.sum(A, axis=0)
np.sum(D, axis=(0, -1), keepdims=True)
np.sum(A, keepdims=True)
np.sum(F)
np.sum(F, dtype=np.float64)
np.sum(K, axis=1)
np.sum(U)
np.sum(M, axis=1)
np.sum(M, dtype=bool)
np.sum(Z, axis=0)
np.sum(A, axis=1, initial=2.5)
np.sum(A, axis=1, where=M)
np.sum(A, where=m_)
np.sum(A, 1, None, None, True)
np.sum(A, axis=())
np.sum(O, axis=0)
after(lambda o: np.sum(A, axis=0, out=o), v)
np.add.reduce(A)
A.sum(0)
np.prod(A, axis=-1)
np.prod(K)
np.prod(A, where=M, initial=3.0)
np.prod(M)
np.max(A)
np.amax(A, axis=1)
np.max(I, axis=0, keepdims=True)
np.max(M, axis=0)
np.max(A, axis=(0, 1))
np.max(A, axis=1, where=M, initial=-9.0)
np.max(A, axis=1, initial=0.5)
np.max(O, axis=0, initial=1.0)
np.max(n)
np.min(A, axis=0)
np.amin(F)
np.min(A, axis=0, where=M, initial=9)
np.ptp(A, axis=1)
np.ptp(A, keepdims=True)
np.mean(A)
np.mean(A, axis=1, keepdims=True)
np.mean(F, axis=0)
np.mean(I, axis=0)
np.mean(M)
np.mean(Z, axis=1)
np.mean(F, dtype=np.float64)
np.mean(A, axis=1, where=M)
np.mean(A, axis=0, where=M_)
np.mean(O, axis=0)
np.mean(A, dtype=int)
np.var(A)
np.var(A, axis=1, ddof=1)
np.var(A, axis=0, correction=1)
np.var(F, axis=1)
np.var(I)
np.var(Z, axis=0)
np.var(A, axis=1, where=M)
np.var(A, axis=1, mean=np.mean(A, axis=1, keepdims=True))
np.var(v, ddof=4)
np.std(A, axis=(0, 1), keepdims=True)
np.std(G, axis=0)
np.std(K, ddof=1)
np.average(A)
np.average(A, axis=0)
np.average(A, axis=1, weights=v)
np.average(A, weights=np.abs(B), axis=0, keepdims=True)
np.average(A, axis=1, weights=v_, returned=True)
np.average(I, axis=1, weights=np.abs(f))
np.average(D, axis=(0, 2), weights=E[:, :, 0])
np.any(M)
np.any(A, axis=0)
np.all(M, axis=1, keepdims=True)
np.all(I, axis=0)
np.any(M, where=M_)
np.all(n)
np.count_nonzero(I)
np.count_nonzero(M, axis=1, keepdims=True)
np.argmax(A)
np.argmax(A, axis=0)
np.argmax(I, axis=1, keepdims=True)
np.argmax(N, axis=1)
np.argmax(M, axis=1)
np.argmin(A, axis=-1)
np.argmin(A, keepdims=True)
np.argmin(n)
np.nansum(N, axis=0)
np.nansum(I)
np.nanprod(N, axis=1, keepdims=True)
np.nanmean(N, axis=0)
np.nanmean(N)
np.nanmean(F, axis=1)
np.nanmax(N, axis=1)
np.nanmax(I, axis=1)
np.nanmin(N)
np.nanmin(n)
np.nanvar(N, axis=0)
np.nanvar(N, axis=0, ddof=1)
np.nanstd(N, axis=1, ddof=2)
np.nancumsum(N, axis=0)
np.nancumprod(N)
np.nanargmax(N, axis=0)
np.nanargmin(A, axis=1)
# running results and grids
np.cumsum(A)
np.cumsum(A, axis=1)
np.cumsum(K, axis=0)
np.cumsum(M)
np.cumsum(F, dtype=np.float64)
np.cumprod(A, axis=0)
np.cumprod(U)
A.cumsum(-1)
np.cumulative_sum(A, axis=1, include_initial=True)
np.cumulative_prod(v)
np.diff(v)
np.diff(A, n=2)
np.diff(A, axis=0)
np.diff(v, prepend=0.0, append=v[:2])
np.diff(M, axis=1)
np.ediff1d(A)
np.ediff1d(v, to_begin=0.5, to_end=[1.0, 2.0])
np.ediff1d(I, to_end=3)
np.gradient(v)
np.gradient(A)
np.gradient(A, 0.5, axis=1)
np.gradient(A, 0.5, a, edge_order=2)
np.gradient(D, axis=(0, 2))
np.gradient(y, x)
np.gradient(y, x_)
np.gradient(y, x, edge_order=2)
np.gradient(A, u, v, edge_order=1)
np.gradient(A, v, axis=1, edge_order=2)
np.gradient(F, 2)
np.gradient(I, axis=0)
np.gradient(y, np.arange(6))
np.trapezoid(A)
np.trapezoid(A, dx=0.5, axis=0)
np.trapezoid(A, v)
np.trapezoid(A, x=v_, axis=1)
np.trapezoid(y, x=x)
np.unwrap(3 * y)
np.unwrap(5 * A, axis=0)
np.unwrap(I, period=4)
np.cross(u, S)
np.cross(S, S.T)
np.cross(S, P, axis=0)
np.cross(S, u, axisc=0)
np.cross(v[:2], w[:2])
np.cross(v[:2], u)
np.linalg.cross(S, P)
# numerical recipes
np.interp(v, x, y)
np.interp(v, x_, y)
np.interp(A, x_, y, left=-1.0, right=2.0)
np.interp(x_, x, y)
np.interp(x, x, y)
np.interp(a, x, y)
np.interp(v, x_, y, period=3.0)
np.interp(n, x_, y)
np.interp(f, x_, Z.ravel()[:6])
np.interp(v, x[:1], y[:1])
np.searchsorted(x, v)
np.searchsorted(x, A, side="right")
np.searchsorted(x_, x_[2] + 0 * v, side="right")
np.searchsorted(x_, x)
np.searchsorted(x, x, side="right")
np.digitize(v, x_)
np.digitize(x_ + 0 * y, x_, right=True)
np.digitize(x_ + 0 * y, x_[::-1])
np.bincount(i_, weights=v)
np.bincount(i_, weights=v, minlength=6)
np.histogram(v, 3)[0]
np.histogram(v, 4, weights=v * v)[0]
np.histogram(v, 4, (-0.5, 0.5), weights=v)[0]
np.histogram(v, x_, density=True, weights=v)[0]
np.histogram(v, 5)[1]
np.convolve(long, v)
np.convolve(v, long, mode="same")
np.convolve(long, kernel, "valid")
np.convolve(long, kernel, "same")
np.convolve(U, I[0])
np.convolve(v, z)
np.correlate(long, v)
np.correlate(v, long, "full")
np.correlate(z, Z[0, :3], "same")
np.correlate(Z[0, :3], z, "full")
np.correlate(kernel, long, "same")
np.correlate(long, kernel[:19], "same")
np.polyval(v, A)
np.polyval([1.0, 2.0, 3.0], v)
np.polyval(v, 2)
np.polyder(v)
np.polyint(v, 2)
np.polyadd(v, w)
np.polysub(v, u)
np.polymul(v, w)
np.vander(v)
np.vander(v, 3, increasing=True)
np.vander(I[0], 3)
np.vander(f, 2)
np.apply_along_axis(np.sum, 1, A)
np.apply_along_axis(lambda s: s * 2, 0, D)
np.apply_along_axis(np.diag, -1, A)
np.cov(A)
np.cov(A, rowvar=False, ddof=0)
np.cov(v, w)
np.cov(Z, bias=True)
np.corrcoef(A)
np.corrcoef(v, w)
# sorting
np.sort(v)
np.sort(A, axis=0)
np.sort(A, axis=None)
np.sort(N, axis=1)
np.sort(I)
np.sort(M, axis=0)
after(lambda x: x.sort(), v)
after(lambda x: x.sort(axis=0), D)
np.argsort(A)
np.argsort(I, axis=0, kind="stable")
np.argsort(N, axis=None, stable=True)
A.argsort(axis=1)
np.sort(np.partition(long, 5)[:5])
np.lexsort((v, i))
np.lexsort((A, I), axis=0)
np.median(v)
np.median(A, axis=1)
np.median(D, axis=(0, 2), keepdims=True)
np.median(N, axis=1)
np.median(F, axis=0)
np.median(I)
np.nanmedian(N, axis=0)
np.nanmedian(N)
np.percentile(A, 30)
np.percentile(A, [10, 50, 90.5], axis=1)
np.percentile(A, [[10, 50], [0, 100]], axis=0, keepdims=True)
np.percentile(F, 25, axis=1)
np.percentile(F, [25.0, 75.0])
np.percentile(I, 40)
np.quantile(v, a / 10 + 0.5)
np.quantile(A, np.abs(w) / 3, axis=1)
np.quantile(N, 0.3, axis=1)
np.quantile(A, 0.3, method="lower"), np.quantile(A, 0.3, method="higher")
np.quantile(A, 0.3, method="nearest"), np.quantile(A, 0.3, method="midpoint")
np.quantile(A, 0.3, method="hazen"), np.quantile(A, 0.99, method="weibull"), np.quantile(A, 0.2, method="median_unbiased", axis=0)
np.quantile(A, 0.2, method="normal_unbiased"), np.quantile(A, 0.01, method="interpolated_inverted_cdf")
np.quantile(A, 0.2, method="inverted_cdf"), np.median([1.0, 2.0, np.inf] + 0 * a), np.median(n[2:]), np.median(n[1:])
np.median(I[0, :3]), np.median(K[:, 0]), np.quantile(I, 0.5, method="lower"), np.quantile(F, [0.3], method="nearest")
np.quantile(F, np.array([0.3]), method="hazen"), np.quantile(I, 0.5, method="midpoint"), np.median(O, axis=0)
np.nanquantile(N, 0.3, axis=0)
np.nanpercentile(N, [20, 60], axis=1, keepdims=True)
np.interp(v, y, x, period=3.0)
# shapes
np.reshape(A, (4, 3))
np.reshape(A, -1)
np.reshape(A, (2, -1), order="F")
np.ravel(A)
np.ravel(A, "F")
A.ravel(order="F")
np.transpose(A)
np.transpose(D, (1, 0, 2))
np.permute_dims(D, (2, 0, 1))
np.matrix_transpose(D)
np.linalg.matrix_transpose(D)
np.swapaxes(D, 0, -1)
np.moveaxis(D, 0, -1)
np.moveaxis(D, (0, 1), (-1, 0))
np.rollaxis(D, 2)
np.rollaxis(D, 1, 3)
np.expand_dims(A, 1)
np.expand_dims(A, (0, -1))
np.squeeze(L)
np.squeeze(L, axis=0)
np.squeeze(L, axis=(0, -1))
np.broadcast_to(v, (3, 4))
np.broadcast_to(a, 3)
np.broadcast_arrays(A, v, 2.0)
np.atleast_1d(a, v)
np.atleast_2d(a, v, D)
np.atleast_3d(v, A)
np.shape(A), np.ndim(A), np.size(A), np.size(A, 1)
# joining and splitting
np.concatenate([A, B])
np.concatenate((A, A_), axis=1)
np.concat([A, F], axis=-1)
np.concatenate([A, v], axis=None)
np.concatenate([A, K])
np.concatenate([F, F], dtype=np.float64)
np.stack([v, w])
np.stack([A, B], axis=-1)
np.stack([v, v_], axis=1)
np.vstack([v, A])
np.hstack([v, w])
np.hstack([A, B])
np.dstack([A, B])
np.dstack([v, w])
np.column_stack([v, w])
np.column_stack((A, u))
np.block([[A, u[:, None]], [v, 1.0]])
np.block([v, w])
np.block(v)
np.block([[S, np.zeros((3, 3))], [np.zeros((3, 3)), P]])
np.append(v, 2.0)
np.append(A, B, axis=0)
np.split(A, 2, axis=1)
np.split(y, [1, 4])
np.array_split(y, 4)
np.hsplit(A, 2)
np.vsplit(C, 2)
np.dsplit(D, 2)
np.unstack(D, axis=1)
# rearranging
np.flip(A)
np.flip(D, (0, 2))
np.fliplr(A)
np.flipud(A)
np.roll(v, 1)
np.roll(A, 2)
np.roll(A, -1, axis=1)
np.roll(A, (1, 2), axis=(0, 1))
np.roll(D, 5, axis=-1)
np.fft.fftshift(A), np.fft.ifftshift(v), np.fft.fftshift(A, axes=1)
A[np.tril_indices_from(A)], S[np.diag_indices_from(S)], A[np.triu_indices_from(A, k=1)]
np.rot90(A)
np.rot90(D, k=3, axes=(1, 2))
np.tile(v, 3)
np.tile(A, (2, 1))
np.tile(v, (2, 1, 2))
np.tile(A, 2)
np.repeat(v, 3)
np.repeat(A, 2, axis=1)
np.repeat(A, [1, 0, 2], axis=0)
np.repeat(v, i_)
A.repeat(2, axis=0)
np.resize(v, (2, 3))
np.resize(A, 17)
np.pad(v, 2)
np.pad(A, ((1, 2), (0, 1)), constant_values=3.0)
np.pad(A, 1, constant_values=((1, 2), (3, 4)))
np.pad(A, 2, mode="edge")
np.pad(A, ((0, 1), (3, 2)), mode="reflect")
np.pad(A, (2, 1), mode="symmetric")
np.pad(A, 5, mode="wrap")
np.pad(A, ((1, 7), (9, 0)), mode="reflect")
np.pad(A, 2, mode="reflect", reflect_type="odd")
np.pad(v, 2, mode="symmetric", reflect_type="odd")
np.pad(A, (3, 2), mode="linear_ramp")
np.pad(v, (3, 2), mode="linear_ramp", end_values=(5.0, -4.0))
np.pad(A, 2, mode="mean")
np.pad(A, 1, mode="maximum", stat_length=2)
np.pad(I, ((1, 0), (2, 1)), mode="minimum")
np.pad(I, 1, mode="edge")
np.pad(M, 1)
np.diag(v)
np.diag(v, 2)
np.diag(v, -1)
np.diag(A)
np.diag(A, -1)
np.diag(C, 3)
np.diagonal(A)
np.diagonal(A, 1)
np.diagonal(A, 7)
np.diagonal(D, -1, 1, 2)
np.diagonal(D, 0, 2, 0)
np.linalg.diagonal(D, offset=1)
np.diagflat(A[:2, :2])
np.diagflat(v, 1)
np.trace(A)
np.trace(D, 1, 1, 2)
np.trace(K)
np.linalg.trace(T)
np.tril(A)
np.tril(D, -1)
np.triu(A, 1)
np.triu(I, -1)
np.triu(v)
np.tril(M)
after(lambda x: np.fill_diagonal(x, 7.0), A)
after(lambda x: np.fill_diagonal(x, u), S)
after(lambda x: np.fill_diagonal(x, 1, wrap=True), np.vstack([C, C, C]))
after(lambda x: np.fill_diagonal(x, [1, 2, 3]), np.zeros_like(D, shape=(3, 3, 3)))
np.delete(v, 1)
np.delete(A, [0, 2], axis=1)
np.delete(A, slice(None, None, 2), axis=0)
np.delete(A, -1)
np.delete(v, m_)
np.insert(v, 1, 5.0)
np.insert(v, [0, 2, 4], [1, 2, 3])
np.insert(A, 1, v, axis=0)
np.insert(A, [1, 3], u[:, None], axis=1)
np.insert(A, 2, [1, 2, 3], axis=1)
np.insert(v_, 2, a)
np.insert(v, -1, w)
np.insert(v, [1], [8, 9])
# choosing
np.take(v, [0, 2, -1])
np.take(A, i_, axis=1)
np.take(A, j_)
np.take(A, 1, axis=0)
np.take(v, i)
np.take(A, j, axis=1)
np.take(v, [5, -7, 2], mode="wrap")
np.take(v, [5, -7, 2], mode="clip")
np.take(v, i + 9, mode="wrap")
np.take(A, i, axis=-1)
A.take([1, 2], axis=0)
np.ix_(i % 3, i[:2] % 3)
A[np.ix_(i % 3, i % 4)]
np.unravel_index(i % 12, (3, 4))
np.unravel_index(i % 12, (3, 4), order="F")
np.unravel_index(i % 12, 12)
np.ravel_multi_index((i % 3, i % 4), (3, 4))
np.ravel_multi_index((i, i), (3, 4), mode=("clip", "wrap"))
np.ravel_multi_index(np.stack([i % 3, i % 4]), (3, 4), order="F")
np.roll(A, i[0])
np.roll(A, (i[0], -i[1]), (0, 1))
np.roll(A, i[1], axis=(0, 1))
np.take_along_axis(A, I % 3, axis=0)
np.take_along_axis(A, np.argmax(A, axis=1, keepdims=True), axis=1)
np.take_along_axis(v, i, None)
after(lambda x: np.put_along_axis(x, I[:1] % 3, 9.0, axis=0), A)
after(lambda x: np.put_along_axis(x, np.array([[1], [0], [3]]), u[:, None], axis=1), A)
np.compress([True, False, True], A, axis=0)
np.compress(m_, v)
np.extract(M_, A)
np.select([M, A > 0], [A, 2 * B])
np.select([A > 1, A > 0], [F, 3], default=a)
np.select([M, M_], [I, K], 7)
np.where(M, A, B)
np.where(M_, A, 0)
np.where(A > 0, F, 1.0)
np.where(I, A, v)
np.where(M, 1, 2)
np.where(m, z, 0.0)
np.choose(i, [v, w, 2 * v])
np.choose(i + 4, [v, w], mode="wrap")
np.choose(I, [A, B, 0.5], mode="clip")
np.clip(A, -1, 1)
np.clip(A, None, v)
np.clip(A, a_min=0.5, a_max=None)
np.clip(I, -2, 2)
np.clip(F, -0.5, 0.5)
np.clip(n, -1, 2)
np.clip(I, 0.5, 2.5)
A.clip(0, None)
np.piecewise(v, [v < 0, v >= 1], [np.sin, lambda t: t * 2, 5.0])
np.piecewise(v, [v < 0, v >= 1], [-1, 1])
np.i0(A)
np.nan_to_num(N)
np.nan_to_num(n)
np.nan_to_num(n, nan=2.0, posinf=5.0, neginf=-6)
np.nan_to_num(n.astype("f"))
np.nan_to_num(n + 1j)
np.nan_to_num(I)
np.isclose(A, B)
np.isclose(A, A + 1e-9)
np.isclose(N, N, equal_nan=True)
np.isclose(n, n)
np.isclose(I, 3)
np.allclose(A, A + 1e-9)
np.array_equal(A, A + 0)
np.array_equal(A, v)
np.array_equal(N, N, equal_nan=True)
np.array_equiv(A, A)
np.isreal(Z), np.iscomplex(Z), np.isreal(A)
np.isrealobj(A), np.iscomplexobj(Z)
np.isposinf(n), np.isneginf(n)
np.isin(I, [1, 2, -3]), np.isin(I, i, invert=True), np.isin(i_ + 0 * i, I)
np.astype(A, np.float32), np.astype(I, float)
np.real(Z), np.imag(Z), np.real(A), np.imag(A)
np.angle(Z)
np.angle(Z, deg=True)
np.angle(A)
np.conj(Z), np.conjugate(A)
np.sinc(A)
np.sinc(Q)
np.sinc(f)
np.round(R)
np.round(R, 2)
np.around(R, -1)
np.round(Z, 1)
np.round(I)
np.round(F, 3)
R.round(1)
np.fix(R)
np.real_if_close(A)
after(lambda x: np.copyto(x, v), A)
after(lambda x: np.copyto(x, 0.0, where=M), A)
after(lambda x: np.copyto(x, B, where=M_), A)
after(lambda x: np.putmask(x, x > 0, v), A)
after(lambda x: np.put(x, [0, 5, -1], [1.0, 2.0, 3.0]), A)
after(lambda x: np.put(x, i_, u), v)
np.copy(A)
np.zeros_like(A), np.ones_like(I), np.full_like(A, 2.5), np.full_like(I, 2.5), np.zeros_like(A, dtype=int, shape=(2,))
np.full_like(A, v), np.empty_like(A).shape
np.meshgrid(v, u)
np.meshgrid(v, u, indexing="ij", sparse=True)
np.linspace(a, 3.0, 5)
np.linspace(v, w, 4, axis=1)
np.linspace(0, a, 5, endpoint=False, retstep=True)
np.logspace(a, 2.0, 4)
np.can_cast(F, np.float64), np.can_cast(A, np.float32), np.zeros(1, np.result_type(A, F)), np.zeros(1, np.result_type(F, 1.0))
np.geomspace(u[0] ** 2, 7.0, 5), np.geomspace(-v**2 - 1, -1.0, 4)
# products
np.dot(v, w)
np.dot(A, v)
np.dot(v, C)
np.dot(A, C)
np.dot(D, v)
np.dot(D, E[0])
np.dot(a, A)
np.dot(D, E)
np.dot(I, C)
np.dot(F, f)
np.dot(K, U)
np.dot(M, m)
np.dot(A, v_)
np.dot(A_, v)
A.dot(C)
A @ C
D @ C
A_ @ C
v @ w
v @ C
D @ v
D @ E
D[:, None] @ E[None]
v @ E
A[:0] @ C
np.matmul(Z, Y)
np.linalg.matmul(A, C)
np.inner(A, B)
np.inner(v, D)
np.inner(a, v)
np.vdot(z, Z[0])
np.vdot(A, B)
np.outer(v, u)
np.outer(A, u)
np.linalg.outer(v, z)
np.multiply.outer(v, u)
np.tensordot(D, E, axes=([2, 0], [1, 0]))
np.tensordot(A, C, 1)
np.tensordot(A, B)
np.tensordot(v, w, 0)
np.tensordot(D, C, (2, 0))
np.tensordot(D, E, axes=(-1, -2))
np.kron(A, S)
np.kron(v, A)
np.kron(D, v)
np.linalg.multi_dot([A, C, C.T, v])
np.linalg.multi_dot([v, C, C.T])
np.vecdot(A, B)
np.vecdot(Z, z)
np.linalg.vecdot(D, v)
np.linalg.vecdot(D, D, axis=0)
np.matvec(T, u)
np.vecmat(u, T)
np.einsum("ij,jk->ik", A, C)
np.einsum("ij,jk", A, C)
np.einsum("ij->ji", A)
np.einsum("ij->", A)
np.einsum("ij->j", A)
np.einsum("ii->i", S)
np.einsum("ii", S)
np.einsum("bii->b", T)
np.einsum("i,i", v, w)
np.einsum("i,j->ij", v, u)
np.einsum("ij,ij->i", A, B)
np.einsum("ij,kj->ik", A, B)
np.einsum("bij,bjk->bik", D, E)
np.einsum("bij,bjk->kbi", D, E)
np.einsum("...ij,...jk->...ik", D, E)
np.einsum("...j,j->...", D, v)
np.einsum("...ij->...ji", D)
np.einsum("i...->...", D)
np.einsum("ij,jk,k->i", A, C, C[0], optimize=True)
np.einsum("ij,jk,kl,lm->im", A, C, C.T, A.T)
np.einsum("bij,i,j->b", D, u, v, optimize="optimal")
np.einsum("ij,i->ij", A, u)
np.einsum("ij,ij,ij->", A, B, A)
np.einsum(A, [0, 1], C, [1, 2], [0, 2])
np.einsum(A, [0, 1])
np.einsum(D, [Ellipsis, 1], [1, Ellipsis])
np.einsum("ij,jk->ik", Z, C)
np.einsum("ij,j->i", F, f)
np.einsum("ij,j", I, U)
np.einsum("ij,j->i", A, v_)
np.einsum("ij,kj->ik", L[0], A[:, :1])
np.einsum("ij,jk->ik", F, C, dtype=np.float64)
np.einsum("i,i,i->i", v, w, v)
np.einsum("ab,cd->", A, C)
np.einsum("...i,...i", D, A)
np.einsum(" ij , jk -> ik ", A, C)
# linear algebra
np.linalg.solve(S, u)
np.linalg.solve(S, S.T)
np.linalg.solve(T, S)
np.linalg.solve(T, u)
np.linalg.solve(S, T)
np.linalg.solve(K[:, :3] + 20 * np.eye(3, dtype=int), I[:, :2])
np.linalg.solve(S.astype("f"), u.astype("f"))
np.linalg.solve(H, H)
np.linalg.solve(np.eye(3), u)
np.linalg.inv(S)
np.linalg.inv(T)
np.linalg.inv(H)
np.linalg.det(S)
np.linalg.det(T)
np.linalg.det(H)
np.linalg.det(np.ones_like(S))
np.linalg.slogdet(S)
np.linalg.slogdet(T)
np.linalg.slogdet(H).logabsdet
np.linalg.cholesky(P)
np.linalg.cholesky(H)
np.linalg.cholesky(H, upper=True)
np.linalg.cholesky(np.stack([P, P @ P]))
np.linalg.norm(v)
np.linalg.norm(A)
np.linalg.norm(D)
np.linalg.norm(Z)
np.linalg.norm(I)
np.linalg.norm(F)
np.linalg.norm(v, 1), np.linalg.norm(v, np.inf), np.linalg.norm(v, -np.inf)
np.linalg.norm(v, 0), np.linalg.norm(v, 3), np.linalg.norm(v, 2)
np.linalg.norm(z, 1), np.linalg.norm(z, 2.5), np.linalg.norm(z, -1)
np.linalg.norm(A, axis=1)
np.linalg.norm(A, axis=0, keepdims=True)
np.linalg.norm(A, 1, axis=1)
np.linalg.norm(A, "fro"), np.linalg.norm(A, 1), np.linalg.norm(A, -1), np.linalg.norm(A, np.inf), np.linalg.norm(A, -np.inf)
np.linalg.norm(D, "fro", axis=(0, 2), keepdims=True)
np.linalg.norm(D, 1, axis=(2, 1))
np.linalg.norm(D, np.inf, axis=(0, 1), keepdims=True)
np.linalg.norm(A, keepdims=True)
np.linalg.vector_norm(A)
np.linalg.vector_norm(D, axis=(0, 1), ord=1, keepdims=True)
np.linalg.matrix_norm(D)
np.linalg.matrix_norm(A, ord=1)
np.linalg.matrix_power(S, 3)
np.linalg.matrix_power(S, -2)
np.linalg.matrix_power(T, 0)
np.linalg.cond(S, 1), np.linalg.cond(S, "fro")
np.linalg.tensorsolve(S, u)
np.linalg.tensorinv(S, ind=1)
"""


@pytest.mark.parametrize("code", lines(CASES))
def test_agrees_with_numpy(code):
    check(code)


# --- functions that NumPy does not dispatch, and Python's own --------------------------------------------------------------------


class Redirected:
    """A module as rewritten code sees it: with the functions of a table in the place of its own."""

    def __init__(self, module):
        self.module = module

    def __getattr__(self, name):
        found = getattr(self.module, name)
        if isinstance(found, types.ModuleType):
            return Redirected(found)
        if isinstance(found, type):
            return found
        return REDIRECTS.get(found) or BUILTINS.get(found) or (reading_lists(found) if isinstance(found, np.ufunc) else found)


REWRITTEN = {"np": Redirected(np), "math": Redirected(math), "cmath": Redirected(cmath)} | {
    function.__name__: replacement for function, replacement in BUILTINS.items() if function.__module__ == "builtins"}
SCALARS = {cls.__name__: cls for cls in (np.float64, np.float32, np.int64, np.complex128)}
REWRITTEN |= {name: REDIRECTS[cls] for name, cls in SCALARS.items()}

REDIRECTED_CASES = """
np.array([a, 1.0, v[0]])
np.array([[a, 2], [3, v[1]]])
np.array([v, w], dtype=np.float32)
np.array([[1.0, 2.0], [a, a]])
np.array([F[0], f]), np.array([f[0], 2.0]), np.array([a, 1j]), np.array([I[0, 0], True])
np.array(v), np.array(v, ndmin=3), np.array(a, ndmin=1), np.array(I, dtype="d")
np.array([[v, w]]), np.array((a, [2.0][0]))
np.array([1.0, 2.0]) * a
np.asarray(v), np.asarray([a, a]), np.asarray(v, dtype=np.float32), np.asanyarray([v]), np.ascontiguousarray(A.T)
np.asarray([v_, w])
float64(a), float32(v[0]), int64(v[0]), complex128(a), float64(2)
np.mean([a, v[0], 3.0]), np.sum([v, w], axis=0), np.max([a, 1.0]), np.linalg.norm([a, a]), np.dot([a, 1.0], [2.0, 3.0])
np.sin([a, 1.0]), np.maximum([a, v[0]], 0.5), np.hypot(3, [a]), np.exp(a)
np.take(v_, i), np.full_like(A_, a), np.repeat([a, 2.0], 2), np.where([True, False], [a, 1.0], 0.0), np.linalg.norm(x=[a, 1.0])
np.zeros(3) + a, np.zeros((2, 2), dtype=np.float32), np.ones(2, dtype="D"), np.full(3, 2.5), np.full((2, 2), a), np.full(3, v[:, None][0])
after(lambda x: x.__setitem__(0, a), np.zeros(3)), after(lambda x: x.__setitem__((0, 1), a), np.eye(2))
after(lambda x: x.__setitem__(slice(1, 3), v[:2]), np.ones(4)), after(lambda x: x.__setitem__(1, a), np.copy(v_))
after(lambda x: x.__setitem__(1, a), np.full(3, 0.5)), after(lambda x: x.__setitem__(1, a), np.zeros_like(v_))
np.eye(3), np.identity(2) * a, np.eye(2, 3, k=1, dtype=np.float32), np.arange(3) * a, np.linspace(0, 1, 5) * a
np.zeros(3, dtype="l"), np.ones(2, dtype="?"), np.zeros_like(i_)
np.empty(3).shape, np.copy(A), np.copy(i_)
math.sin(a), math.sqrt(abs(a)), math.exp(v[0]), math.atan2(a, v[1]), math.pow(abs(a), 1.5), math.log(abs(a)), math.log(abs(a), 3)
math.hypot(a, v[0]), math.hypot(a, v[0], 3.0), math.hypot(a), math.erf(a), math.log1p(abs(a)), math.degrees(a), math.fabs(a)
math.log2(abs(a)), math.gamma(2.0) * a
math.floor(a), math.ceil(a), math.trunc(a), math.sin(f[0]), math.sin(I[0, 0]), math.isnan(a), math.isclose(a, a + 1e-12), math.isclose(a, 9)
math.dist(v[:2], [1.0, a]), math.fsum([a, 1.0, v[0]]), math.prod([a, 2.0, v[0]]), math.ldexp(a, 3), math.remainder(a, 0.7), math.modf(a)
math.sin(0.5), math.copysign(a, -1.0), math.sqrt(2.0) * a
math.tan(a), math.asinh(a), math.exp(f[0]) * f
cmath.exp(z[0]), cmath.phase(z[0]), cmath.polar(z[1]), cmath.rect(abs(a), v[0]), cmath.sqrt(a), cmath.log(z[0]), cmath.sin(2j)
float(a), int(a), bool(a), complex(a), complex(a, v[0]), float(I[0, 0]), int(v[0] * 10), float(3), complex(1, 2), bool(z[0])
float(a) * f, int(I[0, 0]) * f
abs(a), round(a), round(a, 2), pow(a, 2), divmod(a, 0.3), abs(z[0])
min(a, v[0], 1.0), max(a, v[0]), max([a, 0.3]), max(v[0], v[1], v[2]), min(x for x in [a, 2.0, v[1]]), max(1, 2), min(v)
sum([a, v[0], 2.0]), sum(v), sum(M), sum(K), sum([v, w]), sum(x * x for x in v), sum(v, a), sum([1, 2])
any(x > 0 for x in v), all([a < 9, True]), any([False, a > 9]), any([]), all([])
"""


@pytest.mark.parametrize("code", lines(REDIRECTED_CASES))
def test_redirected(code):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        compare(code, run(code, ARRAYS, **SCALARS), traced(code, **REWRITTEN))


def test_outside_of_a_trace_replacements_are_the_originals():
    assert type(REDIRECTS[np.zeros](3)) is np.ndarray and type(REDIRECTS[np.full](3, 1.0)) is np.ndarray
    assert type(REDIRECTS[np.eye](3)) is np.ndarray and type(REDIRECTS[np.copy](np.ones(2))) is np.ndarray
    assert BUILTINS[max](1, 2.5) == 2.5 and BUILTINS[math.sin](0.5) == math.sin(0.5) and BUILTINS[sum]([1, 2]) == 3
    with pytest.raises(builtins.ValueError):
        BUILTINS[math.sqrt](-1.0)


def test_scalars_of_python_adapt_to_dtypes():
    with Trace():
        f, a = wrap(Var(ArrayType(np.dtype("f"), (3,)))), wrap(Var(ArrayType(np.dtype("d"))))
        for scalar in (BUILTINS[float](a), BUILTINS[math.sin](a), BUILTINS[int](a), BUILTINS[max](BUILTINS[float](a), 0.0)):
            assert (f * scalar).dtype == np.float32


# --- errors -----------------------------------------------------------------------------------------------------------------------

WRONG = """
np.sum(A, axis=2)
np.sum(A, axis=(0, 0))
np.mean(A, axis=-3)
np.max(O, axis=0)
np.min(A[:0])
np.max(A, where=M)
np.argmax(O, axis=0)
np.var(A, ddof=1, correction=1)
np.average(A, weights=v)
np.average(A, axis=0, weights=v)
np.cumsum(A, axis=5)
np.quantile(A, 1.5)
np.percentile(A, -1)
np.percentile(O, 50, axis=0)
np.sort(A, axis=2)
np.gradient(v, 1.0, 2.0)
np.gradient(v[:1])
np.gradient(v, edge_order=3)
np.gradient(v, u)
np.diff(v, n=-1)
np.reshape(A, (5, 5))
np.reshape(A, (-1, -1))
np.transpose(A, (0,))
np.squeeze(A, axis=0)
np.expand_dims(A, 5)
np.broadcast_to(v, (3, 3))
np.broadcast_arrays(v, u)
np.concatenate([A, C])
np.concatenate([v, A])
np.concatenate([a, a])
np.concatenate([A, C], axis=2)
np.stack([v, u])
np.split(v, 3)
np.vsplit(v, 2)
np.tril(a)
np.diag(D)
np.diagonal(v)
np.diagonal(A, 0, 1, 1)
np.moveaxis(A, 0, 5)
np.rot90(A, axes=(0, 0))
np.pad(A, -1)
np.pad(A, 1, mode="nonsense")
np.repeat(A, [1, 2], axis=0)
np.repeat(v, -1)
np.delete(v, 9)
np.insert(v, 9, 1.0)
np.take(v, 9)
np.take(v, [0, -7])
np.take_along_axis(A, i, axis=0)
np.ravel_multi_index((i, i), (3, 4, 5))
np.unravel_index(u, (3, 4))
np.select([M], [A, B])
np.select([I], [A])
np.clip(A, u, 1)
np.dot(A, B)
np.dot(v, u)
np.inner(A, C)
np.matmul(A, B)
np.matmul(a, A)
np.matmul(D, np.concatenate([E, E])[:3])
np.vdot(v, u)
np.tensordot(A, C, axes=2)
np.tensordot(A, B, axes=([0], [1]))
np.cross(v, v)
np.cross(a, u)
np.einsum("ij,jk->ik", A, B)
np.einsum("ij->ik", A)
np.einsum("ij->ii", S)
np.einsum("i->i", A)
np.einsum("ij", v)
np.einsum("ij,jk", A)
np.einsum("ij", A, C)
np.einsum("i1->i", A)
np.linalg.solve(A, v)
np.linalg.solve(S, v)
np.linalg.solve(v, v)
np.linalg.inv(A)
np.linalg.det(v)
np.linalg.cholesky(A)
np.linalg.norm(D, 2)
np.linalg.norm(A, 7)
np.linalg.norm(v, "fro")
np.linalg.norm(A, axis=(0, 0))
np.linalg.norm(A, axis=(0, 1, 2))
np.linalg.norm(A, axis="x")
np.linalg.matrix_power(A, 2)
np.linalg.multi_dot([A])
np.convolve(v, A)
np.convolve(v, v[:0])
np.interp(v, x, u)
np.searchsorted(A, v)
np.isposinf(Z)
np.vander(A)
np.block([[A], v])
np.meshgrid(v, u, indexing="no")
np.polyval(v, A, 3)
after(lambda x: np.copyto(x, Z), A)
after(lambda x: np.copyto(x, u), A)
after(lambda x: np.fill_diagonal(x, 1.0), v)
"""


@pytest.mark.parametrize("code", lines(WRONG))
def test_errors_are_those_of_numpy(code):
    """The same class, and the same first words."""
    with pytest.raises(Exception) as expected:
        run(code, ARRAYS)
    with pytest.raises(Exception) as got:
        traced(code)
    assert isinstance(got.value, type(expected.value)), (got.value, expected.value)
    assert isinstance(got.value, errors.JitadError) or "argument" in str(got.value)
    assert str(got.value).split("\n  at ")[0].split()[:4] == str(expected.value).split()[:4], (got.value, expected.value)


REFUSED = [
    ("np.union1d(I, I)", errors.ConcreteValueError, "np.union1d"),
    ("np.repeat(v, i)", errors.ConcreteValueError, "repeats of np.repeat"),
    ("np.linalg.svd(A)", errors.NotImplementedError, "np.linalg.svd"),
    ("np.linalg.norm(A, 2)", errors.NotImplementedError, "singular values"),
    ("np.argmax(Z)", errors.TypeError, "no order"),
    ("np.copyto(v_, w)", errors.TypeError, "made outside"),
    ("np.sum(A, axis=0, out=v_)", errors.TypeError, "out="),
    ("after(lambda o: np.sum(A, axis=0, out=o), u)", errors.ValueError, "wrong shape"),
    ("after(lambda o: np.sum(Z, axis=0, out=o), v)", errors.TypeError, "Cannot cast"),
    ("np.quantile(v, 0.5, weights=w, method='inverted_cdf')", errors.NotImplementedError, "weights="),
    ("np.sum(v, where=np.ones(3, bool))", errors.ValueError, "broadcast"),
    ("redirects[np.sum](v, axes=0)", errors.TypeError, "np.sum"),
    ("np.histogram2d(v, v)", errors.NotImplementedError, "numpy.histogram2d"),
]  # fmt: skip


@pytest.mark.parametrize("code, kind, words", REFUSED)
def test_refusals_say_what_to_write(code, kind, words):
    with pytest.raises(kind, match=re.escape(words)):
        traced(code, redirects=REDIRECTS)


COMPILED = """
np.sort(A, axis=None), np.median(D, axis=(0, 2)), np.nanpercentile(N, [20, 60], axis=1)
np.linalg.solve(S, u), np.linalg.det(T), np.linalg.norm(A, axis=1), np.linalg.cholesky(np.stack([P, P @ P]))
np.pad(A, ((1, 2), (0, 1)), mode="reflect"), np.convolve(long, kernel, "same"), np.roll(A, 2, axis=1), np.diag(v, -1)
np.einsum("bij,i,j->b", D, u, v), np.kron(A, S), np.tensordot(D, E, axes=([2, 0], [1, 0])), np.interp(v, x, y)
np.var(Z, axis=0), np.argmax(N, axis=1), np.cumsum(A, axis=1), np.gradient(y, x), np.unwrap(5 * A, axis=0), np.take(A, j, axis=1)
"""


@pytest.mark.parametrize("code", lines(COMPILED))
def test_compiled(code):
    used = {name: array for name, array in ARRAYS.items() if name in code}
    compare(code, run(code, ARRAYS), flat(jit(lambda arrays: run(code, arrays))(used)))
