"""Which results are views and which are copies: a write to a result is seen where NumPy shows it."""

import numpy as np
import pytest

import jitad
from jitad.ir import errors

RESULTS = [  # of a real array of 8 x 8 and a complex one
    lambda a, z: np.einsum("ii->i", a), lambda a, z: np.einsum("ij->ji", a), lambda a, z: np.einsum("iij->ij", a.reshape(2, 2, 16)),
    lambda a, z: np.einsum("i...->...i", a), lambda a, z: np.einsum("ij->i", a), lambda a, z: np.einsum("ij,ij->ij", a, a),
    lambda a, z: np.ascontiguousarray(a), lambda a, z: np.ascontiguousarray(a.T), lambda a, z: np.ascontiguousarray(a[:, ::2]),
    lambda a, z: np.asfortranarray(a), lambda a, z: np.asfortranarray(a.T), lambda a, z: np.asarray(a.T), lambda a, z: np.require(a),
    lambda a, z: a.conj(), lambda a, z: np.conj(a), lambda a, z: z.conj(), lambda a, z: a.conjugate(),
    lambda a, z: a.take([0, 1], axis=0), lambda a, z: np.take(a, [2, 4, 6], axis=1), lambda a, z: np.take(a, [3], axis=0),
    lambda a, z: np.roll(a, 0), lambda a, z: np.roll(a, 8, axis=1), lambda a, z: np.roll(a, 3, axis=0),
    lambda a, z: np.delete(a, [], axis=0), lambda a, z: np.delete(a, [0], axis=0), lambda a, z: np.pad(a, 0), lambda a, z: np.repeat(a, 1, axis=0),
    lambda a, z: np.compress([True] * 8, a, axis=0), lambda a, z: np.tile(a, 1), lambda a, z: np.append(a, []), lambda a, z: np.resize(a, (8, 8)),
    lambda a, z: np.ravel(a), lambda a, z: a.T.ravel(), lambda a, z: a[:, 1:3].reshape(-1), lambda a, z: a[1:3].reshape(-1),
    lambda a, z: a[::2].reshape(4, 2, 4), lambda a, z: a.reshape(2, 4, 8).transpose(1, 0, 2).reshape(8, 8), lambda a, z: a.flatten(),
    lambda a, z: z.real, lambda a, z: np.imag(z), lambda a, z: np.real(a), lambda a, z: np.rot90(a), lambda a, z: np.flipud(a),
    lambda a, z: np.squeeze(a[:, :1]), lambda a, z: np.expand_dims(a, 1), lambda a, z: np.moveaxis(a.reshape(2, 4, 8), 0, -1),
    lambda a, z: np.array_split(a, 3, axis=1)[2], lambda a, z: np.nan_to_num(a, copy=False), lambda a, z: np.nan_to_num(a),
    lambda a, z: a.astype(float, copy=False), lambda a, z: a.astype(float), lambda a, z: np.array(a), lambda a, z: np.concatenate([a]),
    lambda a, z: np.where(True, a, a), lambda a, z: np.sort(a, 0), lambda a, z: np.round(a, 20), lambda a, z: np.diff(a, 0),
]  # fmt: skip


@pytest.mark.parametrize("part", range(4))
def test_writes_to_results(part):
    def written(a):
        found = []
        for result in RESULTS[part::4]:
            x = a.copy()
            z = x + 1j * x
            r = result(x, z)
            r[...] = 2 * r + 1
            found += [x, z, r]
        return found

    a = np.random.default_rng(0).random((8, 8))
    for k, (found, wanted) in enumerate(zip(jitad.jit(written)(a), written(a), strict=True)):
        np.testing.assert_allclose(found, wanted, rtol=1e-14, err_msg=f"{part + k // 3 * 4}")


def test_arrays_that_do_not_lie_in_c_order():
    def through_a_row(x):
        x.ravel()[1] = 50.0
        return x

    x = np.arange(6.0).reshape(2, 3)
    compiled = jitad.jit(through_a_row)
    np.testing.assert_array_equal(compiled(x.copy()), through_a_row(x.copy()))
    for other in (np.asfortranarray(x), np.repeat(x, 2, 1)[:, ::2]):
        with pytest.raises(errors.ValueError, match="ascontiguousarray"):
            compiled(other)
    for function in (lambda x: x.T.ravel("K"), lambda x: (2 * x.T).flatten("A"), lambda x: x.reshape(-1, order="A")):
        compiled = jitad.jit(function)
        np.testing.assert_array_equal(compiled(x), function(x))
        with pytest.raises(errors.ValueError, match="ascontiguousarray"):
            compiled(np.asfortranarray(x))
    np.testing.assert_array_equal(jitad.jit(lambda x: x[:1].ravel("K"))(x), x[0])
