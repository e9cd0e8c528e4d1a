"""How much of a function is traced: which loops are staged, which branches are selections, and what Python itself decides."""

import numpy as np
from staged import check, interpreted, primitives, staged

import jitad

R = np.random.default_rng(3)
X = R.uniform(0.2, 1.0, 30)


def summed(x):
    s = 0.0
    for i in range(len(x)):
        s += x[i]
    return s


def test_long_loops_are_traced_once():
    sizes = [len(staged(summed, np.ones(n)).program.equations) for n in (20, 2000, 2_000_000)]
    assert len(set(sizes)) == 1
    assert primitives(summed, np.ones(20)) == ["loop"]


def test_short_loops_and_unrolled_ones_are_not_staged():
    def asked(x):
        s = 0.0
        for i in jitad.unroll(range(20)):
            s += x[i]
        return s

    assert "loop" not in primitives(summed, np.ones(16)) and "loop" not in primitives(asked, X)
    check(asked, X)


def test_short_loops_that_would_record_much_are_staged():
    def distances(a, b):
        table = np.zeros((len(a) + 1, len(b) + 1))
        for i in range(1, len(a) + 1):
            for j in range(1, len(b) + 1):
                table[i, j] = (a[i - 1] - b[j - 1]) ** 2 + min(table[i - 1, j], table[i, j - 1], table[i - 1, j - 1])
        return table[-1, -1]

    a, b = np.sin(np.arange(12.0)), np.cos(np.arange(9.0))
    assert primitives(distances, a, b).count("loop") == 1 and len(primitives(distances, a, b)) < 50
    check(distances, a, b)


def test_few_trips_with_loops_within_loops_in_them_are_staged():
    def swept(x, rows=20, sweeps=3):
        for _ in range(sweeps):
            for i in range(1, rows):
                for j in range(1, 30):
                    x[i, j] = 0.25 * (x[i - 1, j] + x[i, j - 1]) + 0.5 * x[i, j]
        return x.sum()

    assert primitives(swept, R.random((20, 30))).count("loop") == 1
    assert primitives(lambda x: swept(x, rows=2), R.random((20, 30))).count("loop") == 3
    check(swept, R.random((20, 30)))


def test_a_loop_that_turns_out_not_to_be_staged_after_its_first_trip():
    def f(x):
        y, kept = x.copy(), {}
        for i in range(20):
            y[0] += 1
            if i > 0:
                y[1] += previous  # noqa: F821
            kept[i] = 0.5 * y[0]
            previous = kept[i]  # noqa: F841
        return np.sum(y * x)

    assert "loop" not in primitives(f, X)
    check(f, X)


def test_concrete_conditions_are_plain_python():
    def f(x, flag=True, n=3):
        if flag and 0 < n < 5 and n != 4:
            return x * 2 if n else x
        return x

    assert primitives(f, 1.0) == ["mul"]


def test_small_choices_are_selections():
    assert primitives(lambda x: x if x > 0 else -x, 1.0) == ["gt", "neg", "select"]
    assert primitives(lambda x, y: x > 0 and y > 0, 1.0, 2.0) == ["gt", "gt", "and"]


def test_what_is_not_taken_does_not_fail():
    def f(x, k):
        return x[k[0]] if k[0] < len(x) else 0.0

    assert interpreted(f, np.ones(3), np.array([7])) == 0.0
    assert interpreted(f, np.ones(3), np.array([2])) == 1.0


def pairings(x):
    """The trips of the outer loop are the longer the later they come; the first one is empty."""
    best = np.zeros((11, 11))
    for i in range(10, -1, -1):
        for j in range(i + 1, 11):
            best[i, j] = max(best[i, j - 1], x[i] * x[j])
            for k in range(i + 1, j):
                best[i, j] = max(best[i, j], best[i, k] + best[k + 1, j])
    return best[0, 10]


def test_loops_of_growing_length_are_staged():
    x = np.linspace(0.3, 1, 11)[np.arange(11) * 7 % 11]
    assert len(str(jitad.trace(pairings)(x)).splitlines()) < 100
    check(pairings, x)
