"""Arrays and lists of which only the run knows how many elements they have: made by masks, conditions, loops and bounds, carried, returned."""

import numpy as np
import pytest

import jitad
from jitad.ir import errors
from jitad.testing import check_grads

X = np.array([0.12, 0.43, 0.61, 0.93, 0.27])
POINTS = [X, np.sort(X), X + 2.0, 0.35 - X]


def same(found, wanted):
    """Check values, dtypes and the structure."""
    if isinstance(wanted, tuple | list):
        assert type(found) is type(wanted) and len(found) == len(wanted)
        for x, y in zip(found, wanted, strict=True):
            same(x, y)
    elif isinstance(wanted, dict):
        assert list(found) == list(wanted)
        same(list(found.values()), list(wanted.values()))
    else:
        np.testing.assert_allclose(found, wanted, rtol=1e-12)
        assert np.shape(found) == np.shape(wanted) and np.asarray(found).dtype == np.asarray(wanted).dtype
        assert isinstance(found, np.ndarray) == isinstance(wanted, np.ndarray)


def growing(x):
    out = []
    v = 1.0 + x[0] ** 2
    while v < 100.0:
        out.append(v)
        v = v * 1.5
    return np.array(out)


def kept_in_a_list(x):
    pairs, numbers = [], []
    for i in range(40):
        if x[i % 5] * i > 3:
            pairs.append((x[i % 5] * i, i))
            numbers.append(i)
    return pairs, numbers, {"first": [a for a, _ in pairs]}


def selected(x):
    y = x[x > 0.3]
    return y, np.sort(y), np.cumsum(y), np.concatenate([y, y * 2]), y * np.arange(len(y)), y[::-1], 1.0 * sum(v * v for v in y), y[y > 0.5], y.shape


def occurrences(x):
    i = np.nonzero(x > 0.3)[0]
    table = np.outer(x, x)
    return (i, x[i], np.flatnonzero(x > 0.3), np.where(x > 0.35)[0], len(i), np.compress(x > 0.3, x), np.compress(x > 0.3, table, axis=1),
            np.extract(x > 0.3, x), np.argwhere(table > 0.3), np.unique(np.round(x * 5)), np.nonzero(table > 0.2), table[x > 0.3],
            table[table > 0.1], table[x > 0.3, 1])


def changed_at_places(x):
    i = np.flatnonzero(x > 0.35)
    y = x.copy()
    y[i] = y[i] ** 2
    y[i] += 1.0
    y[i] *= np.arange(len(i)) + 1.0
    z = y[y > 0.2]
    z[z > 0.5] = 7.0
    return y, z


def changed_where(x):
    y, table, mask = np.zeros_like(x), np.outer(x, x), x > 0.35
    i, other, places = np.where(mask), np.where(x <= 0.35), np.where(table > 0.1)
    mask[0] = not mask[0]
    y[i] = (1 + x[i] ** 2) ** -0.5 * np.arctan(x[i])
    y[other] = 2.0
    y[i] += y[i].sum() * x[i[0]]
    table[places] = np.sqrt(table[places]) + places[1]
    table[places[0], places[1]] += 1.0
    table[i] *= 2.0
    return y, table, table[places], table[i], np.outer(x, y)[:, 1:][np.nonzero(table[:, 1:] > 1)]


def between_bounds(x):
    x = np.sort(x)
    low, high = np.searchsorted(x, 0.2), np.searchsorted(x, 0.7)
    part = x[low:high]
    count = int(x.sum() * 3)
    zeros = np.zeros(count % 7 + 1)
    zeros[0] = x[0]
    return {"squares": part * part, "outer": np.outer(part, part), "apart": np.concatenate([x[:low], x[high:]])}, zeros, np.arange(count % 7)


def carried(x):
    k = np.argmax(x)
    part = x[:k]
    for i in range(30):
        if x[i % 5] > 0.5:
            part = part * 1.1
        else:
            part = part + 0.1
    if x[0] > 0.2:
        other = x[:k]
    else:
        other = x[k:]
    return part, other * 2, len(other)


def lists_of_slices(x):
    out = []
    for i in range(1, 20):
        out.append(x[: i % 4 + 1].copy())
    return sum(part.sum() for part in out), out[-1]


def narrowed(x):
    n = 0
    while n < 3:
        x = x[x > x.mean() - 0.2] * 0.5
        n += 1
    return x


def narrowed_in_branches(x):
    y = x[x > 0.2]
    for i in range(20):
        y = y[y > 0.01 * i]
        if len(y) > 2:
            y = y * 0.9
    return y


def sieve(x):
    primes, k = [], 2
    while len(primes) < 10:
        if all(k % p != 0 for p in primes):
            primes.append(k)
        k += 1
    return primes, x[0]


PROGRAMS = [growing, kept_in_a_list, selected, occurrences, changed_at_places, changed_where, between_bounds, carried, lists_of_slices, narrowed,
            narrowed_in_branches, sieve]


@pytest.mark.parametrize("program", PROGRAMS)
def test_results_are_those_of_numpy(program):
    compiled = jitad.jit(program)
    for x in POINTS:
        if not (program is narrowed and len(program(x)) == 0):
            same(compiled(x), program(x))


def test_selections_changed_in_branches():
    def f(x):
        y, z = x[x > 0.3], x[x > 0.3]
        if x[0] > 0.5:
            y *= 2.0
        else:
            z[z > 0.5] = 3.0
        for i in range(20):
            if x[i % 5] > 0.4:
                y += 1.0
        return y, z

    for x in POINTS:
        same(jitad.jit(f)(x), f(x.copy()))
    check_grads(lambda x: np.sum(f(x)[0] ** 2), (X,))


@pytest.mark.parametrize("program", [
    growing, lambda x: np.sort(x[x > 0.3]) * np.cumsum(x[x > 0.3]), lambda x: changed_at_places(x)[0], lambda x: between_bounds(x)[0]["outer"],
    lambda x: carried(x)[0], lambda x: occurrences(x)[11], narrowed])
def test_derivatives(program):
    check_grads(lambda x: np.sum(program(x) ** 2), (X,), order=2)


@pytest.mark.parametrize("program", [growing, between_bounds, carried])
def test_forward_against_reverse(program):
    def product(x, y):
        if isinstance(x, dict):
            x, y = list(x.values()), list(y.values())
        return sum(map(product, x, y)) if isinstance(x, tuple | list) else np.sum(np.asarray(x) * np.asarray(y))

    def floats(x):
        result = program(x)
        return result[:2] if isinstance(result, tuple) else result

    direction = np.linspace(1.0, 2.0, 5)
    value, pullback = jitad.vjp(floats, X)
    same(value, floats(X))
    moved = jitad.jvp(floats, (X,), (direction,))[1]
    np.testing.assert_allclose(product(pullback(value)[0], direction), product(moved, value))
    _, linear = jitad.linearize(floats, X)
    same(linear(direction), moved)
    within = jitad.jit(lambda x: (jitad.vjp(floats, x)[1](floats(x)), jitad.jvp(floats, (x,), (direction,))[1]))
    (cotangent,), again = within(X)
    np.testing.assert_allclose(cotangent, pullback(value)[0])
    same(again, moved)


@pytest.mark.parametrize("integral", [
    lambda rows, x: np.trapezoid(rows[:, 1], rows[:, 0]), lambda rows, x: np.trapezoid(rows, rows[:, 0], axis=0),
    lambda rows, x: np.trapezoid(rows, dx=x), lambda rows, x: np.trapezoid(rows, rows**2, axis=0)])
def test_trapezoid(integral):
    def f(x):
        rows, v = [], x
        while v > 1.0:
            rows.append((v, v * v))
            v = v * 0.7
        return integral(np.array(rows), x)

    for x in (3.0, 1.2):
        same(jitad.jit(f)(x), f(x))
    check_grads(lambda x: np.sum(f(x)), (3.0,), order=2)


def test_pullbacks_of_lists():
    def powers(x, n):
        out, v = [], x
        while v < n:
            out.append((v, [v * v, 2.0 * v]))
            v = v * 1.5
        return {"powers": out, "last": v}

    value, pullback = jitad.vjp(powers, 1.1, 20.0)
    seeds = np.random.default_rng(0).normal(size=(len(value["powers"]), 3))
    cotangent = {"powers": [(a, [b, c]) for a, b, c in seeds], "last": 0.5}
    _, moved = jitad.jvp(powers, (1.1, 20.0), (1.0, 0.0))
    expected = 0.5 * moved["last"] + sum(w @ np.array([u, *v]) for w, (u, v) in zip(seeds, moved["powers"], strict=True))
    np.testing.assert_allclose(pullback(cotangent), (expected, 0.0))
    for other in ([*cotangent["powers"], cotangent["powers"][0]], [(a, b) for a, (b, _) in cotangent["powers"]], np.ones(3)):
        with pytest.raises(errors.TypeError, match="list of a length known at run time"):
            pullback({"powers": other, "last": 0.5})
    value, pullback = jitad.vjp(powers, 30.0, 20.0)
    assert value["powers"] == []
    assert pullback({"powers": [], "last": 1.0}) == (1.0, 0.0)


def test_what_is_not_known():
    value, pullback = jitad.vjp(growing, X)
    with pytest.raises(errors.ValueError, match="the cotangent has shape"):
        pullback(np.ones(len(value) + 1))
    with pytest.raises(errors.ConcreteValueError, match="a result of vmap"):
        jitad.vmap(growing)(np.array([X, X]))
    with pytest.raises(errors.ConcreteValueError, match="compiled callers"):
        jitad.compile(growing, X)
    with pytest.raises(errors.IndexError, match="out of bounds"):
        jitad.jit(lambda x, i: changed(x, i[i > 0]))(X, np.array([1, 9]))
    with pytest.raises(errors.NotImplementedError, match="np.unique"):
        jitad.jit(lambda x: np.unique(x, return_counts=True))(X)


def changed(x, i):
    y = x.copy()
    y[i] = 0.0
    return y


def test_they_are_what_they_stand_for():
    def classes(x):
        chosen, appended = x[x > 0.5], []
        for value in x:
            if value > 0.5:
                appended.append(value)
        array = np.array(appended)
        found = [isinstance(y, np.ndarray) and not isinstance(y, list | float) for y in (chosen, array, np.flatnonzero(x > 0.5))]
        found += [type(chosen) is type(x), type(array) is np.ndarray, type(appended) is list, isinstance(appended, list), type([x]) is list]
        return [*found, not np.iscomplexobj(array), np.isrealobj(chosen), np.ndim(array) == 1]

    assert all(classes(np.linspace(0, 1, 30))) and all(jitad.jit(classes)(np.linspace(0, 1, 30)))
