"""Products and solutions with sparse matrices of SciPy's, held against SciPy and against numerical derivatives."""

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as sl

import jitad
from jitad.testing import check_grads

R = np.random.default_rng(5)
DENSE = R.random((6, 5)) * (R.random((6, 5)) < 0.5)
DENSE[2] = 0
SQUARE = np.diag(R.uniform(2, 3, 5)) + R.random((5, 5)) * (R.random((5, 5)) < 0.4)
X, Y, Z = R.uniform(0.2, 1, 5), R.uniform(0.2, 1, (5, 3)), R.uniform(0.2, 1, 6)
FORMATS = ["csr", "csc", "coo", "dia", "bsr"]


def check(function, *args, order=1):
    np.testing.assert_allclose(jitad.jit(function)(*args), function(*args), rtol=1e-13, strict=True)
    check_grads(function, args, order=order)


@pytest.mark.parametrize("format", FORMATS)
def test_products(format):
    matrix = sp.csr_array(DENSE).asformat(format)
    check(lambda x, y: (matrix @ y).sum() + (matrix.dot(x**2) @ matrix).sum() + (y.T @ matrix.T).sum(), X, Y)
    check(lambda x, z: (matrix.T @ z) @ x + (z @ matrix) @ x, X, Z)


def test_second_derivatives():
    check(lambda x: sp.csr_matrix(DENSE) @ x**2, X, order=2)


def test_products_in_loops_and_helpers():
    step = sp.diags_array([0.1, -0.2, 0.1], offsets=[-1, 0, 1], shape=(40, 40)).tocsr()

    def diffused(u, matrix):
        for _ in range(30):
            u = u + matrix @ u * u
        return u

    u = R.uniform(0.2, 1, 40)
    np.testing.assert_allclose(jitad.jit(lambda u: diffused(u, step))(u), diffused(u, step), rtol=1e-13)
    check_grads(lambda u: np.sum(diffused(u, step) ** 2), (u,))


def test_the_star_is_a_product_for_matrices_alone():
    check(lambda x: sp.csr_matrix(DENSE) * x, X)
    with pytest.raises(NotImplementedError, match="cannot hold traced elements"):
        jitad.jit(lambda x: sp.csr_array(DENSE) * x)(X)
    with pytest.raises(NotImplementedError, match="cannot hold traced elements"):
        jitad.jit(lambda x: sp.csr_matrix(DENSE) * x[0] @ x)(X)


def test_elements_that_change_between_calls_are_read_again():
    for matrix in [sp.csr_array(DENSE), *[sp.csr_array(DENSE).asformat(format) for format in FORMATS]]:
        product, transposed = jitad.jit(lambda x, matrix=matrix: matrix @ x), jitad.jit(lambda z, matrix=matrix: matrix.T @ z)
        for _ in range(2):
            np.testing.assert_allclose(product(X), matrix @ X, rtol=1e-13)
            np.testing.assert_allclose(transposed(Z), matrix.T @ Z, rtol=1e-13)
            matrix.data *= 2


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_dtypes(dtype):
    matrix = sp.csr_array((DENSE * (1 + 2j)) if dtype == np.complex128 else DENSE.astype(dtype))
    for x in (X, X.astype(np.float32), X.astype(complex), np.arange(5)):
        np.testing.assert_allclose(jitad.jit(lambda x: matrix @ x)(x), matrix @ x, rtol=1e-6, strict=True)


def test_solutions():
    matrix = sp.csr_array(SQUARE)
    check(lambda x: sl.spsolve(matrix, x**2), X)
    check(lambda y: sl.spsolve(matrix, y), Y)
    factors = sl.splu(matrix.tocsc())
    solve = sl.factorized(matrix.tocsc())
    check(lambda x, y: factors.solve(y).T @ solve(x), X, Y)
    check(lambda x: sl.splu(matrix.tocsc()).solve(x), X)


def test_a_matrix_that_changes_is_factorised_again():
    matrix = sp.csc_array(SQUARE)
    solve = jitad.jit(lambda x: sl.spsolve(matrix, x))
    factorised = jitad.jit(lambda x: sl.splu(matrix).solve(x))
    for _ in range(2):
        np.testing.assert_allclose(solve(X), sl.spsolve(matrix, X), rtol=1e-12)
        np.testing.assert_allclose(factorised(X), sl.spsolve(matrix, X), rtol=1e-12)
        matrix.data[:] = matrix.data * np.linspace(1, 2, matrix.nnz)


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"shape \(6, 5\) times an array of shape \(6,\)"):
        jitad.jit(lambda z: sp.csr_array(DENSE) @ z)(Z)
    with pytest.raises(NotImplementedError, match=r"format 'lil'.*tocsr\(\)"):
        jitad.jit(lambda x: sp.lil_array(DENSE) @ x)(X)
    with pytest.raises(NotImplementedError, match="trans='T'"):
        jitad.jit(lambda x: sl.splu(sp.csc_array(SQUARE)).solve(x, "T"))(X)


@pytest.mark.slow
def test_systems_of_traced_elements():
    """A five-point operator made of factors, by elimination and conjugate gradients."""
    steps = sp.diags([-1.0, 1.0], [0, 1], shape=(4, 4))

    def energy(k):
        line = steps.T @ sp.diags(k**2) @ steps + 0.1 * sp.identity(4)
        whole = sp.kron(sp.identity(4), line) + sp.kron(line, sp.identity(4))
        load = np.arange(16.0) * k[0]
        return sl.spsolve(whole.tocsc(), load) @ load - sl.cg(whole, load**2, rtol=1e-13)[0] @ load

    k = np.array([0.7, 1.3, 0.4, 2.1])
    np.testing.assert_allclose(jitad.jit(energy)(k), energy(k), rtol=1e-9)
    check_grads(energy, (k,), modes=("rev",), rtol=1e-6)
    check_grads(lambda k: sl.spsolve(sp.diags([k, k[1:]], [0, 1]).tocsc(), k)[0], (k,), order=2, rtol=1e-5)
    with pytest.raises(NotImplementedError, match=r"eigsh of sparse.*toarray"):
        jitad.jit(lambda k: sl.eigsh(sp.diags(k), 1)[0])(k)
    with pytest.raises(AttributeError, match=r"'nnz'.*toarray"):
        jitad.jit(lambda k: sp.diags(k).nnz)(k)
