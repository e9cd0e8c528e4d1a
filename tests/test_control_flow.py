"""Plain Python control flow on traced values: each statement and expression, held against plain NumPy."""

import numpy as np
import pytest
from staged import check, interpreted, primitives

import jitad

R = np.random.default_rng(3)
X = R.uniform(0.2, 1.0, 30)


def carried_row_sum(a):
    s = 0
    for i in range(20):
        s = s + a[i]
    return s


def prev_none(x):
    prev = None
    s = 0.0
    for i in range(30):
        if prev is not None:
            s += prev * x[i]
        prev = x[i]
    return s


def traced_bound(x):
    n = np.argmax(x)
    s = 0.0
    for i in range(n):
        s += x[i]
    return s


def traced_bound_backwards(x):
    n = np.argmax(x)
    s = 0.0
    for i in range(n, -1, -2):
        s += x[i] * i
    return s


def enum_zip(x):
    s = 0.0
    for i, (a, b) in enumerate(zip(x, x[::-1])):
        s += a * b * i
    for a in reversed(x):
        s = s * 0.5 + a
    return s


def lists(x):
    out = []
    for i in range(30):
        out.append(x[i] ** 2)
    return np.array(out).sum() + out[-1] + sum(out) + len(out)


def list_read_back(x):
    out = [x[0]]
    for i in range(29):
        out.append(out[-1] * x[i])
    return np.array(out)


def conditional_name(x):
    if x > 0:
        t = x * 2
        x = t + 1
    y = x + 1
    return y


def in_arm_write(x):
    a = np.zeros(3)
    if x[0] > 0.5:
        a[0] = x[1]
        a[1:] += x[:2]
    else:
        a[:] = 2 * x[:3]
    return a


def nested_return(x):
    for i in range(30):
        for j in range(30):
            if x[i] + x[j] > 1.7:
                return x[i] * x[j] + i
        if x[i] < 0.25:
            break
    else:
        return -1.0
    return x[0]


def mutate_arg(x):
    for i in range(1, 30):
        x[i] += x[i - 1]
    return x.sum()


class Box:
    def __init__(self, v):
        self.v = v

    def step(self, u):
        self.v = self.v * u
        return self.v


def objects(x):
    b = Box(x[0])
    s = 0.0
    for i in range(30):
        s += b.step(x[i])
    return s + b.v


def dict_state(x):
    d = {"a": 0.0, "b": x[0]}
    for i in range(30):
        d["a"] += x[i]
        d["b"] = d["b"] * x[i]
    return d["a"] + d["b"]


def closure(x):
    total = 0.0
    def add(v):
        nonlocal total
        total += v
    for i in range(30):
        add(x[i])
    return total


def python_list(x):
    c = [1.0, 2.0, 3.0]
    s = 0.0
    for i in range(30):
        s += c[i % 3] * x[i]
    return s


def list_of_arrays(x):
    c = [x[:5], x[5:10]]
    s = 0.0
    for i in range(30):
        s += c[i % 2].sum()
    return s


def int_count(x):
    n = 0
    for v in x:
        if v > 0.5:
            n += 1
    return n


def mask_assign(x):
    y = x.copy()
    y[y < 0.5] = 0
    return y


def overlap(x):
    y = x.copy()
    y[:10] += 0.3 * y[:10][::-1]
    for _ in range(1, 25):
        y[:20] += 0.1 * y[5:25][::-1]
    return y


def while_list(x):
    stack = [x[0], x[1]]
    s = 0.0
    while stack:
        s += stack.pop()
    return s


def with_try(x):
    s = 0.0
    for i in range(30):
        try:
            if x[i] > 0.9:
                continue
            s += x[i]
        finally:
            s += 0.1
    return s


def match_it(x, kind):
    for _i in range(20):
        match kind:
            case "a":
                x = x * 1.1
            case "b":
                if x[0] > 100:
                    break
                x = x * 1.5
    return x


def recursion(x, n):
    if n == 0:
        return x
    return recursion(np.sin(x), n - 1)


def ternary_guard(x):
    s = 0.0
    for i in range(len(x)):
        left = x[i - 1] if i > 0 else 0.0
        right = x[i + 1] if i < len(x) - 1 else 0.0
        s += left * right
    return s


def and_guard(x):
    i = 0
    while i < len(x) and x[i] < 0.8:
        i += 1
    return i


def raise_check(x):
    if x[0] < 0:
        raise ValueError("negative")
    assert x[0] >= 0
    return np.sqrt(x).sum()


def raise_without_convergence(x):
    for n in range(100):
        y = x.copy()
        for _ in range(50):
            step = (y * y - x) / (2 * y)
            y -= step
            if np.max(np.abs(step)) < 1e-13:
                break
        else:
            raise RuntimeError(f"no convergence in step {n}")
        x = x + 0.01 * y
    return x


def swap(u):
    v = np.zeros(30)
    for _ in range(21):
        v[1:-1] = u[:-2] + 0.5 * u[2:]
        u, v = v, u
    return u.sum() + v[3]


def walrus(x):
    n = 0
    while (y := x[n]) < 0.7:
        n += 1
    return y


def comprehensions(x):
    return sum(x[i] * x[i + 1] for i in range(len(x) - 1)) + sum([a for a in x])


def early_returns(x):
    if x[0] > 0.5:
        return x
    y = x * 2
    if x[1] > 0.5:
        return y
    elif x[2] > 0.5:
        return y + 1
    return y - 1


def bool_flag(x):
    found = False
    s = 0.0
    for v in x:
        if not found and v > 0.8:
            found = True
            s = v
    return s if found else -1.0


def promoted(x):
    s = 0
    for i in range(30):
        s += x[i]
    return s


def where_best(x):
    best = x[0]
    arg = 0
    for i in range(1, len(x)):
        if x[i] > best:
            best, arg = x[i], i
    return best, arg


def loop_in_a_helper(x):
    def inner(a, k):
        r = 1.0
        for _j in range(k, 25):
            if a > 0.5:
                r *= a
            else:
                r += a
        return r
    t = 0.0
    for v in x:
        t += inner(v, 3)
    return t


def cholesky(A):
    n = A.shape[0]
    L = np.zeros_like(A)
    for i in range(n):
        for j in range(i + 1):
            s = 0.0
            for k in range(j):
                s += L[i, k] * L[j, k]
            if i == j:
                L[i, j] = np.sqrt(A[i, i] - s)
            else:
                L[i, j] = (A[i, j] - s) / L[j, j]
    return L


def scaled_under_a_mask(x):
    y = x.copy()
    m = y > 0.5
    y[m] *= np.sin(y[m])
    return y


def reduced_under_masks(x):
    return x[x > 0.5].sum() + np.mean(x[x < 0.4] ** 2) + x[x > 0.3].min() * np.max(x[x < 0.9])


def assigned_under_masks(x):
    y = x.copy()
    y[y > 0.5] = 1 / y[y > 0.5]
    y[y < 0.3] += 2
    return y


def rows_under_a_mask(x):
    a = np.zeros((30, 2))
    a[:, 0], a[:, 1] = x, x**2
    m = x > 0.6
    a[m] *= 3.0
    return a.sum(0) + a[m].sum(axis=0) + a[a > 0.5].sum()


def masks_in_a_loop(x):
    y = x.copy()
    for _i in range(20):
        y[y > 0.9] *= 0.5
        y = y * 1.1
    return y


def number_of_selected(x):
    return np.sqrt(x[x > 0.5]).sum() / x[x > 0.5].size


def recorded(x):
    out, states = [], []
    u = x[:3].copy()
    for _ in range(50):
        u = np.sin(u) + 0.1 * x[3:6]
        out.append(u[1])
        states.append(u.copy())
    s = 0.0
    for v in out:
        s = s * 0.9 + v
    return np.array(states)[10:20].sum() + np.sum(np.array(out) ** 2) + s + np.stack(states).mean()


def returned_list(x):
    out = []
    for v in x:
        out.append(2 * v)
    out.append(x[0])
    return out


DIFFERENTIABLE = [
    (recorded, X), (returned_list, X),
    (carried_row_sum, R.random((20, 3))), (prev_none, X), (enum_zip, X), (lists, X), (list_read_back, X), (conditional_name, 0.3),
    (in_arm_write, X), (nested_return, X), (mutate_arg, X), (objects, X), (dict_state, X), (closure, X), (python_list, X),
    (list_of_arrays, X), (mask_assign, X), (overlap, X), (while_list, X), (with_try, X), (ternary_guard, X), (raise_check, X), (swap, X),
    (raise_without_convergence, X),
    (comprehensions, X), (early_returns, X), (early_returns, X[::-1].copy()), (bool_flag, X), (promoted, X), (loop_in_a_helper, X),
    (scaled_under_a_mask, X), (reduced_under_masks, X), (assigned_under_masks, X), (rows_under_a_mask, X), (masks_in_a_loop, X),
    (number_of_selected, X),
]  # fmt: skip
OTHERS = [(int_count, X), (and_guard, X), (traced_bound, X), (traced_bound_backwards, X), (where_best, X), (walrus, X)]


@pytest.mark.parametrize(("function", "x"), DIFFERENTIABLE, ids=lambda x: getattr(x, "__name__", ""))
def test_value_and_derivatives(function, x):
    check(function, x)


@pytest.mark.parametrize(("function", "x"), OTHERS, ids=lambda x: getattr(x, "__name__", ""))
def test_value(function, x):
    check(function, x, derivatives=False)


def test_single_precision_is_kept():
    check(promoted, X.astype(np.float32), derivatives=False, rtol=1e-5)


def triangle_with_break(a):
    s = 0.0
    for j in range(20):
        for i in range(19, j, -1):
            if a[i, j] > 0.9:
                break
            s += a[i, j] ** 2
    return s


def test_triangular_ranges():
    """Loops whose number of trips follows from the counters of those around have reverse mode too."""
    a = R.random((18, 18))
    check(cholesky, a @ a.T + 18 * np.eye(18))
    check(triangle_with_break, R.random((20, 20)))


@pytest.mark.parametrize("kind", ["a", "b"])
def test_match(kind):
    np.testing.assert_allclose(interpreted(lambda x: match_it(x, kind), X), match_it(X, kind))


def test_recursion_with_concrete_arguments():
    np.testing.assert_allclose(interpreted(lambda x: recursion(x, 5), X), recursion(X, 5))


def test_lists_that_are_appended_to_are_arrays():
    assert primitives(list_read_back, X)[-1] == "loop" and primitives(lists, X).count("loop") == 1
    long = np.linspace(0.5, 1.0, 5000)
    check(lambda x: squares(x)[-1], long, derivatives=False)


def squares(x):
    out = []
    for i in range(len(x)):
        out.append(x[i] ** 2)
    return np.array(out)


def test_arguments_written_in_a_loop_are_outputs():
    x = np.ones(30)
    assert jitad.jit(mutate_arg)(x) == 465 and x[-1] == 30


def test_annotated_names():
    def f(x):
        total: float = 0.0
        last: float
        for k in range(40):
            step: float = x * k
            if step > 3:
                last: float = step
                total += step
            else:
                last: float = 0.0
        return total + last

    assert interpreted(f, 1.5) == f(1.5)


def test_a_return_in_the_else_of_a_loop():
    def f(x):
        for i in range(30):
            if x[i] > 0.9:
                return x[i] * 2, i
        else:
            return x[0], -1

    check(f, X)
    check(f, X * 0.1)
