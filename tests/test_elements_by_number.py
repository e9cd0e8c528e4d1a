"""Elements of lists asked for, and replaced, by numbers that are only known when the compiled function runs."""

import numpy as np
import pytest

import jitad
from jitad.ir import errors
from jitad.testing import check_grads

X = np.sin(7 * np.linspace(0.113, 2.0, 20)) + 1.1


def rows_by_number(x):
    rows = [np.zeros(3) for _ in range(4)]
    for i in range(30):
        k = int(x[i % 5] * 10) % 4
        rows[k][0] += x[i % 5]
        rows[k][1:] *= 0.9
        rows[(k + 1) % 4] += 1.0
        rows[i % 4][2] = i * x[0]
    return rows[0] + rows[1] * rows[2] - rows[3]


def layers_by_number(x):
    weights = [np.outer(x, x), np.eye(5), np.ones((5, 5)) * x]
    y = x
    for i in range(20):
        y = np.tanh(weights[i % 3] @ y)
    return y


def numbers_by_number(x):
    table, counts = [1.0, 2.0, 5.0], [0] * 6
    for i in range(30):
        counts[i % 3 + 3 * (i % 2)] += i
        x = x * (1 + 0.01 * table[i % 3])
    table[np.argmax(x) % 3] = x[0]
    return x * table[0] + table[1] * table[2] + np.array(counts[:5])


def lists_by_number(x):
    grid = [[0.0] * 4 for _ in range(3)]
    for i in range(3):
        for j in range(4):
            grid[i][j] = x[i] * x[j]
    for n in range(20):
        i, j = n % 3, n % 4
        grid[i][j] += x[n % 5]
    return x * sum(sum(row) for row in grid) + grid[2][1]


def arrays_with_names(x):
    a, b = x.copy(), x * 2
    rows = [a, b]
    for i in range(20):
        rows[i % 2][i % 5] += x[0]
    return rows[0] + rows[1] * 3


def trajectory(x):
    states, u = [x], x
    for _ in range(20):
        u = u * 1.01
        states.append(u)
    return states[-1] + x * states[3]


def sorted_into_two(x):
    low, high = [], []
    for i in range(30):
        v = np.sin(i * x[i % 5])
        (high if v > 0 else low).append(v)
    return x * (sum(high) - 2 * sum(low)) + len(high)


POINT = np.array([0.12, 0.43, 0.61, 0.93, 0.27])


@pytest.mark.parametrize("program", [
    rows_by_number, layers_by_number, numbers_by_number, lists_by_number, arrays_with_names, trajectory, sorted_into_two])
def test_elements_by_traced_numbers(program):
    for x in (POINT, POINT[::-1].copy()):
        np.testing.assert_allclose(jitad.jit(program)(x), program(x), rtol=1e-12)
    check_grads(lambda x: np.sum(program(x) ** 2), (POINT,), order=2)


def test_what_is_shared_with_a_list_in_arrays():
    def changed_through_the_list(x):
        a = x.copy()
        rows = [a, x * 2]
        for i in range(20):
            rows[i % 2][0] += 1.0
        return a

    def changed_by_its_name(x):
        a = x.copy()
        rows = [a, x * 2]
        for i in range(20):
            a = a + rows[i % 2]
        rows[0][:] = 1.0
        b = rows[0]
        return a + b

    def list_of_lists(x):
        bins = [[] for _ in range(3)]
        for v in x:
            bins[int(v * 10) % 3].append(v)
        return bins

    def exchanged(x):
        rows = [x * 1.0, x * 2.0, x * 3.0]
        for n in range(20):
            i, j = n % 3, (n * 2 + 1) % 3
            rows[i], rows[j] = rows[j], rows[i]
        return rows[0]

    def used_after_another_took_its_place(x):
        rows = [x * 1.0, x * 2.0, x * 3.0]
        for n in range(20):
            row = rows[n % 3]
            rows[n % 3] = row * 0.5
            x = x + row
        return x

    def changed_as_the_last_element(x):
        u, out = x * 1.0, []
        for i in range(20):
            if x[i % 5] > 0.2:
                out.append(x * i)
        out.append(u)
        out[-1][0] = 5.0
        return u

    for function in (changed_through_the_list, changed_as_the_last_element, used_after_another_took_its_place):
        with pytest.raises(errors.AliasError, match="changed under another name"):
            jitad.jit(function)(POINT)
    with pytest.raises(errors.ControlFlowError, match=r"rows\[i\] = rows\[j\].copy\(\)"):
        jitad.jit(exchanged)(POINT)
    np.testing.assert_allclose(jitad.jit(changed_by_its_name)(POINT), changed_by_its_name(POINT))
    with pytest.raises(errors.ControlFlowError, match="keep what changes in arrays"):
        jitad.jit(list_of_lists)(np.linspace(0.0, 1.0, 40))
