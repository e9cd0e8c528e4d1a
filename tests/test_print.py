"""`print` in traced functions: the compiled ones write what the plain ones do, once, in order, whatever is derived from them."""

import contextlib
import io
import subprocess
import sys

import numba
import numpy as np
import pytest

import jitad


def written(call):
    """Return what a call writes to sys.stdout."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        call()
    return out.getvalue()


def recurrence(x):
    print("start", x, x.shape, sep="|", end="\n\n")
    s = x[0] * 0.0
    for i in range(20):
        s = s + np.sin(x[i % 3] * i)
        if s > 1.0:
            print(i, f"s = {s:8.3e} {x[0]!r}", "%.2f and %-5d|" % (s, i), "{:>9.4f}".format(x[1]))  # noqa: UP030, UP031, UP032
        elif i % 3 == 2:
            print("small", s < 0.5)
    return s * s


def escape(x):
    """A loop with an unknown number of trips, and a return from within."""
    n = 0
    while x.sum() < 50.0:
        x = 1.5 * x
        n += 1
        print("trip", n, x)
        for k in range(10):
            if x[k % 3] > 10.0 + k:
                print("early", k, float(x[0]))
                return x[0] * k
    print("never here")
    return x[0]


@numba.njit
def progress(i, value):
    print("  step", i, value)
    return value * value


def with_helper(x):
    total = 0.0
    for i in range(len(x)):
        total += progress(i, x[i])
    for row in (x, 2 * x):
        print([row.sum(), {"row": row}], (f"{total:.4f}", "text"))
    return total


def in_place(x):
    a = np.zeros(30)
    a[:3] = x
    for i in range(3, 30):
        before = f"{a[i - 1]:.4f}"
        a[i] = 0.5 * a[i - 1] + 0.125 * a[i - 3]  # exact products: a fused sum rounds as NumPy does
        a[i - 1] *= 2
        if i > 25:
            print(before, a[i - 1], a[-3:])
    return a.sum()


def forms(x):
    def step(carry, k):
        print("scan", carry, k)
        return carry + k * x[0], carry

    carry, stacked = jitad.scan(step, x[1], np.arange(3.0))
    return jitad.cond(carry > 0, lambda c: (print("positive", c), c)[1], lambda c: c * 2, carry) + stacked.sum()


PROGRAMS = [recurrence, escape, with_helper, in_place, forms]
POINT = np.array([0.7, 1.1, 1.9])


@pytest.mark.parametrize("program", PROGRAMS)
def test_transformations_write_once(program):
    ones = np.ones(3)
    compiled = jitad.jit(program)
    for x in (POINT, POINT[::-1].copy()):
        plain = written(lambda x=x: program(x))
        assert plain
        assert written(lambda x=x: compiled(x)) == plain
    plain = written(lambda: program(POINT))
    for derived in (jitad.grad(program), jitad.value_and_grad(program), jitad.jacfwd(program), jitad.jacrev(program),
                    lambda x: jitad.jvp(program, (x,), (ones,)), lambda x: jitad.hvp(program, (x,), (ones,)),
                    jitad.grad(jitad.checkpoint(program)), jitad.jit(lambda x: jitad.grad(program)(x))):
        assert written(lambda derived=derived: derived(POINT)) == plain


@pytest.mark.parametrize("program", [recurrence, escape])
def test_pullbacks_write_nothing(program):
    plain = written(lambda: program(POINT))
    for make, seed in ((jitad.vjp, 1.0), (jitad.linearize, np.ones(3))):
        results = []
        assert written(lambda make=make, results=results: results.append(make(program, POINT))) == plain
        assert written(lambda results=results, seed=seed: results[0][1](seed)) == ""


def test_derivatives_are_those_without_print():
    def silent(x):
        s = x[0] * 0.0
        for i in range(20):
            s = s + np.sin(x[i % 3] * i)
        return s * s

    written(lambda: np.testing.assert_allclose(jitad.grad(recurrence)(POINT), jitad.grad(silent)(POINT), rtol=1e-12))


def test_replayed_trips_write_nothing():
    def f(x):
        for i in range(200):
            x = x + 0.01 * np.sin(x)
            if i % 50 == 0:
                print(i, x[0])
        return np.sum(x**2)

    x = np.linspace(0.0, 1.0, 500)
    plain = written(lambda: f(x))
    assert written(lambda: jitad.grad(f, memory=100_000)(x)) == plain
    assert written(lambda: jitad.hvp(f, (x,), (x,))) == plain


def test_members_of_a_batch_write_their_lines():
    def f(x, y):
        print("member", x)
        if x > y:
            print("large", x)
            x = y * x * 0.3
        while x < 3.0:
            x = 2.0 * x
            print("twice", x)
        print("shared", y)
        return x

    def lines(text):
        return sorted(text.splitlines())

    xs = np.array([0.3, 4.0, 1.5])
    plain = written(lambda: [f(x, np.float64(1.0)) for x in xs])
    batched = written(lambda: jitad.vmap(f, in_axes=(0, None))(xs, 1.0))
    shared = ["shared 1.0"] * 2  # what is the same for all members is written once
    assert sorted([*lines(batched), *shared]) == lines(plain)
    gradients = written(lambda: jitad.vmap(jitad.grad(f), in_axes=(0, None))(xs, 1.0))
    assert lines(gradients) == lines(batched)
    twice = written(lambda: jitad.vmap(lambda y: jitad.vmap(f, in_axes=(0, None))(xs, y))(np.array([1.0, 1.0])))
    assert lines(twice).count("large 4.0") == 2
    assert "member 4.0" in twice


def test_functions_with_rules():
    @jitad.custom_jvp
    def f(x):
        print("inside", x)
        return x * x

    f.defjvp(lambda primals, tangents: (f(*primals), 2 * primals[0] * tangents[0]))

    def g(x):
        print("before")
        y = f(x)
        print("after", y)
        return y

    assert written(lambda: jitad.jit(g)(3.0)) == "before\ninside 3.0\nafter 9.0\n"
    lines = written(lambda: jitad.grad(g)(3.0)).splitlines()
    assert lines[0] == "before" and lines[-1] == "after 9.0"


def test_lists_and_slices_of_run_time_length():
    def f(x):
        out = []
        for i in range(len(x)):
            if x[i] > 1.0:
                out.append(x[i])
        print(out, len(out), np.array(out))
        return sum(out)

    for x in (POINT, 2 * POINT):
        assert written(lambda x=x: jitad.jit(f)(x)) == written(lambda x=x: f(x))


def test_streams_are_those_of_the_moment(capsys):
    @jitad.jit
    def f(x):
        print(x, file=sys.stderr)
        for k in range(3):
            sys.stdout.write(f"{k * x:.1f} ")
            sys.stdout.flush()
        print("out", end="", flush=True)
        return x

    f(1.0)
    f(2.5)
    assert capsys.readouterr() == ("0.0 1.0 2.0 out0.0 2.5 5.0 out", "1.0\n2.5\n")


def test_what_cannot_be_written_is_an_error():
    @jitad.jit
    def f(x):
        for i in range(100):
            x = x + i
            print(x)
        return x

    closed = io.StringIO()
    closed.close()
    with contextlib.redirect_stdout(closed), pytest.raises(ValueError, match="closed file"):
        f(1.0)
    assert written(lambda: f(0.0)).startswith("0.0\n1.0\n3.0\n")
    with pytest.raises(jitad.JitadError, match="sys.stdout"):
        jitad.jit(lambda x: print(x, file=io.StringIO()))(1.0)
    with pytest.raises(jitad.JitadError, match="prints"):
        jitad.compile(f, 1.0)


def test_text_of_a_trip_is_not_printed_after_it():
    def f(x):
        note = "none"
        for _ in range(100):
            note = f"x = {x}"
            x = x * 0.5
        print(note)
        return x

    with pytest.raises(jitad.JitadError, match="loop"):
        jitad.jit(f)(1.0)


KEPT = """
import jitad, numpy as np
@jitad.jit
def f(x):
    for i in range(50):
        x = x * 1.5
        if x > 1e8:
            print("large at", i, x)
            break
    return x
f(1.0)
print(jitad.config.counters.compiles, jitad.config.counters.loads)
"""


def test_kernels_kept_on_disk_write_too(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(KEPT)
    environment = {"JITAD_CACHE_DIR": str(tmp_path / "cache"), "PATH": "", "PYTHONPATH": ":".join(sys.path)}
    first, second = [subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=True).stdout
                     for _ in range(2)]
    assert first.startswith("large at 45 1259")
    first, second = first.split(), second.split()
    assert (first[-2:], second[-2:]) == (["1", "0"], ["0", "1"])  # compiled, loaded
    assert first[:-2] == second[:-2]
