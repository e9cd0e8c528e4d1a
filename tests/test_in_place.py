"""Arrays that loops and branches update stay in one buffer: no trip costs more than what its statements touch."""

import numpy as np
import pytest
from counted import work_of_trips

import jitad
from jitad.lower.grammar.loops import Choice, Repeat
from jitad.lower.grammar.walk import leaves, reachable, roots
from jitad.pipeline import to_loops
from jitad.testing import check_grads

N = 40


def branches(x):
    b = np.zeros(N)
    for i in range(N):
        if x[i] > 0.5:
            b[i] += x[i] ** 2
        else:
            b[N - 1 - i] -= x[i]
    return np.sum(b**2)


def nested(x):
    u = np.ones((N, N)) * x[0]
    u[0] = x
    for _ in range(30):
        for i in range(1, N - 1):
            for j in range(1, N - 1):
                u[i, j] = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1])
    return np.sum(u**2)


def red_black(x):
    u = np.zeros((N, N))
    u[0] = x
    for _ in range(30):
        for colour in range(2):
            for i in range(1, N - 1):
                for j in range(1, N - 1):
                    if (i + j) % 2 == colour:
                        u[i, j] = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1])
    return np.sum(u**2)


def exchanged(x):
    u, v = x * 1.0, x * 2.0
    for i in range(N):
        u[i] = u[i] + 0.1 * v[N - 1 - i]
        u, v = v, u
    return np.sum(u**2) + np.sum(v**3)


def two_names(x):
    u = x * 1.0
    other = u
    for i in range(1, N):
        other[i] = 0.5 * u[i - 1] + u[i]
    return np.sum(u**2) + np.sum(other)


def kept_copy(x):
    u = x * 1.0
    for i in range(N - 1):
        before = u.copy()
        u[i] = u[i] * u[i + 1]
        u[i + 1] = before[i] + before[i + 1]
    return np.sum(u)


def in_a_branch(x):
    u = x * 1.0
    for i in range(N):
        if x[i] > 0.5:
            for j in range(30):
                u[j] = 0.5 * u[j + 1] + u[j] * x[i]
        elif x[i] > 0.2:
            u[i] = 0.0
    return np.sum(u)


def rows(x):
    a = np.outer(x, x) + np.eye(N)
    for k in range(N - 1):
        a[k + 1] = a[k + 1] - 0.1 * x[k] * a[k]
    return np.sum(a**2)


PROGRAMS = [branches, nested, red_black, exchanged, two_names, kept_copy, in_a_branch, rows]
ARGUMENT = np.linspace(0.1, 1, N) * np.where(np.arange(N) % 3, 1, 0.4)


def loops_of(function):
    return to_loops(jitad.trace(function)(ARGUMENT))


@pytest.mark.parametrize("function", [branches, nested, red_black, exchanged, two_names, in_a_branch])
def test_no_trip_of_the_function_touches_a_whole_array(function):
    assert set(work_of_trips(loops_of(jitad.jit(function)).steps)) == {1}


@pytest.mark.parametrize("function", [nested, two_names])
def test_no_trip_of_the_gradient_touches_a_whole_array(function):
    assert set(work_of_trips(loops_of(jitad.value_and_grad(function)).steps)) == {1}


def test_row_updates_touch_one_row():
    assert set(work_of_trips(loops_of(jitad.jit(rows)).steps)) <= {1, N}


def test_one_buffer_serves_all_levels_of_nested_loops():
    loops = loops_of(jitad.jit(nested))
    written = {buffer.memory for step in leaves(loops.steps) for region in step.regions for s in region.statements
               if (buffer := getattr(s, "buffer", None)) is not None and buffer.type.shape == (N, N)}  # fmt: skip
    assert len(written) == 1


@pytest.mark.parametrize("function", [*PROGRAMS, "cholesky"])
def test_values_and_gradients(function):
    function = globals()[function] if isinstance(function, str) else function
    np.testing.assert_allclose(jitad.jit(function)(ARGUMENT), function(ARGUMENT.copy()), rtol=1e-12)
    check_grads(function, (ARGUMENT,))


def test_indices_are_affine_in_the_counters_of_all_loops():
    for transform in (jitad.jit, jitad.value_and_grad):
        loops = loops_of(transform(nested))
        exprs = [expr for nest in leaves(loops.steps) for region in nest.regions for expr in reachable(roots(region))]
        assert not any(expr.op == "checked" for expr in exprs)
        assert not any(expr.op == "load" and expr.dtype.kind == "i" for expr in exprs)


def paths(x):
    d = np.outer(x, x[::-1]) + 0.1 * np.sin(np.arange(N * N).reshape(N, N))**2
    for k in range(N):
        for i in range(N):
            for j in range(N):
                if d[i, k] + d[k, j] < d[i, j]:
                    d[i, j] = d[i, k] + d[k, j]
    return np.sum(d)


@pytest.mark.parametrize("function", [branches, paths])
def test_gradients_of_branches_in_nested_loops_touch_single_elements(function):
    assert set(work_of_trips(loops_of(jitad.value_and_grad(function)).steps)) == {1}


def test_what_way_a_branch_went_is_kept_as_a_bit():
    assert loops_of(jitad.value_and_grad(paths)).work_bytes < N**3 + 10 * N**2 * 8


def test_equal_values_are_kept_once_and_cheap_ones_not_at_all():
    def recurrence(x):
        a = x[0]
        for i in range(1, N):
            a = 0.9 * a * a + np.sin(x[i]) * a
        return a

    assert len(set(written_stacks(loops_of(jitad.value_and_grad(recurrence))))) == 1


def written_stacks(loops):
    """The buffers of one element for each trip that the first loop writes besides what it carries."""
    (first, *_) = [step for step in loops.steps if isinstance(step, Repeat)]
    written = [s.buffer.memory for nest in leaves(first.steps) for region in nest.regions for s in region.statements]
    return [buffer for buffer in written if buffer.type.shape == (N - 1,)]


def test_a_gradient_may_be_differentiated_again():
    def small(x):
        a = x * 1.0
        for i in range(1, 5):
            if a[i] > 0.3:
                a[i] += a[i - 1] ** 2
            else:
                a[i - 1] *= x[i]
        return np.sum(a**3)

    check_grads(small, (np.array([0.2, 0.5, 0.1, 0.7, 0.4]),), order=2)


def cholesky(x):
    a = np.outer(x, x) + N * np.eye(N)
    low = np.zeros((N, N))
    for j in range(N):
        for i in range(j, N):
            s = a[i, j]
            for k in range(j):
                s -= low[i, k] * low[j, k]
            if i == j:
                low[i, j] = np.sqrt(s)
            else:
                low[i, j] = s / low[j, j]
    return np.sum(np.log(np.diag(low)))


def test_indices_in_triangular_loops_are_proven():
    for transform in (jitad.jit, jitad.value_and_grad):
        loops = loops_of(transform(cholesky))
        exprs = [expr for nest in leaves(loops.steps) for region in nest.regions for expr in reachable(roots(region))]
        assert not any(expr.op == "checked" for expr in exprs)


def test_an_index_that_a_triangular_loop_takes_too_far_is_an_error():
    def beyond(x):
        s = 0.0
        for i in range(N):
            for j in range(N - i):
                s += x[i + j + 1]
        return s

    with pytest.raises(IndexError):
        jitad.jit(beyond)(ARGUMENT)


def test_shortest_paths():
    direction = np.sin(np.arange(N))
    np.testing.assert_allclose(jitad.jit(paths)(ARGUMENT), paths(ARGUMENT), rtol=1e-12)
    forward = jitad.jvp(paths, (ARGUMENT,), (direction,))[1]
    np.testing.assert_allclose(jitad.grad(paths)(ARGUMENT) @ direction, forward, rtol=1e-12)
    difference = paths(ARGUMENT + 1e-7 * direction) - paths(ARGUMENT - 1e-7 * direction)  # no path changes
    np.testing.assert_allclose(forward, difference / 2e-7, rtol=1e-6)


def test_what_was_not_selected_is_not_added():
    """The adjoint of a branch adds where it was taken, not zero elsewhere."""
    loops = loops_of(jitad.value_and_grad(paths))
    *_, sweep = [step for step in loops.steps if isinstance(step, Repeat)]
    inner = sweep
    while isinstance(inner.steps[0], Repeat):
        (inner,) = inner.steps
    (choice,) = [step for step in inner.steps if isinstance(step, Choice)]
    assert choice is inner.steps[-1] and min(map(len, choice.branches)) == 0


@pytest.mark.parametrize("rows", [False, True])
def test_what_is_added_to_zeros_is_written(rows):
    """The adjoint of a[i] = 0.6 * a[i - 1] + 0.4 * a[i] sets its element once."""
    def smoothed(x):
        a = x * 1.0
        for i in range(1, N):
            if rows:
                a[i, : i + 1] = 0.6 * a[i - 1, : i + 1] + 0.4 * a[i, : i + 1]
            else:
                a[i, 3] = 0.6 * a[i - 1, 3] + 0.4 * a[i, 3]
        return np.sum(a**2)

    x = np.random.default_rng(0).normal(size=(N, N))
    *_, sweep = [step for step in to_loops(jitad.trace(jitad.value_and_grad(smoothed))(x)).steps if isinstance(step, Repeat)]
    stores = [s for nest in leaves(sweep.steps) for region in nest.regions for s in region.statements if getattr(s, "buffer", None)]
    assert not any(s.value.op == "const" and s.buffer.type.size == N * N for s in stores)
    check_grads(smoothed, (x,))


def test_small_parts_are_written_where_neighbours_are_read():
    """They are not stored by passes over the whole."""
    def waves(u, sources):
        u, v = u.copy(), np.zeros((41, 30))
        for t in range(len(sources)):
            u[3] += sources[t]
            v[1:-1] -= 0.1 * (u[1:] - u[:-1])
            u -= 0.2 * (v[1:] - v[:-1])
        return np.sum(u**2)

    rng = np.random.default_rng(0)
    u, sources = rng.random((40, 30)), rng.random((50, 30))
    value, slopes = jitad.value_and_grad(waves, argnums=(0, 1))(u, sources)
    assert value == pytest.approx(waves(u, sources), rel=1e-13)
    ways = rng.random(u.shape), rng.random(sources.shape)
    numerical = (waves(u + 1e-6 * ways[0], sources + 1e-6 * ways[1]) - waves(u - 1e-6 * ways[0], sources - 1e-6 * ways[1])) / 2e-6
    assert np.vdot(slopes[0], ways[0]) + np.vdot(slopes[1], ways[1]) == pytest.approx(numerical, rel=1e-7)
    assert "clamp" not in jitad.show(waves, u, sources, stage="loops")


def test_many_assignments_to_one_array():
    x = np.sin(np.arange(20.0))

    @jitad.jit
    def f(x):
        a = np.zeros(200)
        for k in jitad.unroll(range(200)):
            a[k] = x[k % 20] * k
        return a.sum()

    assert abs(f(x) - sum(x[k % 20] * k for k in range(200))) < 1e-9
