"""Indices and views of traced arrays against NumPy: what is read, what is written, and which other arrays see it."""

import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from traced import check, run, trace

from jitad.ir import errors

rng = np.random.default_rng(5)
CUBE = rng.standard_normal((3, 4, 5))
INDICES = int | np.integer | list | np.ndarray
rows, mask = np.array([2, 0, -1]), np.array([True, False, True])

KEYS = [
    0, -1, slice(1, None), slice(None, None, -1), slice(3, 0, -2), slice(5, 9), ..., None, (), (1, 2), (1, 2, 3), (1, ..., 2),
    (..., None, 0), (slice(None), 1), (slice(None, None, 2), None, slice(3, 1, -1)), (None, ..., None), (0, 0, 0, ...),
    (np.int64(1), np.uint8(2)), [0, 2], rows, (rows, rows), (slice(None), rows), (rows, 1), (1, rows), (rows, slice(None), rows),
    (slice(None), rows, rows), (slice(None), rows, [[1], [0]]), (rows, None, 1), (1, slice(1, 3), rows), (rows, ..., 0),
    (..., [1, 1], 0), ([[0, 1], [2, 0]],),
    mask, (mask, 1), (slice(None), [True, False, True, False]), (mask, slice(None), [0, 1]), (..., mask[[0, 1, 2, 0, 1]]), CUBE > 0,
    (CUBE > 0)[:, :, 0], ([], ), np.array(1), (np.array(1), slice(2)), np.zeros((0, 2), int), (slice(None), [0], ..., [1]),
    np.uint8([2, 0]),
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_indices(key):
    """The key known at trace time, and its parts as arguments of the function; read, written, and added to."""

    def use(x, key):
        part = x[key]
        total = part + 1
        x[key] = total * 2
        x[key] -= 0.5
        return part, total, x

    check(lambda x: use(x, key), CUBE)
    parts = key if isinstance(key, tuple) else (key,)
    dynamic = [k for k, part in enumerate(parts) if isinstance(part, INDICES) and np.asarray(part).dtype != bool]
    if dynamic:
        arrays = [np.asarray(parts[k], int) if isinstance(parts[k], list) else parts[k] for k in dynamic]

        def rebuilt(x, *arrays):
            found = dict(zip(dynamic, arrays))
            new = tuple(found.get(k, part) for k, part in enumerate(parts))
            return use(x, new if isinstance(key, tuple) else new[0])

        check(rebuilt, CUBE, *arrays)


@pytest.mark.parametrize("key", [7, (0, -5), (0, 0, 0, 0), (..., ...), 1.5, "a", [0, 3], (rows, rows, [0, 1]), mask[:2], (0, mask), [0.5],
                                 (np.array([0, 5]), 0)], ids=str)  # fmt: skip
def test_invalid_indices(key):
    with pytest.raises(IndexError) as theirs:
        CUBE[key]
    for attempt in (lambda x: x[key], lambda x: operator.setitem(x, key, 0)):
        with pytest.raises(errors.IndexError) as ours:
            run(attempt, CUBE)
        assert str(ours.value).split("\n")[0] == str(theirs.value).rstrip()
        assert "test_views.py" in str(ours.value)


def test_a_single_boolean_is_no_index():
    with pytest.raises(errors.IndexError, match=r"np\.where"):
        run(lambda x: x[True], CUBE)


@pytest.mark.parametrize("value, key", [([1.0, 2.0], ...), (np.ones((2, 1, 1, 1)), ...), (np.ones(2), [0, 1, 2]), (1j, 0)], ids=str)
def test_invalid_assignments(value, key):
    with pytest.raises((ValueError, TypeError)) as theirs:
        CUBE.copy()[key] = value
    with pytest.raises(theirs.type) as ours:
        run(lambda x: operator.setitem(x, key, value), CUBE)
    if theirs.type is ValueError and not isinstance(value, list):
        assert str(ours.value).split("\n")[0] in str(theirs.value)


def test_assignments_convert_and_broadcast():
    def assign(x, n, y):
        x[0] = y[:, :1]
        x[1:, 0] = [1, 2, 3, 4, 5]
        x[-1] = [[y[0, 0]], [1], [2], [n[0]]]
        x[1, 1, 1] = n[0]
        x[:, 2] = np.ones((1, 1, 5))
        n[...] = y[0, :3]
        n[0] = True
        x[0, 0] = np.float32(0.1)
        x.fill(n[1]) if n.ndim > 1 else None
        x.real = y[0, 0]
        x.flat[3:5] = 7
        x.flat = [1.0, 2.0]
        x.T[0] = 3
        x[range(1, 3), range(2)] = 8
        return x, n

    check(assign, CUBE, np.array([1, 2, 3]), CUBE[0] * 3)


def test_masks_that_are_only_known_later():
    def assign(x, m, v):
        x[x > 0] = 0
        x[m] = v[0, 0]
        x[m] = v[0]
        x[m, 1] = 5
        x[..., v[0] > 0] = -1
        x[0, v > 0] = 2
        x[:, m[:1].repeat(4)] = v[:1]
        x[1:][m[1:]] = 4
        return x

    check(assign, CUBE, mask, CUBE[1])
    check(lambda x, m: x[x[..., 0] > 0, 0] * 2, CUBE, mask)
    with pytest.raises(errors.NotImplementedError, match=r"np\.where\(mask"):
        run(lambda x, m: operator.setitem(x, m, CUBE[:2]), CUBE, mask)
    with pytest.raises(errors.IndexError, match="boolean index did not match indexed array along axis 1; size of axis is 4 but"):
        run(lambda x, m: operator.setitem(x, (0, m), 1), CUBE, mask)


def test_views_of_views():
    def change(x, z):
        a = x[1:, ::-2]
        b = a.T
        c = b[1, ..., None]
        c += 10
        d = x.reshape(-1)
        d[::7] = 0
        e = x.ravel()[3:5]
        e *= 2
        f = x.swapaxes(0, 1)[:, 0]
        f[1] = f[2]
        x[1:] = x[:-1]
        g = x[..., 0].T.reshape(12)
        g[:] = -5
        z.real[0] = 1
        z.imag += z.real
        z.T.imag = 3
        h = np.squeeze(x[:1, None])
        h[0] = 8
        i = x[2]
        i **= 2
        return a, b, c, d, e, f, g, h, i, x, z, x.flat[::9], z.conj().imag

    check(change, CUBE, CUBE[0] + 1j * CUBE[1])


def test_scalars_are_values_and_arrays_without_axes_are_views():
    def change(x, n):
        a, b, c, d = x[0], x[0, ...], x.sum(), x[n]
        e = a
        a += 1
        x[0] = 7
        b += 1
        c *= 2
        d -= 1
        f = x.reshape(-1)[2:3].reshape(())
        f += 3
        return a, b, c, d, e, f, x

    check(change, np.array([1.0, 2.0, 3.0]), np.int64(1))


def test_arrays_shown_without_leave_to_write():
    def change(x):
        spread, diagonal, part = np.broadcast_to(x[0], (2, 4)), np.diagonal(x), x.imag
        x += 1
        return spread, diagonal, part

    check(change, CUBE[:, :, 0])
    for show in (lambda x: x.imag, lambda x: np.broadcast_to(x, (2, 3, 4))):
        with pytest.raises(ValueError, match="assignment destination is read-only"):
            run(lambda x: operator.setitem(show(x), 0, 1), CUBE[:, :, 0])  # noqa: B023


def test_a_slice_that_is_changed_in_place_is_written_once():
    def change(x):
        x[1:, ::2] += 1

    names = [equation.primitive.name for equation in trace(change, CUBE).program.equations]
    assert names == ["slice", "add", "update"]


# --- random programs --------------------------------------------------------------------------------------------------------


def divisions(size: int):
    """Draw a shape for `size` elements."""
    if size == 0:
        return st.sampled_from([(0,), (2, 0), (0, 3)])
    shapes = [(size,), (1, size), (size, 1, 1), *[(k, size // k) for k in range(2, size) if size % k == 0],
              *[(k, 2, size // k // 2) for k in range(2, size) if size % (2 * k) == 0]]  # fmt: skip
    return st.sampled_from(shapes)


def slices(extent: int):
    bound = st.none() | st.integers(-extent - 1, extent + 1)
    return st.builds(slice, bound, bound, st.sampled_from([None, 1, 2, -1, -2, 3]))


@st.composite
def keys(draw, shape, arrays=False):
    """Draw a key for an array of `shape`."""
    key = []
    for extent in shape[: draw(st.integers(0, len(shape)))]:
        kinds = [slices(extent)]
        if extent:
            kinds += [slices(extent), st.integers(-extent, extent - 1)]
        if extent and arrays:
            kinds.append(st.lists(st.integers(-extent, extent - 1), min_size=2, max_size=2).map(np.array))
            kinds.append(st.lists(st.booleans(), min_size=extent, max_size=extent).map(np.array).filter(lambda m: m.sum() == 2))
        key.append(draw(st.one_of(kinds)))
    for extra in draw(st.lists(st.sampled_from([None, ...]), max_size=2, unique=True)):
        partial = extra is ... and sum(entry is not None for entry in key) < len(shape)
        key.insert(len(key) if partial else draw(st.integers(0, len(key))), extra)
    return tuple(key)


@st.composite
def steps(draw, array):
    """Draw what is done with an array: a function of it that returns a new array, and may change the old one."""
    kind = draw(st.sampled_from(["view", "view", "reshape", "permute", "ravel", "part", "gather", "compute", "add", "set", "set", "scale",
                                 "add_at", "flat"]))  # fmt: skip
    number = draw(st.integers(-3, 3))
    is_array = isinstance(array, np.ndarray)
    if kind == "view" and is_array:
        key = draw(keys(array.shape))
        return lambda x: x[key]
    if kind == "reshape" and is_array:
        shape = draw(divisions(array.size))
        return lambda x: x.reshape(shape)
    if kind == "permute":
        axes = draw(st.permutations(range(array.ndim)))
        return lambda x: x.transpose(*axes)
    if kind == "ravel" and is_array:
        return lambda x: x.ravel()
    if kind == "part" and array.dtype.kind == "c":
        return draw(st.sampled_from([lambda x: x.real, lambda x: x.imag]))
    if kind == "gather" and is_array:
        key = draw(keys(array.shape, arrays=True))
        return lambda x: x[key].copy()
    if kind == "add":
        return lambda x: operator.iadd(x, number)
    if kind in ("set", "add_at") and is_array:
        key = draw(keys(array.shape, arrays=True))
        source = draw(keys(array.shape))

        def write(x):
            value = x[source].sum()
            if kind == "set":
                x[key] = value * 2 + number
            else:
                np.add.at(x, key, value)
            return x[key].copy()

        return write
    if kind == "scale" and is_array and array.ndim:
        return lambda x: np.multiply(x, x[:1] * 0.5, out=x, casting="unsafe")
    if kind == "flat" and is_array and array.size:
        return lambda x: operator.setitem(x.flat, slice(None, None, 3), number)
    return lambda x: (x + number).copy()


@st.composite
def programs(draw):
    """Draw a first array and steps, each applied to one of the arrays made so far."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    first = np.arange(1.0, np.prod(shape) + 1).reshape(shape).astype(draw(st.sampled_from(["d", "D", "l"])))
    pool, program = [first.copy()], []
    for _ in range(draw(st.integers(1, 8))):
        which = draw(st.integers(0, len(pool) - 1))
        step = draw(steps(pool[which]))
        program.append((which, step))
        result = step(pool[which])
        if result is not None:
            pool.append(result)
    return first, program


@settings(max_examples=250, deadline=None)
@given(programs())
def test_random_reads_and_writes_through_random_views(drawn):
    first, program = drawn

    def perform(x):
        pool = [x]
        for which, step in program:
            result = step(pool[which])
            if result is not None:
                pool.append(result)
        return pool

    check(perform, first)
