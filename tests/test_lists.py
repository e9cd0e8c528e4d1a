"""Lists that staged loops and branches append to, whose lengths may only be known when the compiled function runs."""

from collections import deque

import numpy as np
import pytest
from staged import check

import jitad
from jitad.ir import errors
from jitad.testing import check_grads

X = np.sin(7 * np.linspace(0.113, 2.0, 20)) + 1.1


def in_a_branch(x):
    out = []
    for i in range(len(x)):
        if x[i] > 0.7:
            out.append(x[i] ** 2)
    return sum(out), len(out), out[-1], max(out), np.mean(out), np.array(out[1:]).sum()


def in_both_arms(x):
    out = []
    for v in x:
        if v > 0.7:
            out.append(v**2)
        else:
            out.append(-v)
    return np.array(out)


def before_break(x):
    out = []
    for i in range(len(x)):
        if x[i] > 2.0:
            break
        out.append(x[i] ** 2)
    return np.array(out).sum(), len(out)


def in_while(x):
    times, states, t, y, h = [0.0], [x[0]], 0.0, x[0], 0.1
    while t < 1.0:
        slope = -y * x[1]
        error = abs(h * (y + h * slope) * x[1] + h * slope) / 2
        if error < 0.01:
            t, y = t + h, y + h * slope
            times.append(t)
            states.append(y)
            h = h * 1.2
        else:
            h = h * 0.5
    ts, ys = np.array(times), np.array(states)
    return np.sum((ts[1:] - ts[:-1]) * (ys[1:] + ys[:-1])), len(times), states[-1]


def nested(x):
    out = [0.5]
    for i in range(20):
        for j in range(20):
            if x[j] > x[i] * 1.3:
                break
            if j % 2 == 0:
                out.append(x[i] * x[j])
    for i in range(20):
        out.append(x[i])
    out.append(x[3])
    return sum(out), len(out)


def stack(x):
    """The areas between each value and the next greater one, by a stack."""
    waiting, total = [], 0.0
    for i in range(len(x)):
        while waiting and x[waiting[-1]] < x[i]:
            total += x[waiting.pop()] * x[i]
        waiting.append(i)
    return total, len(waiting)


def structures(x):
    rows, records = [], []
    for i in range(20):
        rows.append((x[i], 2.0 * i, x[:2] * x[i]))
        records.append({"time": 0.1 * i, "value": x[i] ** 2})
    total = 0.0
    for a, b, c in rows:
        total += a * b + c[1]
    return total, rows[-1][2], records[3]["value"] + records[-1]["time"], sum(r["value"] for r in records)


class Recorder:
    def __init__(self):
        self.history = []

    def record(self, value):
        self.history.append(value)
        return value * 2


def by_helpers(x):
    def fill(target, values):
        for i in range(len(values)):
            target.append(values[i])

    recorder, target, logs = Recorder(), [], {"a": [], "b": [1.0]}
    fill(target, x)
    total = 0.0
    for v in x:
        total += recorder.record(v)
        logs["b"].append(total)
    return total, np.array(recorder.history) + np.array(target), np.array(logs["b"]), len(logs["a"])


def arrays(x):
    u = np.zeros(3)
    states = [u]
    for i in range(20):
        u = u * 0.9 + x[i] * np.array([1.0, 2.0, 3.0])
        if x[i] > 0.5:
            states.append(u)
    total = 0.0
    for state in states:
        total += state @ state
    return np.array(states).sum(0), total, np.mean(states)


def returned(x):
    out = []
    for i in range(20):
        out.append(x[i] * 2)
    return out


@pytest.mark.parametrize("function", [in_a_branch, in_both_arms, before_break, in_while, nested, stack, structures, by_helpers, arrays, returned])
def test_lists(function):
    check(function, X)
    for found, expected in zip(jitad.jit(function)(X), function(X), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_number_of_elements_is_known_where_it_can_be():
    @jitad.jit
    def f(x):
        out = []
        for v in x:
            if v > 0:
                out.append(v)
            else:
                out.append(0.0)
        return np.array(out).reshape(4, 5)

    assert f(X).shape == (4, 5)


def test_more_elements_than_there_was_room_for():
    @jitad.jit
    def f(a):
        out, t = [], a
        while t < a + 1.0:
            t = t + 2e-5
            out.append(t)
        return np.mean(out), len(out), out[-1]

    mean, length, last = f(2.0)
    assert abs(length - 50000) <= 1 and abs(mean - 2.5) < 1e-4 and abs(last - 3.0) < 1e-4
    assert abs(jitad.grad(lambda a: f(a)[0])(2.0) - 1.0) < 1e-9


# --- errors -----------------------------------------------------------------------------------------------------------------------


def test_an_array_that_is_changed_and_appended():
    def f(x):
        u, out = np.zeros(3), []
        for i in range(20):
            u[0] += x[i]
            out.append(u)
        return np.array(out)

    with pytest.raises(errors.ControlFlowError, match=r"append a copy, out.append\(u.copy\(\)\)"):
        jitad.jit(f)(X)


def test_what_lists_of_unknown_length_are_not_asked_for():
    def f(x, use):
        out = []
        for v in x:
            if v > 1:
                out.append(v)
        return use(out)

    with pytest.raises(errors.ConcreteValueError, match="the elements of a list are asked for one by one"):
        jitad.jit(lambda x: f(x, lambda out: dict.fromkeys(out)))(X)
    with pytest.raises(errors.ControlFlowError, match="changed in another way than by append"):
        jitad.jit(lambda x: f(x, lambda out: out.__imul__(2)))(X)
    with pytest.raises(errors.IndexError, match="index out of bounds"):
        jitad.jit(lambda x: f(x, lambda out: out[17]))(X)


def test_elements_of_different_shapes():
    def f(x):
        out = []
        while x > 1:
            x = x * 0.5
            if x > 3:
                out.append(x)
            else:
                out.append(np.array([x, x]))
        return len(out)

    with pytest.raises(errors.ControlFlowError, match="elements of more than one kind.*one shape"):
        jitad.jit(f)(17.0)


# --- other names -----------------------------------------------------------------------------------------------------------------


def elements_with_names(x):
    rows, records = [], []
    for i in range(20):
        row = [x[i], x[i] * 2]
        rows.append(row)
        records.append({"value": row[0]})
    rows[3][1] = 5.0
    last = rows[-1]
    last[0] = x[0]
    return np.array(rows), last[1], records[4]["value"]


def test_elements_are_changed_where_they_are():
    check(elements_with_names, X)


@pytest.mark.parametrize("kind", ["list", "dict"])
def test_a_list_that_is_changed_after_it_was_appended(kind):
    def f(x):
        row, rows = [x[0], 0.0] if kind == "list" else {0: x[0], 1: 0.0}, []
        for i in range(20):
            row[1] = x[i]
            rows.append(row)
        return rows[3][1]

    with pytest.raises(errors.ControlFlowError, match="append a copy"):
        jitad.jit(f)(X)


def chosen_in_a_branch(x):
    a, b = np.zeros(3), np.zeros(3)
    t = a if x[0] > 0 else b
    t[1] += x[1]
    return a + b


def chosen_in_a_loop(x):
    a, b = np.zeros(3), np.zeros(3)
    for v in x:
        t = a if v > 1 else b
        t[1] += v
    return a + b


def renamed_in_a_loop(x):
    a, b = np.zeros(3), np.zeros(3)
    t = a
    for v in x:
        t[1] += v
        if v > 1:
            t = b
    return a + b


def changed_after_the_loop(x):
    u, out = np.zeros(3), []
    for v in x:
        u = u * 0.5 + v
        out.append(u)
    u[0] = 5.0
    return np.array(out)


@pytest.mark.parametrize("function", [chosen_in_a_branch, chosen_in_a_loop, renamed_in_a_loop])
def test_arrays_changed_under_a_name_that_a_condition_gave(function):
    check(function, X)


def test_an_element_changed_under_a_name_after_the_loop():
    with pytest.raises(errors.ControlFlowError, match="may have been changed under another name"):
        jitad.jit(changed_after_the_loop)(X)


def test_lists_and_dicts_that_a_condition_chose():
    def lists(x):
        negative, positive = [], []
        for v in x:
            chosen = negative if v < 0 else positive
            chosen.append(v)
        return len(positive)

    def dicts(x):
        a, b = {"v": x[0]}, {"v": x[1]}
        t = a if x[2] > 0 else b
        t["v"] = 5.0
        return a["v"]

    for function in (lists, dicts):
        with pytest.raises(errors.ControlFlowError, match="chosen from two by a condition"):
            jitad.jit(function)(X)


def test_what_was_chosen_may_be_changed_if_the_rest_is_not_used():
    def f(x):
        a, b = x * 2, x + 1
        t = a if x[0] > 1 else b
        t[0] = 0.0
        config = {"gain": 2.0} if x[1] > 1 else {"gain": 3.0}
        y = np.zeros(20)
        if x[2] > 1:
            y = y + x
        y[0] = 7.0
        u, v = np.zeros(20), np.ones(20)
        for _ in range(20):
            u[1:] = 0.5 * v[:-1] + x[1:]
            u, v = v, u
        return t * config["gain"] + y + u

    check(f, X)

def test_deques_count_as_arrays():
    def f(x):
        window, total = deque([x[0, 0]], maxlen=3), 0.0
        for k in range(20):
            window.append(x[0, 1] * k)
            total += np.mean(window) if len(window) == 3 else max(window)
        return total, np.array(window), np.diff(window), np.concatenate([window, x[0]]), np.maximum(window, 1.0)

    x = np.array([[1.0, 2.0], [4.0, 5.0]])
    for got, wanted in zip(jitad.jit(f)(x), f(x), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-13)
    check_grads(f, (x,))


def test_values_of_dicts():
    def f(x):
        parts = {"a": x[0, 0], "b": x[0, 1] ** 2, "c": -x[1, 1]}
        return max(parts.values()), sum(parts.values()), min(parts.values()), np.array(sorted(parts.values()))

    x = np.array([[1.0, 2.0], [4.0, 5.0]])
    for got, wanted in zip(jitad.jit(f)(x), f(x), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-13)
    check_grads(f, (x,))


def history(x, last):
    rows = []
    while x > last:
        rows.append((x, np.array([x * x, 1.0])))
        x = x * 0.7
    return rows


def test_rows_become_columns():
    def f(x, last):
        times, states = zip(*history(x, last))  # noqa: B905
        both = [np.array(column) for column in zip(*history(x, last))]  # noqa: B905
        firsts, _ = map(list, zip(*history(x, last)))  # noqa: B905
        pairs = zip(*[(k, k * x) for k in range(3)])  # noqa: B905
        return times, len(states), sum(times) + states[-1][0], *both, firsts, *pairs

    compiled = jitad.jit(f)
    for point in ((3.0, 1.0), (3.0, 2.5), (9.0, 0.2)):
        wanted, got = f(*point), compiled(*point)
        assert [type(part) for part in got[:1] + got[5:]] == [tuple, list, tuple, tuple]
        for one, other in zip(wanted, got, strict=True):
            np.testing.assert_allclose(other, one, rtol=1e-14)
    check_grads(lambda x, last: f(x, last)[2:5], (3.0, 1.0))
    with pytest.raises(ValueError, match="not enough values to unpack"):
        jitad.jit(lambda x, last: [sum(times) for times, _ in [zip(*history(x, last))]])(0.5, 1.0)  # noqa: B905
    with pytest.raises(errors.TypeError, match="are not tuples"):
        jitad.jit(lambda x, last: [*zip(*[row[0] for row in history(x, last)])])(3.0, 1.0)  # noqa: B905


def test_classes_of_numbers_are_mapped():
    def f(x):
        return list(map(float, x)), list(map(int, x)), sum(map(bool, x)), sorted(x, key=float), list(map(complex, x, x))

    for got, wanted in zip(jitad.jit(f)(X[:4]), f(X[:4]), strict=True):
        np.testing.assert_allclose(got, wanted)
