"""Looking inside: trace, show, table, python -m jitad; and check_grads, which finds wrong derivatives."""

import re
import subprocess
import sys

import numpy as np
import pytest

import jitad
from jitad import custom_jvp, custom_vjp, grad, show, table, trace, value_and_grad
from jitad.ir.interpreter import evaluate
from jitad.testing import check_grads

X = np.array([0.3, 0.7, 1.1])
LONG = np.linspace(0.0, 1.0, 30)
CAPTURED = np.array([1.0, 2.0, 3.0])


def model(x):
    y = np.sin(x)
    return np.sum(y * x)


LINE = model.__code__.co_firstlineno
PROGRAM = f"""\
{{ a:f64[3] ->
  b:f64[3] = sin a                   # test_inspection.py:{LINE + 1}
  c:f64[3] = mul b a                 # test_inspection.py:{LINE + 2}
  d:f64[] = reduce_sum[axes=(0,)] c  # test_inspection.py:{LINE + 2}
  return d }}"""


# --- programs -----------------------------------------------------------------------------------------------------------------------


def test_a_program_is_read_in_seconds():
    program = trace(model)(X)
    assert str(program) == repr(program) == PROGRAM
    assert show(model, X) == PROGRAM
    np.testing.assert_allclose(evaluate(program, X), [model(X)])


def test_programs_of_all_kinds_of_functions():
    assert str(trace(lambda x: x)(X)) == "{ a:f64[3] ->\n  return a }"
    assert str(trace(lambda x: 3.0)(X)) == "{ a:f64[3] ->\n  return 3.0 }"
    program = trace(lambda x, *, scale: x * CAPTURED * scale)(X, scale=np.float32(2))
    assert re.match(r"\{ a:f64\[3\] b:f32\[\] c:f64\[3\] ->", str(program))  # captured arrays come last
    assert "return" in str(trace(np.linalg.slogdet)(np.eye(2)))
    inner = str(trace(grad(lambda x: grad(lambda y: y**3)(x) * x))(1.0))
    assert inner.count("\n") > 2 and "test_inspection.py" in inner
    assert trace(lambda x, n: x[:n])(X, 2).output_types[0].shape == (2,)


def test_every_equation_knows_its_line():
    def helper(y):
        return np.cos(y)

    def function(x):
        return helper(x) + 1

    first, second = trace(function)(X).equations
    assert first.source.line == helper.__code__.co_firstlineno + 1 and first.source.file == __file__
    assert second.source.line == function.__code__.co_firstlineno + 1
    derivative = trace(grad(lambda x: np.sum(function(x))))(X)
    assert {equation.source.line for equation in derivative.equations} >= {first.source.line}
    assert all(equation.source.file == __file__ for equation in derivative.equations)


# --- stages -------------------------------------------------------------------------------------------------------------------------


def test_the_derivative_stage_has_value_and_adjoints():
    text = show(model, X, stage="derivative")
    assert " = sin a " in text and " = cos a " in text
    assert re.search(r"return \w, \w \}$", text)
    assert show(lambda x: np.sin(x), X, stage="derivative").startswith("{ a:f64[3] b:f64[3] ->")  # with cotangents of the result
    several = show(lambda x, n: (np.sin(x) * n, np.sum(x)), X, 2, stage="derivative")
    assert several.startswith("{ a:f64[3] b:i64[] c:f64[3] d:f64[] ->")


def test_loops_are_fused_and_read_like_python():
    text = show(value_and_grad(model), LONG, stage="loops")
    assert text.startswith("def kernel(in0: f64[30]) -> (out0: f64[], out1: f64[30]):  # workspace: 0 bytes")
    assert text.count("for ") == 1 and text.count("sin(") == 1 and text.count("cos(") == 1
    gradient = show(grad(model), LONG, stage="loops")
    assert gradient == """\
def kernel(in0: f64[30]) -> (out0: f64[30]):  # workspace: 0 bytes
    for i0 in range(0, 30):
        out0[i0] = in0[i0] * cos(in0[i0]) + sin(in0[i0])"""


def test_llvm_and_assembly():
    llvm, assembly = show(model, X, stage="llvm"), show(model, X, stage="asm")
    assert "define" in llvm and "fmul" in llvm and "target triple" in llvm
    assert re.search(r"\bret", assembly) and "jitad_kernel" in llvm + assembly
    with pytest.raises(ValueError, match="stage is one of program, derivative, loops, llvm, asm, not 'ptx'"):
        show(model, X, stage="ptx")


def test_one_sine_can_be_followed_through_all_stages():
    for stage in ("program", "derivative", "loops", "llvm"):
        assert "sin" in show(lambda x: np.sin(x), 0.5, stage=stage), stage


# --- tables -------------------------------------------------------------------------------------------------------------------------


def test_forward_table():
    """Baydin et al. (2018), table 2."""
    text = table(lambda x1, x2: np.log(x1) + x1 * x2 - np.sin(x2), 2.0, 5.0)
    assert text == """\
v-1 = x0           =  2           tangent  1
v0  = x1           =  5           tangent  0
v1  = log v-1      =  0.6931472   tangent  0.5
v2  = mul v-1 v0   =  10          tangent  5
v3  = add v1 v2    =  10.69315    tangent  5.5
v4  = sin v0       =  -0.9589243  tangent  0
v5  = sub v3 v4    =  11.65207    tangent  5.5"""
    along = table(lambda x1, x2: x1 * x2, 2.0, 5.0, tangents=(1.0, 1.0))
    assert along.endswith("tangent  7")


def test_reverse_table():
    """Baydin et al. (2018), table 3."""
    text = table(lambda x1, x2: np.log(x1) + x1 * x2 - np.sin(x2), 2.0, 5.0, mode="reverse")
    assert adjoints(text) == [5.5, 1.716338, 1, 1, 1, -1, 1]


def adjoints(text: str) -> list:
    return [float(line.split("adjoint")[1]) if "adjoint" in line else None for line in text.splitlines()]


def test_tables_of_arrays_and_constants():
    text = table(lambda x, n: np.sum(x * CAPTURED) * n, X, 2, mode="reverse")
    lines = text.splitlines()
    assert lines[0].endswith("adjoint  [2. 4. 6.]") and lines[1].rstrip().endswith("=  2") and "adjoint" not in lines[1]
    assert lines[2].startswith("v0 ") and lines[2].endswith("adjoint  [0.6 1.4 2.2]")  # the captured array
    assert all("\n" not in line for line in table(lambda a: np.sum(a @ a), np.eye(3)).splitlines())
    assert table(lambda n, x: x * n, 3, 2.0).endswith("tangent  3")  # along the first argument that can move
    assert adjoints(table(lambda t: t["a"] * t["b"], {"a": 2.0, "b": 3.0}, mode="reverse")) == [3, 2, 1]
    complex_ = table(lambda z: np.abs(z) ** 2, 1 + 2j, mode="reverse")
    assert "1+2j" in complex_ and "adjoint  2+4j" in complex_


def test_tables_follow_the_rules_of_derivatives():
    @custom_jvp
    def tenfold(x):
        return x * x

    tenfold.defjvp(lambda primals, tangents: (tenfold(*primals), 10.0 * tangents[0]))
    assert adjoints(table(lambda x: tenfold(x) + 1, 2.0, mode="reverse")) == [10, 1, 1]
    assert table(lambda x: tenfold(x) + 1, 2.0).endswith("tangent  10")
    assert adjoints(table(lambda x: x * jitad.stop_gradient(x), 2.0, mode="reverse"))[0] == 2
    assert adjoints(table(lambda x: np.where(x > 0, np.sqrt(x), 0.0), 0.0, mode="reverse")) == [0, None, 0, 1]
    assert adjoints(table(lambda x: np.sqrt(x * x), 0.0, mode="reverse")) == [0, 0, 1]
    logdet = table(lambda a: np.linalg.slogdet(a)[1], 2 * np.eye(2), mode="reverse")  # an equation with two results
    assert "adjoint  [[0.5 0. ] [0. 0.5]]" in logdet.splitlines()[0]


def test_tables_of_wrong_functions():
    for function in (lambda x: x, lambda x: (np.sum(x), np.sum(x)), lambda x: np.argmax(x), lambda x: np.sum(x) * 1j):
        with pytest.raises(TypeError, match="a function that returns one real number"):
            table(function, X, mode="reverse")
    with pytest.raises(ValueError, match='mode is "forward" or "reverse", not \'adjoint\''):
        table(np.sum, X, mode="adjoint")


# --- check_grads --------------------------------------------------------------------------------------------------------------------


def test_right_derivatives_pass():
    check_grads(model, (X,), order=3)
    check_grads(model, (X.astype("f"),))
    check_grads(lambda z: z**2 * np.conj(z), (X + 1j,), order=2)
    check_grads(lambda t, s: {"a": t["x"] * s, "b": (np.sum(t["x"]), np.argmax(t["x"]), t["x"] > 0.5)}, ({"x": X}, 2.0), order=2)
    check_grads(lambda x: np.abs(x) + 1e3, (np.array([1.0, -2.0]),))
    check_grads(lambda x: x * 0 + 1e6, (X,))
    check_grads(lambda x: np.linalg.solve(x, X), (np.eye(3) + 0.1,), order=2)


@custom_jvp
def wrong_forward(x):
    return np.sin(x)


wrong_forward.defjvp(lambda primals, tangents: (wrong_forward(*primals), 1.001 * np.cos(primals[0]) * tangents[0]))


@custom_vjp
def wrong_reverse(x):
    return np.sin(x)


wrong_reverse.defvjp(lambda x: (wrong_reverse(x), x), lambda x, ct: (1.001 * np.cos(x) * ct,))


@custom_jvp
def wrong_second(x):
    return np.sin(x)


@custom_jvp
def wrong_cosine(x):
    return np.cos(x)


wrong_second.defjvp(lambda primals, tangents: (wrong_second(*primals), wrong_cosine(primals[0]) * tangents[0]))
wrong_cosine.defjvp(lambda primals, tangents: (wrong_cosine(*primals), np.sin(primals[0]) * tangents[0]))


def test_wrong_derivatives_are_found():
    with pytest.raises(AssertionError, match="derivative of order 1, forward mode, result"):
        check_grads(wrong_forward, (X,))
    with pytest.raises(AssertionError, match=r"derivative of order 1, reverse mode: Re<J\* w, v>"):
        check_grads(wrong_forward, (X,), modes=("rev",))
    with pytest.raises(AssertionError, match="derivative of order 1, reverse mode"):
        check_grads(wrong_reverse, (X,), modes=("rev",))
    with pytest.raises(AssertionError, match=r"result\['bad'\]"):
        check_grads(lambda x: {"good": x, "bad": wrong_forward(x)}, (X,))
    with pytest.raises(AssertionError, match="forward mode"):
        check_grads(lambda x: x * jitad.stop_gradient(x), (X,))
    check_grads(wrong_second, (X,))
    for mode in ("fwd", "rev"):
        with pytest.raises(AssertionError, match="derivative of order 2"):
            check_grads(wrong_second, (X,), order=2, modes=(mode,))


def test_tolerances_and_bad_arguments():
    check_grads(wrong_forward, (X,), rtol=0.01)
    check_grads(wrong_forward, (X,), atol=0.1)
    with pytest.raises(AssertionError):
        check_grads(model, (X,), rtol=0.0, atol=0.0)
    with pytest.raises(ValueError, match='modes are "fwd" and "rev", not \'forward\''):
        check_grads(model, (X,), modes=("forward",))
    with pytest.raises(TypeError, match="argument 1 has dtype int64"):
        check_grads(lambda x, n: x * n, (X, 2))


# --- the command --------------------------------------------------------------------------------------------------------------------


def test_command():
    run = subprocess.run([sys.executable, "-m", "jitad"], capture_output=True, text=True, check=True, timeout=60)
    facts = dict(line.split(maxsplit=1) for line in run.stdout.splitlines())
    assert facts["jitad"] == jitad.__version__ and facts["numpy"] == np.__version__
    assert {"python", "numba", "cpu", "settings"} <= facts.keys() and not run.stderr
