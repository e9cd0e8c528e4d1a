"""Slices with bounds that are only known when the compiled function runs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from staged import check

import jitad
from jitad.pipeline import to_loops

pytestmark = pytest.mark.usefixtures("no_unrolling")

# --- programs ------------------------------------------------------------------------------------------------------------------------


def cholesky(A):
    n = A.shape[0]
    L = np.zeros((n, n))
    for i in range(n):
        for j in range(i):
            L[i, j] = (A[i, j] - L[i, :j] @ L[j, :j]) / L[j, j]
        L[i, i] = np.sqrt(A[i, i] - L[i, :i] @ L[i, :i])
    return L


def cholesky_by_columns(A):
    A = A.copy()
    n = A.shape[0]
    for j in range(n):
        A[j:, j] -= A[j:, :j] @ A[j, :j]
        A[j:, j] /= np.sqrt(A[j, j])
        A[j, j + 1:] = 0.0
    return A


def lu(A):
    A = A.copy()
    n = A.shape[0]
    for k in range(n - 1):
        A[k + 1:, k] /= A[k, k]
        A[k + 1:, k + 1:] -= np.outer(A[k + 1:, k], A[k, k + 1:])
    return A


def forward_substitution(L, b):
    n = b.shape[0]
    x = np.zeros(n)
    for i in range(n):
        x[i] = (b[i] - L[i, :i] @ x[:i]) / L[i, i]
    return x


def backward_substitution(U, b):
    n = b.shape[0]
    x = np.zeros(n)
    for i in range(n - 1, -1, -1):
        x[i] = (b[i] - np.sum(U[i, i + 1:] * x[i + 1:])) / U[i, i]
    return x


def durbin(r):
    n = r.shape[0]
    y = np.zeros(n)
    y[0], beta, alpha = -r[0], 1.0, -r[0]
    for k in range(1, n):
        beta *= 1.0 - alpha * alpha
        alpha = -(r[k] + np.dot(np.flip(r[:k]), y[:k])) / beta
        y[:k] += alpha * y[:k][::-1]
        y[k] = alpha
    return y


def gram_schmidt(A):
    m, n = A.shape
    Q, R = np.zeros((m, n)), np.zeros((n, n))
    for k in range(n):
        R[:k, k] = Q[:, :k].T @ A[:, k]
        v = A[:, k] - Q[:, :k] @ R[:k, k]
        R[k, k] = np.linalg.norm(v)
        Q[:, k] = v / R[k, k]
    return Q, R


def householder(A):
    A = A.copy()
    for k in range(A.shape[1]):
        v = A[k:, k].copy()
        v[0] += np.where(v[0] > 0, 1.0, -1.0) * np.linalg.norm(v)
        v /= np.linalg.norm(v)
        A[k:, k:] -= 2.0 * np.outer(v, v @ A[k:, k:])
    return A


def triangular_product(A, B):
    B = B.copy()
    for i in range(A.shape[0]):
        for j in range(B.shape[1]):
            B[i, j] += np.sum(A[i + 1:, i] * B[i + 1:, j])
    return B


def moving_statistics(x):
    y = np.zeros(x.shape[0])
    for i in range(x.shape[0]):
        w = x[max(i - 2, 0):i + 3]
        y[i] = np.mean(w) + 0.1 * np.max(w) + np.std(w) + len(w)
    return y


INDICES = np.array([3, 1, 4, 1, 5, 9, 2, 6, 5, 3] * 3)
POINTERS = np.array([0, 3, 3, 5, 9, 9, 9, 10, 14, 17, 20, 20, 21, 22, 23, 24, 25, 26, 30])


def sparse_product(data, x):
    y = np.zeros(len(POINTERS) - 1)
    for i in range(len(POINTERS) - 1):
        lo, hi = POINTERS[i], POINTERS[i + 1]
        y[i] = data[lo:hi] @ x[INDICES[lo:hi]]
    return y


def operands(name, n=18):
    rng = np.random.default_rng(0)
    general, x = rng.standard_normal((n, n)), rng.standard_normal(n)
    dominant = general + n * np.eye(n)
    return {
        "cholesky": (general @ general.T + n * np.eye(n),), "cholesky_by_columns": (general @ general.T + n * np.eye(n),), "lu": (dominant,),
        "forward_substitution": (dominant, x), "backward_substitution": (dominant, x), "durbin": (x / 5,), "householder": (general,),
        "gram_schmidt": (dominant,), "triangular_product": (general, general[:, :3]), "moving_statistics": (x,),
        "sparse_product": (rng.random(30), x),
    }[name]  # fmt: skip


PROGRAMS = [cholesky, cholesky_by_columns, lu, forward_substitution, backward_substitution, durbin, gram_schmidt, householder,
            triangular_product, moving_statistics, sparse_product]


def total(function):
    """Return the sum of sines of all that a function returns."""

    def scalar(*args):
        found = function(*args)
        return sum(np.sum(np.sin(y)) for y in (found if isinstance(found, tuple) else (found,)))

    return scalar


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_programs(program):
    """Value, forward and reverse mode; compiled, and by the interpreter."""
    args = operands(program.__name__)
    check(total(program), *args, rtol=1e-11)
    value, gradients = jitad.value_and_grad(total(program), argnums=tuple(range(len(args))))(*args)
    np.testing.assert_allclose(value, total(program)(*args), rtol=1e-11)
    pulled = jitad.vjp(total(program), *args)[1](1.0)
    tangents = [np.cos(np.arange(x.size)).reshape(x.shape) for x in args]
    slope = jitad.jvp(total(program), args, tuple(tangents))[1]
    for one in (gradients, pulled):
        np.testing.assert_allclose(sum(np.sum(g * t) for g, t in zip(one, tangents, strict=True)), slope, rtol=1e-9)


@pytest.mark.parametrize("program", [cholesky, durbin], ids=lambda program: program.__name__)
def test_second_derivatives(program):
    (x,) = operands(program.__name__, 17)
    v = np.cos(np.arange(x.size)).reshape(x.shape)
    found = jitad.hvp(total(program), (x,), (v,))
    gradient, step = jitad.grad(total(program)), 1e-5
    expected = (gradient(x + step * v) - gradient(x - step * v)) / (2 * step)
    found = found[1] if isinstance(found, tuple) else found
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7 * np.abs(expected).max())


# --- what slices can do ------------------------------------------------------------------------------------------------------------------


def every(body):
    """Return the function that adds up ``body(x, i)`` for all i."""

    def function(x):
        y = 0.0
        for i in range(x.shape[0]):
            y += body(x, i)
        return y

    return function


READS = {
    "negative bound": lambda x, i: np.sum(x[-i - 1:] ** 2),
    "from the end": lambda x, i: np.sum(x[:-i] ** 2) + np.sum(x[i - 5:]),
    "clipped": lambda x, i: np.sum(x[i - 30:i + 30] ** 2) + np.sum(x[40 + i:]),
    "steps": lambda x, i: np.sum(x[i::2] ** 2) + np.sum(x[:i:3]) * x[0] + np.sum(x[i::-2] ** 3) + np.sum(x[:i:-1]),
    "slices of slices": lambda x, i: np.sum(x[i:][1:] ** 2) + np.sum(x[:i][::-1][2:] * x[:i][:-2]) + x[i:][0] * x[:i + 1][-1],
    "elements": lambda x, i: x[i:][-1] * x[i // 2:][i - i // 2],
    "functions": lambda x, i: np.sum(np.exp(x[:i]) / (1 + x[:i] ** 2)) + np.sum(np.where(x[i:] > 0, x[i:], 0) ** 2),
    "singular beyond the extent": lambda x, i: np.sum(1 / np.sqrt(x[:i] ** 2)) + np.sum(np.log(abs(x[:i]))) + np.prod(x[:i]),
    "reductions": lambda x, i: np.max(x[i:]) * np.min(x[:i + 1]) + np.mean(x[i:]) + np.var(x[i:]) + x[i:].std() * x[:i].sum(),
    "norm": lambda x, i: np.linalg.norm(x[i:]) + np.linalg.norm(x[:i + 1], np.inf) + np.linalg.norm(x[i:], 1),
    "running": lambda x, i: np.sum(np.cumsum(x[i:]) ** 2) + np.sum(np.cumprod(x[:i])) + np.sum(np.diff(x[i:]) ** 2),
    "sorted": lambda x, i: np.sort(x[i:])[0] + x[i:][np.argmax(x[i:])] ** 2,
    "products": lambda x, i: np.dot(x[i:], x[i:]) + np.inner(x[:i], x[:i]) * np.vdot(x[i:], x[i:]),
    "outer product": lambda x, i: np.sum(np.outer(x[i:], x[:i]) ** 2) + np.sum((x[i:, None] - x[None, :i]) ** 3),
    "shapes": lambda x, i: len(x[i:]) * x[i] + x[:i].shape[0] + x[i:].size + x[i:].ndim,
    "broadcast": lambda x, i: np.sum((x[i:] + x[i:i + 1]) * x[i] + 1.0),
}


@pytest.mark.parametrize("body", READS.values(), ids=READS.keys())
def test_reads(body):
    check(every(body), np.random.default_rng(1).uniform(0.5, 1.5, 18), rtol=1e-11)


def test_matrices():
    def function(A, x):
        y = np.zeros(A.shape[0])
        for k in range(1, A.shape[0]):
            B = A[:k, :k]
            y[k] = np.sum(B @ x[:k]) + np.sum(x[:k] @ B.T) + np.sum(B @ B) * 0.01 + np.sum(A[:, :k].T @ x) + np.sum(A[k:, k].T ** 2)
        return y

    rng = np.random.default_rng(2)
    check(function, rng.random((18, 18)), rng.random(18))
    A, x = rng.random((40, 40)), rng.random(40)
    np.testing.assert_allclose(jitad.jit(function)(A, x), function(A, x), rtol=1e-12)


def test_loops_over_slices():
    def function(x):
        y = 0.0
        for i in range(x.shape[0]):
            for v in x[i:]:
                y += v * x[i]
            for k in range(len(x[:i])):
                y = y * 0.9 + x[:i][k]
        return y

    check(function, np.random.default_rng(3).random(18))


def test_writes_through_views():
    def function(x):
        a = np.zeros((x.shape[0], x.shape[0]))
        for i in range(x.shape[0]):
            row = a[i, :i + 1]
            row[:] = x[:i + 1]
            row *= 2.0
            row[::-1][:1] = 3.0
            a[i:, i] += x[i:] * row[0]
            a[i, i:] = x[i]
            a[:i, i] = a[i, :i] + 1.0
            back = a[i, ::-1]
            back[:i] = back[:i] * 1.5
        return a

    check(function, np.random.default_rng(4).random(18))


def test_slices_of_arrays_from_outside():
    weights = np.linspace(0.0, 1.0, 20)

    def function(x):
        y = 0.0
        for i in range(x.shape[0]):
            y += np.sum(x[i:] * weights[:x.shape[0] - i])
        return y

    check(function, np.random.default_rng(5).random(20))


def test_bounds_that_are_computed():
    def function(x):
        lo, y = 0, 0.0
        while lo < x.shape[0]:
            hi = lo + 1 + int(abs(x[lo]) * 5)
            y += np.sum(x[lo:hi]) ** 2
            lo = hi
        return y

    check(function, np.random.default_rng(6).random(30))


def test_batched():
    """Members may have extents of their own."""
    def function(x, k):
        y = 0.0
        for i in range(x.shape[0]):
            a = x.copy()
            a[k:i] *= 2.0
            y += np.sum(a[i:]) * np.sum(a[k:] ** 2)
        return y

    rng = np.random.default_rng(7)
    x, k = rng.random((3, 18)), np.array([0, 5, 18])
    found = jitad.jit(jitad.vmap(function))(x, k)
    np.testing.assert_allclose(found, [function(a, b) for a, b in zip(x, k, strict=True)], rtol=1e-12)
    jacobians = [jacobian(lambda x: np.array([function(x, 5), 1.0]))(x[0]) for jacobian in (jitad.jacfwd, jitad.jacrev)]
    np.testing.assert_allclose(*jacobians, rtol=1e-11)


bound = st.one_of(st.none(), st.builds(lambda a, b: f"{a} * i + {b}", st.integers(-2, 2), st.integers(-8, 8)))
key = st.builds(lambda a, b, c: f"{'' if a is None else a}:{'' if b is None else b}:{c}", bound, bound, st.sampled_from([1, 1, 1, -1, 2, -3]))


@given(st.lists(st.tuples(key, key, key), min_size=1, max_size=4))
@settings(max_examples=12, deadline=None)
def test_random_slices(keys):
    """Read from one array and written to another, through slices of slices."""
    lines = ["def program(x, np=np):", "    y, total = x * 1.0, 0.0", "    for i in range(17):"]
    for first, second, third in keys:
        lines += [f"        part = x[{first}][{second}]", "        total += np.sum(part ** 2) * 0.1",
                  f"        y[{first}][{second}] = part * y[{first}][{second}]", f"        y[{third}] += np.sum(part)",
                  f"        y[{first}] *= 0.5"]  # fmt: skip
    lines.append("    return total + np.sum(np.sin(y))")
    check(made("\n".join(lines)), np.random.default_rng(8).random(11), rtol=1e-9)


def made(source):
    """Return the function of a source text, kept where `inspect` finds it."""
    import linecache

    name = f"<made {hash(source)}>"
    linecache.cache[name] = len(source), None, source.splitlines(keepends=True), name
    names = {"np": np}
    exec(compile(source, name, "exec"), names)
    return names["program"]


# --- what they cannot do -------------------------------------------------------------------------------------------------------------------


def refusal(body, n=18):
    with pytest.raises(jitad.JitadError) as caught:
        jitad.jit(every(body))(np.arange(1.0, n + 1))
    return caught.value


@pytest.mark.parametrize("body, kind, text", [
    (lambda x, i: np.sum(x[:i] * x[2:]), ValueError, "extents"),
    (lambda x, i: np.sum(x[:i] + x[:i + 1]), ValueError, "extents"),
    (lambda x, i: x[:i][3], IndexError, "out of bounds"),
    (lambda x, i: np.max(x[i + 1:]), ValueError, "empty"),
    (lambda x, i: np.histogram(x[:i])[0], TypeError, "np.histogram of a slice whose extent"),
    (lambda x, i: x[:i], TypeError, "extent"),
], ids=["two extents", "one more", "element", "empty maximum", "unknown function", "carried"])  # fmt: skip
def test_refusals(body, kind, text):
    error = refusal(body)
    assert isinstance(error, kind) and text in str(error) and "test_variable_extents.py" in str(error)


def test_a_slice_as_result():
    def function(x):
        for i in range(x.shape[0]):
            part = x[i:]
        return part

    assert jitad.jit(function)(np.arange(18.0)).tolist() == [17.0]


# --- loops -----------------------------------------------------------------------------------------------------------------------------------


def text_of(function, *args):
    return jitad.show(function, *args, stage="loops")


def test_loops_run_over_what_counts():
    n = 40
    rng = np.random.default_rng(0)
    text = text_of(forward_substitution, rng.random((n, n)), rng.random(n))
    inner = text[text.index("for t"):]
    assert "for i0 in range(0, t1)" in inner and f"range(0, {n})" not in inner.split("out0")[0]
    text = text_of(every(lambda x, i: np.sum(x[i + 1:] ** 2)), rng.random(n))
    assert "for i0 in range(0, -1*t1 + 39)" in text or "+ 39)" in text
    assert "select" not in text and " if " not in text


def test_compile_time_does_not_grow_with_trips():
    def steps(n):
        traced = jitad.trace(jitad.grad(total(durbin)))(np.full(n, 0.01))
        return len(to_loops(getattr(traced, "program", traced)).steps)

    assert steps(20) == steps(60)


# --- arrays made of them ----------------------------------------------------------------------------------------------------------


def ranges(x):
    total = 0.0
    for i in range(1, 30):
        k, j = np.arange(i), np.arange(i, 0, -2)
        total += np.sum(x[k] * k) + np.sum(x[j - 1] / (j + 1.0)) + np.arange(i // 2, i).sum()
    return total


def work_vectors(x):
    total = 0.0
    for i in range(1, 30):
        w = np.zeros(i)
        w[0] = x[i]
        w[1:] = x[1:i] * 0.5
        w += np.full(i, x[0]) + np.ones(i)
        a = np.zeros((i, 2))
        a[:, 1] = w
        total += w @ x[:i] + w[-1] + np.sum(a[-1])
    return total


def joined(x):
    total, a = 0.0, x[:4] * x[:3, None]
    for i in range(2, 29):
        c = np.concatenate([x[:i], x[i + 1:]])
        d = np.concatenate((x[i:], [x[0]], 2 * x[: i // 2]))
        b = np.concatenate([a[:, : i % 4], a[:, :1]], axis=1)
        total += c[3] * c @ c + d[-1] * d.sum() + b.sum()
    return total


@pytest.mark.parametrize("function", [ranges, work_vectors, joined])
def test_arrays_of_variable_extents(function):
    x = np.random.default_rng(5).uniform(0.5, 1.0, 30)
    assert np.isclose(jitad.jit(function)(x), function(x), rtol=1e-13)
    jitad.testing.check_grads(function, (x,), rtol=1e-5)


def inside(rules, tokens):
    """The probability of a sentence by a grammar: each span from all of its splits."""
    n, kinds = tokens.shape
    table = np.full((n, n + 1, kinds), -1e30)
    for i in range(n):
        table[i, i + 1] = tokens[i]
    for width in range(2, n + 1):
        for i in range(n - width + 1):
            j = i + width
            split = table[i, i + 1 : j, :, None] + table[i + 1 : j, j, None, :]
            scores = rules + split[:, None]
            most = scores.max(axis=(0, 2, 3))
            table[i, j] = most + np.log(np.sum(np.exp(scores - most[None, :, None, None]), axis=(0, 2, 3)))
    return table[0, n, 0]


def test_parts_of_a_table_that_end_where_others_begin():
    rng = np.random.default_rng(6)
    rules, tokens = rng.normal(size=(6, 6, 6)), rng.normal(size=(5, 6))
    assert np.isclose(jitad.jit(inside)(rules, tokens), inside(rules, tokens), rtol=1e-13)
    jitad.testing.check_grads(inside, (rules, tokens), rtol=1e-5)


def test_an_extent_without_a_bound():
    def f(x):
        k = 0
        while np.sum(np.zeros(k)) + x > k:
            k += 1
        return k

    with pytest.raises(jitad.JitadError, match="np.zeros takes an extent.*use a slice of it"):
        jitad.jit(f)(3.5)
