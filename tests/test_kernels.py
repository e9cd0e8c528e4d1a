"""Compiled kernels against the NumPy interpreter, for every primitive in the registry.

All samples of a primitive, over all its dtypes, are the equations of one Program, so that it is compiled once.
"""

import os
import subprocess
import sys

import numpy as np
import pytest

import jitad
from jitad import primitives  # noqa: F401
from jitad.codegen import nests, parts
from jitad.codegen.kernel import Kernel, compile_loops
from jitad.ir.interpreter import evaluate
from jitad.ir.program import Program, Var
from jitad.ir.recorder import Recorder
from jitad.ir.registry import REGISTRY
from jitad.ir.source import Source
from jitad.ir.types import ArrayType
from jitad.ir.verifier import verify
from jitad.lower.steps import splitting
from jitad.pipeline import to_kernel, to_loops
from jitad.runtime.execute import as_input, runner

SAMPLED = sorted(name for name, primitive in REGISTRY.items() if primitive.samples)


def program_of_samples(primitive, rng):
    """Return a Program that applies the primitive to each of its samples, and the arrays of its inputs."""
    variables, arrays, outputs = [], [], []
    with Recorder(Source(primitive.name, 1)) as recorder:
        for dtype in primitive.dtypes:
            for inputs, params in primitive.samples(rng, np.dtype(dtype)):
                operands = [Var(ArrayType(x.dtype, x.shape)) for x in map(np.asarray, inputs)]
                variables += operands
                arrays += map(np.asarray, inputs)
                outputs += recorder.record(primitive, operands, params)
    return Program(variables, recorder.equations, outputs), arrays


def run(program, arrays):
    return runner(to_kernel(program))(*[as_input(x, x.dtype) for x in arrays])


@pytest.mark.parametrize("name", SAMPLED)
def test_kernel_agrees_with_the_interpreter(name):
    program, arrays = program_of_samples(REGISTRY[name], np.random.default_rng(0))
    verify(program)
    expected = evaluate(program, *arrays)
    for equation_output, want, got in zip(program.outputs, expected, run(program, arrays), strict=True):
        got = np.asarray(got)
        assert got.dtype == want.dtype and got.shape == want.shape, equation_output.equation
        precise = want.dtype.char in "dD" or want.dtype.kind in "iub"
        np.testing.assert_allclose(got, want, rtol=1e-12 if precise else 2e-5, atol=1e-13 if precise else 1e-6,
                                   err_msg=repr(equation_output.equation))


def unrolled(x, places):
    table, scale = np.zeros(4), x[0]
    for k in range(5):
        scale = np.sin(scale) * x[k] + 0.5 * k
        table[places[k]] = scale
        x = x + np.roll(x, k) * np.sum(table)
    return np.sum(x) * scale


def test_bodies_in_parts_that_find_single_elements_in_the_workspace(monkeypatch):
    """As those of thousands of nests are."""
    monkeypatch.setattr(nests, "MOST_POINTERS", 0)
    monkeypatch.setattr(parts, "LONGEST", 2)
    monkeypatch.setattr(splitting, "LONGEST", 3)
    x, places = np.array([0.3, 0.7, 1.1, -0.4, 0.2]), np.array([0, 3, 1, 1, 2])
    program = jitad.trace(jitad.value_and_grad(unrolled))(x, places)
    code = compile_loops(to_loops(program), "jitad_kernel_in_parts")
    kernel = runner(Kernel(code, program.input_types, program.output_types))
    value, slope = kernel(x, places)
    assert value == pytest.approx(unrolled(x, places), rel=1e-14)
    steps = 1e-6 * np.eye(x.size)
    np.testing.assert_allclose(slope, [(unrolled(x + h, places) - unrolled(x - h, places)) / 2e-6 for h in steps], rtol=1e-6)
    with pytest.raises(IndexError, match="test_kernels.py"):
        kernel(x, places + 1)


@pytest.mark.parametrize("linked", [True, False])
def test_libraries_are_found_without_importing_scipy_or_else_by_it(linked):
    program = f"""
import sys
import numpy as np
import jitad
from jitad.codegen.library import blas
if not {linked}:
    blas.shared_library = lambda module: None
a = np.arange(16.0 * 16).reshape(16, 16) % 7 + 9 * np.eye(16)
found = jitad.jit(lambda x: np.linalg.solve(x @ x, x))(a)
print("scipy.linalg" in sys.modules)
from scipy import linalg
assert np.allclose(a @ found, np.eye(16)) and np.allclose(linalg.solve(a, a), np.eye(16))
"""
    run = subprocess.run([sys.executable, "-c", program], env=os.environ | {"JITAD_CACHE_DIR": ""}, capture_output=True, text=True, check=True)
    assert run.stdout == f"{not linked}\n"


@pytest.mark.parametrize("result", [lambda x: x[0], lambda x: x[:2]], ids=["scalars", "arrays"])
def test_the_entry_grows_with_the_number_of_results_and_no_faster(result):
    def length(count):
        return len(jitad.show(lambda x: tuple(result(x) * k for k in range(count)), np.ones(3), stage="llvm"))

    few, some, many = map(length, (10, 30, 50))
    assert many - some < 1.1 * (some - few)
