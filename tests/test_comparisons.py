"""Membership, and powers of integers, in loops that are traced once."""

import numpy as np
import pytest
from staged import check

import jitad
from jitad.ir import errors

X = np.sin(7 * np.linspace(0.113, 2.0, 300)) + 1.1
PAIRS = np.random.default_rng(0).integers(0, 9, (300, 2))


def in_containers(x):
    s = 0.0
    for i in range(300):
        a, b = PAIRS[i]
        if a in {1, 2, 3}:
            s += x[i]
        if b in {1: 2, 4: 3} or a not in (3, b):
            s -= x[i] ** 2
        if (a, b) in [(1, 2), (3, 4), (0, 0)]:
            s += 5 * x[i]
        if a in PAIRS[3]:
            s += x[i] / 3
    return s


def in_ranges(x):
    s = 0.0
    for i in range(300):
        s += x[i] * (i in range(3, 200, 7)) + (x[i] ** 2 if i in range(200, 3, -7) else 0.0)
        s += x[i] if i / 2 in range(30) else 1.0
        s += x[i] if i in range(5, 5) else 2.0
    return s


def beside_other_kinds(x):
    s = 0.0
    for i in range(300):
        if i in ["a", None, 3] or None in [i] or "a" in "abc" and i not in ():
            s += x[i]
        if 7 in [4, i, (1, i)] or i in [0, i]:
            s += x[i] ** 2
    return s


def in_a_growing_list(x):
    seen, s = [], 0.0
    for i in range(300):
        if x[i] > 1.0 and i // 10 not in seen:
            seen.append(i // 10)
            s += x[i]
    return s * len(seen)


def alternating(x):
    s = 0.0
    for k in range(300):
        s += (-1) ** k * x[k] / (k + 1)
    return s


def powers_of_two(x):
    s, k = 0.0, 0
    while k < len(x):
        s += x[k] / 2 ** (k % 20) + 2 ** (k % 60) % 7
        k += 1 + k // 30
    return s


def powers_of_the_counter(x):
    s = 0.0
    for k in range(150):
        s += x[k] * k ** (k % 3) + x[k] ** (k % 3)
    return s


@pytest.mark.parametrize("function", [
    in_containers, in_ranges, beside_other_kinds, in_a_growing_list, alternating, powers_of_two, powers_of_the_counter])
def test_same_as_in_numpy(function):
    check(function, X)


def test_traced_once():
    for function in in_containers, in_ranges, beside_other_kinds, alternating, powers_of_the_counter:
        assert len(jitad.show(function, X, stage="program").splitlines()) < 90


def test_powers_that_do_not_fit():
    def halves(x):
        s, k = 0.0, 0
        while s < 5.0:
            s += x[k] / 2**k
            k += 1
        return s, k

    np.testing.assert_allclose(jitad.jit(halves)(X + 1.0), halves(X + 1.0), rtol=1e-14)
    with pytest.raises(errors.ValueError, match=r"does not fit into 64 bits.*2\.0\*\*k"):
        jitad.jit(halves)(X)

    def unrolled(x):
        s = 0.0
        for k in range(100):
            s += x[k] / 2**k
        return s

    check(unrolled, X)


def test_negative_powers_of_integers():
    power = jitad.jit(lambda a, b: a**b)
    np.testing.assert_array_equal(power(np.arange(4), np.arange(4)), [1, 1, 4, 27])
    with pytest.raises(errors.ValueError, match="negative integer powers"):
        power(np.arange(4), -np.arange(4))
    assert power(3, -1) == 3**-1
