"""Loops that threads share out: what is shared, that results are the same for any number of threads, and threads, forks and exits around it."""

import ctypes
import os
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
from loops_interpreter import run_loops

import jitad
from jitad.codegen import machine
from jitad.codegen.threads import team
from jitad.codegen.threads.fork_join import ENTER, LEAVE, SHARE
from jitad.lower.grammar.walk import leaves, reads
from jitad.lower.schedule import strips, threads
from jitad.pipeline import to_loops
from jitad.runtime import kernels

RNG = np.random.default_rng(4)
N = 16


@pytest.fixture(autouse=True)
def small_loops_count(monkeypatch):
    """Share out loops however short."""
    for name, value in {"LEAST_WORK": 0, "LEAST_WORK_OF_TRIP": 0, "PIECE_WORK": 8, "GRAIN": 2, "SHARE": 1}.items():
        monkeypatch.setattr(threads, name, value)
    for name, value in {"CACHE": 1000, "ACROSS_CACHE": 2000, "LEAST_ACROSS": 4, "WORTHWHILE": 0}.items():
        monkeypatch.setattr(strips, name, value)
    kernels.clear()
    yield
    kernels.clear()
    jitad.config.threads = None


def elementwise(x, y):
    return np.sum(np.sin(x) * y + np.exp(-y))


def extremes(x, y):
    return np.max(x * y) - np.min(x + y) + np.prod(1 + 0.01 * x)


def rows(x, y):
    return np.sum(np.sum(x * y, axis=1) ** 2 + np.max(x, axis=1))


def columns(x, y):
    return np.sum(np.sum(x * y, axis=0) ** 3)


def transposed(x, y):
    return np.sum(np.cos(x).T * y)


def softmax(x, y):
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    return -np.mean(np.log(np.sum(y * e / np.sum(e, axis=1, keepdims=True), axis=1) ** 2 + 1))


def spectrum(x, y):
    z = x + 1j * y
    return np.abs(np.sum(z * z) * np.mean(z, axis=0)[3]) + np.sum(np.abs(np.prod(z[:, :3], axis=0)))


def sums_along_rows(x, y):
    return np.sum(np.cumsum(x * y, axis=1) ** 2)


def normalised(x, y):
    z = (x - np.mean(x, axis=1, keepdims=True)) / np.sqrt(np.var(x, axis=1, keepdims=True) + 0.1)
    return np.sum(np.tanh(np.sum(z * y, axis=1)) * np.sum(z**2 * y[0], axis=1)) + np.sum(np.mean(z, axis=0) ** 2)


def distances(x, y):
    points = x[:, :3]
    return np.sum(np.sqrt(np.sum((points[:, None] - points[None]) ** 2, axis=2) + 0.1)) * y[0, 0]


def sums_down_columns(x, y):
    return np.sum(np.cumsum(np.sin(x) * y, axis=0) ** 2)


def few_rows(x, y):
    return np.sum(np.exp(x.reshape(2, -1)) * y.reshape(2, -1)[0])


def sweeps(x, y):
    """Alternating directions: rows that depend on the one above, then columns that depend on the one to the left."""
    u = x.copy()
    for _ in range(70):
        for i in range(1, N):
            u[i] = 0.5 * u[i] + 0.5 * u[i - 1] * y[i]
        for j in range(1, N):
            u[:, j] = 0.5 * u[:, j] + 0.5 * u[:, j - 1] * y[:, j]
    return np.sum(u**2)


def waves(x, y):
    before, u = np.zeros_like(x), x.copy()
    for _ in range(70):
        after = np.zeros_like(u)
        after[1:-1, 1:-1] = 2 * u[1:-1, 1:-1] - before[1:-1, 1:-1] + 0.1 * y[1:-1, 1:-1] * (
            u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4 * u[1:-1, 1:-1])
        before, u = u, after
    return np.sum(u**2)


def scattered(x, y):
    total, places = np.ones((5, 2)), (10 * x).astype(int) % 5
    np.add.at(total, places, np.stack([x, np.sin(y)], axis=-1))
    return np.sum(total[1:] ** 2) + np.sum(y[2, places] * x)


def reactions(x, y):
    for _ in range(70):
        lap = np.roll(x, 1, 0) + np.roll(x, -1, 0) + np.roll(x, 1, 1) + np.roll(x, -1, 1) - 4 * x
        x, y = x + 0.1 * lap - 0.01 * x * y**2, y + 0.01 * x * y**2
    return np.sum(x * y)


PROGRAMS = [elementwise, extremes, rows, columns, transposed, softmax, spectrum, sums_along_rows, normalised, distances, sums_down_columns, few_rows,
            sweeps, waves, scattered, reactions]  # fmt: skip
ARGUMENTS = RNG.random((N, N)) + 0.5, RNG.random((N, N)) + 0.5


def loops_of(function, *args):
    return jitad.show(function, *args, stage="loops")


def on_threads(count, function, *args):
    jitad.config.threads = count
    return function(*args)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_any_number_of_threads_gives_the_same(program):
    both = jitad.value_and_grad(program, argnums=(0, 1))
    assert "shared(" in loops_of(both, *ARGUMENTS)
    value, gradient = on_threads(1, both, *ARGUMENTS)
    np.testing.assert_allclose(value, program(*ARGUMENTS), rtol=1e-12)
    for count in (2, 3, 5):
        again, other = on_threads(count, both, *ARGUMENTS)
        assert again == value and all(map(np.array_equal, other, gradient))


@pytest.mark.parametrize("program", [x for x in PROGRAMS if x not in (sweeps, reactions)], ids=lambda program: program.__name__)
def test_pieces_may_run_in_any_order(program):
    """The interpreter of loops runs them backwards, with a memory that knows what has been written."""
    traced = jitad.trace(jitad.value_and_grad(program))(*ARGUMENTS)
    loops = to_loops(traced)
    found = run_loops(loops, *ARGUMENTS, *[np.asarray(x) for x in getattr(traced, "captured", ())])
    expected = jitad.value_and_grad(program)(*ARGUMENTS)
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("across", [1, 64])
def test_blocks_of_rows_are_shared(monkeypatch, across):
    """Threads have the rows of a block for themselves. Loops run along rows, or across them."""
    monkeypatch.setattr(strips, "MOST_ACROSS", across)
    both = jitad.value_and_grad(lambda x, y: normalised(x, y) + across, argnums=(0, 1))  # another program for other loops
    traced = jitad.trace(both)(*ARGUMENTS)
    loops = to_loops(traced)
    assert any(buffer.rows for step in leaves(loops.steps) for buffer in reads(step)) and "for rows in blocks(rows" in loops_of(both, *ARGUMENTS)
    value, (x, y) = on_threads(1, both, *ARGUMENTS)
    for count in (2, 3):
        again, (other_x, other_y) = on_threads(count, both, *ARGUMENTS)
        assert again == value and np.array_equal(x, other_x) and np.array_equal(y, other_y)
    for found, expected in zip(run_loops(loops, *ARGUMENTS), (value, x, y), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-13)


def test_gradients_are_right():
    jitad.config.threads = 2
    for program in (elementwise, softmax, normalised, distances, sums_down_columns):
        jitad.testing.check_grads(program, ARGUMENTS)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.complex128])
def test_other_dtypes(dtype):
    x = (RNG.random((40, 7)) * 9 + 1).astype(dtype)
    def program(x):
        total = 0 * x[:3, 0]
        np.add.at(total, [k % 3 for k in range(40)], x[:, 1])
        return np.sum(x), np.sum(x, axis=0), x * x, np.prod(x[:5], axis=0), np.any(x == 3, axis=0), np.all(x != 0), total

    f = jitad.jit(program)
    assert "shared(" in loops_of(f, x)
    for count in (1, 2):
        for found, expected in zip(on_threads(count, f, x), f.__wrapped__(x), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-5 if dtype == np.float32 else 1e-12)


def test_stacks_of_products_are_shared():
    x, y = RNG.random((7, 10, 600)), RNG.random((7, 12, 600))
    f = jitad.jit(lambda x, y: np.einsum("kin,kjn->kij", x, y))
    assert "shared(gemm)" in loops_of(f, x, y)
    alone = on_threads(1, f, x, y)
    np.testing.assert_allclose(alone, np.einsum("kin,kjn->kij", x, y), rtol=1e-12)
    for count in (2, 5):
        np.testing.assert_array_equal(on_threads(count, f, x, y), alone)
    np.testing.assert_allclose(run_loops(to_loops(jitad.trace(f)(x, y)), x, y)[0], alone, rtol=1e-12)


def sums_along(x, y):
    return np.cumsum(x.reshape(-1) * y.reshape(-1))


def counts(x, y):
    total = np.zeros(5)
    np.add.at(total, np.array([0, 3, 3, 1] * 4), x[:, 0] * y[0])
    return total


def shifted_in_place(x, y):
    x = x.copy()
    for i in range(1, N):
        x[i] += x[i - 1] * y[i]
    return x


@pytest.mark.parametrize("program", [sums_along, counts, shifted_in_place], ids=lambda program: program.__name__)
def test_what_depends_on_other_rows(program):
    f = jitad.jit(program)
    for count in (1, 3):
        np.testing.assert_allclose(on_threads(count, f, *ARGUMENTS), program(*ARGUMENTS), rtol=1e-12)


def test_short_loops_are_not_shared(monkeypatch):
    monkeypatch.setattr(threads, "LEAST_WORK", 10**6)
    assert "shared(" not in loops_of(lambda x: np.sum(np.sin(x)), ARGUMENTS[0])


def test_like_loops_share_their_code():
    def count(trips):
        def unrolled(x, y):
            for _ in jitad.unroll(range(trips)):
                x = x + 0.1 * np.sin(x) * np.roll(y, 1)
            return np.sum(x * y)

        return jitad.show(jitad.grad(unrolled), *ARGUMENTS, stage="llvm").count("\ndefine ")

    assert count(6) == count(10)


def test_a_failure_in_a_piece_is_raised():
    f = jitad.jit(lambda x, i: np.sum(x[i] ** 2))
    i = np.zeros(1000, int)
    assert "shared(" in loops_of(f, ARGUMENTS[0][0], i)
    i[777] = N
    for count in (1, 2):
        with pytest.raises(IndexError):
            on_threads(count, f, ARGUMENTS[0][0], i)


def test_calls_from_many_threads_at_once():
    jitad.config.threads = 2
    f = jitad.value_and_grad(waves)
    expected = f(*ARGUMENTS)
    wrong = []

    def call():
        for _ in range(30):
            value, gradient = f(*ARGUMENTS)
            if value != expected[0] or not np.array_equal(gradient, expected[1]):
                wrong.append(value)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    call()
    for caller in callers:
        caller.join()
    assert not wrong


def enter_and_leave() -> int:
    """Return how many threads a kernel may use here."""
    elementwise_kernel = jitad.jit(elementwise)
    elementwise_kernel(*ARGUMENTS)
    enter, _, leave = machine.load(b"", [ENTER, SHARE, LEAVE])
    count = ctypes.CFUNCTYPE(ctypes.c_int32)(enter)()
    ctypes.CFUNCTYPE(None, ctypes.c_int32)(leave)(count)
    return count


def in_another_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def test_kernels_in_user_threads_run_alone_unless_asked(monkeypatch):
    monkeypatch.setattr(team, "cores", lambda: 2)
    jitad.config.threads = None
    assert enter_and_leave() == 2 and in_another_thread(enter_and_leave) == 1
    jitad.config.threads = 2
    assert enter_and_leave() == 2 and in_another_thread(enter_and_leave) == 2


def test_one_kernel_has_the_team_at_a_time():
    jitad.config.threads = 2
    enter_and_leave()
    enter, _, leave = machine.load(b"", [ENTER, SHARE, LEAVE])
    enter, leave = ctypes.CFUNCTYPE(ctypes.c_int32)(enter), ctypes.CFUNCTYPE(None, ctypes.c_int32)(leave)
    assert [enter(), enter(), enter()] == [2, 1, 1]
    leave(2)
    assert enter() == 2
    leave(2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_children_of_forks_have_a_team_of_their_own():
    jitad.config.threads = 2
    f = jitad.value_and_grad(waves)
    value, gradient = f(*ARGUMENTS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of forks beside threads
        child = os.fork()
    if child == 0:
        status = 1
        try:
            found = [f(*ARGUMENTS) for _ in range(5)]
            status = 0 if all(v == value and np.array_equal(g, gradient) for v, g in found) and enter_and_leave() == 2 else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert f(*ARGUMENTS)[0] == value


PROCESS = """
import threading
import numpy as np, jitad
from jitad.lower.schedule import strips, threads
from jitad.lower.grammar.walk import leaves, reads
threads.LEAST_WORK, threads.PIECE_WORK = 0, 1000
f = jitad.grad(lambda x: np.sum(np.sin(x) ** 2))
x = np.ones(10000)
assert jitad.config.threads == 2 and "shared(" in jitad.show(f, x, stage="loops")
def forever():
    while True:
        f(x)
f(x)
threading.Thread(target=forever, daemon=DAEMON).start() if DAEMON else None
print("done")
"""
BEGINNING = """
import threading
import numpy as np, jitad
from jitad.lower.schedule import threads
threads.LEAST_WORK, threads.PIECE_WORK = 0, 100
x, found = np.arange(1000.0), []
def begin(k):
    f = jitad.jit(lambda x: np.sum(k * x))
    found.extend(f(x) == k * np.sum(x) for _ in range(100))
together = [threading.Thread(target=begin, args=(float(k),)) for k in range(4)]
for thread in together:
    thread.start()
for thread in together:
    thread.join()
print(len(found), all(found))
"""


@pytest.mark.parametrize("busy", [False, True])
def test_processes_end_with_a_team(busy):
    environment = os.environ | {"JITAD_THREADS": "2", "JITAD_CACHE_DIR": ""}
    run = subprocess.run([sys.executable, "-c", PROCESS.replace("DAEMON", str(busy))], env=environment, capture_output=True, text=True, timeout=300)
    assert (run.returncode, run.stdout, run.stderr) == (0, "done\n", "")


def test_the_first_kernels_may_start_together():
    environment = os.environ | {"JITAD_THREADS": "2", "JITAD_CACHE_DIR": ""}
    run = subprocess.run([sys.executable, "-c", BEGINNING], env=environment, capture_output=True, text=True, timeout=300)
    assert (run.returncode, run.stdout, run.stderr) == (0, "400 True\n", "")


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "many", [2]])
def test_numbers_of_threads_are_positive(value):
    before = jitad.config.threads
    with pytest.raises(ValueError, match="positive integer"):
        jitad.config.threads = value
    assert jitad.config.threads == before


def test_numbers_of_threads_may_be_text():
    for text, number in {"3": 3, "": None}.items():
        jitad.config.threads = text
        assert jitad.config.threads == number
