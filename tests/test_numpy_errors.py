"""Errors of NumPy functions on traced arrays are those of NumPy, and refusals say what to write."""

import re

import pytest
from one_liners import ARRAYS, lines, run, traced

from jitad.frontend.numpy_api import REDIRECTS
from jitad.ir import errors

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
np.cross(v, v)  # until 2.5
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
    ("np.argmax(Z)", errors.TypeError, "no order"),
    ("np.copyto(v_, w)", errors.TypeError, "made outside"),
    ("np.sum(A, axis=0, out=v_)", errors.TypeError, "out="),
    ("after(lambda o: np.sum(A, axis=0, out=o), u)", errors.ValueError, "wrong shape"),
    ("after(lambda o: np.sum(Z, axis=0, out=o), v)", errors.TypeError, "Cannot cast"),
    ("np.quantile(v, 0.5, weights=w, method='inverted_cdf')", errors.NotImplementedError, "weights="),
    ("np.sum(v, where=np.ones(3, bool))", errors.ValueError, "broadcast"),
    ("redirects[np.sum](v, axes=0)", errors.TypeError, "np.sum"),
]  # fmt: skip


@pytest.mark.parametrize("code, kind, words", REFUSED)
def test_refusals_say_what_to_write(code, kind, words):
    with pytest.raises(kind, match=re.escape(words)):
        traced(code, redirects=REDIRECTS)
