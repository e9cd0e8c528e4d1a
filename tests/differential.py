"""Programs compared: NumPy with the interpreter, loops and kernels; reverse mode with forward mode: a helper of the tests.

Kernels are compiled for several programs together, which also gives the scheduler unrelated computations to arrange. Loops are checked
without compiling them by an interpreter that knows which elements are written, under several settings of the scheduler.
"""

import math
from contextlib import contextmanager

import numpy as np
import pytest
from differences import direction, inner, moves
from hypothesis import currently_in_test_context, note
from loops_interpreter import run_loops
from operations import count_operations
from random_programs import Given
from traced import trace

from jitad.inspection import derivative
from jitad.ir.interpreter import evaluate
from jitad.ir.program import Program
from jitad.ir.verifier import verify
from jitad.lower.fusion import fusion, products, reads
from jitad.lower.grammar import regions
from jitad.lower.grammar.loops import Accumulate, Loops, Nest
from jitad.lower.grammar.verifier import verify_loops
from jitad.lower.grammar.walk import leaves
from jitad.lower.lowering import lower
from jitad.lower.preparation import halos
from jitad.lower.schedule import loop_order, strips
from jitad.lower.steps import nests, splitting
from jitad.pipeline import optimize, to_kernel, to_loops
from jitad.runtime.execute import as_input, runner
from jitad.transform.batch import batch
from jitad.transform.jvp import jvp

SCHEDULES = (fusion, halos, loop_order, nests, products, reads, regions, splitting, strips)
SCHEDULERS = {
    "default": {},
    "stores much, cuts small boxes, gives rims, turns loops round, spells out nothing, calls BLAS": {
        "LEAST": 1, "ROOM": 0, "SMALL": 0,
        "GAIN": 0.0, "STORE": 0.5, "SMALL_PRODUCT": 2, "SMALL_MATRIX": 2, "SMALL_OPERAND": 0, "LARGE": 2, "SHARE": 1000, "SHORT": 1},
    "stores little, splits long bodies, runs across blocks": {
        "STORE": 1e9, "CONTEXTS": 10**9, "LARGE": 2, "SHARE": 1000, "SHORT": 3, "SHORT_ALONE": 1, "LONGEST": 4,
        "WORTHWHILE": -1, "ACROSS_CACHE": 1, "LEAST_ACROSS": 2},
    "stores everything, runs along rows": {"STORE": -1, "CONTEXTS": 1, "SHORT": 1, "WORTHWHILE": -1, "CACHE": 1, "MOST_ACROSS": 0},
}


def close(found, wanted, tolerance: float, what: str) -> None:
    """Types agree exactly, numbers relative to the largest of the array."""
    for k, (x, y) in enumerate(zip(found, wanted, strict=True)):
        x, y = np.asarray(x), np.asarray(y)
        assert x.dtype == y.dtype and x.shape == y.shape, f"{what}, output {k}: {x.dtype}{x.shape}, not {y.dtype}{y.shape}"
        if y.dtype.kind in "fc":
            scale = np.max(np.abs(y), initial=1.0, where=np.isfinite(y))
            np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance * scale, err_msg=f"{what}, output {k}")
        else:
            np.testing.assert_array_equal(x, y, err_msg=f"{what}, output {k}")


class Case:
    """A program traced, with its operands (captured arrays last) and its results by NumPy."""

    def __init__(self, drawn: Given):
        if currently_in_test_context():
            note(repr(drawn))
        with np.errstate(all="ignore"):
            results = drawn.function(*drawn.arrays)
        self.wanted = [np.asarray(x) for x in (results if isinstance(results, tuple) else (results,))]
        traced = trace(drawn.function, *drawn.arrays)
        self.program = verify(traced.program)
        self.operands = [*drawn.arrays, *[array for array, _ in traced.captured]]
        self.tolerance = 2e-3 if drawn.single else 1e-9

    @property
    def active(self) -> list[bool]:
        return [moves(x) for x in self.operands]

    @property
    def differentiable(self) -> bool:
        return any(self.active) and any(moves(x) for x in self.wanted)

    def tangents(self) -> list:
        rng = np.random.default_rng(0)
        return [direction(rng, x) for x in self.operands if moves(x)]

    def seeds(self) -> list:
        """The cotangents that the derivative Program takes: none for the gradient of a single number."""
        (first, *rest) = self.program.outputs
        rng = np.random.default_rng(1)
        alone = not rest and not first.shape and first.type.differentiable
        return [] if alone else [direction(rng, x) if moves(x) else np.zeros_like(x) for x in self.wanted]


@contextmanager
def scheduled(constants: dict):
    """Lower under these constants of the scheduler."""
    with pytest.MonkeyPatch.context() as patch:
        for constant, value in constants.items():
            for module in SCHEDULES:
                if hasattr(module, constant):
                    patch.setattr(module, constant, value)
        yield


def check_loops(program: Program, operands, wanted, tolerance: float, schedulers=tuple(SCHEDULERS)) -> None:
    """The Program, optimized or not, and its loops under each scheduler give `wanted`."""
    optimized = optimize(program)
    close(evaluate(verify(optimized), *operands), wanted, tolerance, "optimized")
    for name in schedulers:
        with scheduled(SCHEDULERS[name]):
            loops = verify_loops(lower(optimized))
        close(run_loops(loops, *operands), wanted, tolerance, f"loops, scheduler that {name}")
    if "default" in schedulers:
        close(run_loops(verify_loops(lower(program)), *operands), wanted, tolerance, "loops without optimization")


def check_values(drawn: Given) -> None:
    case = Case(drawn)
    close(evaluate(case.program, *case.operands), case.wanted, case.tolerance, "traced")
    check_loops(case.program, case.operands, case.wanted, case.tolerance)


def check_derivatives(drawn: Given) -> None:
    """Reverse mode is the adjoint of forward mode, <w, J v> = <J* w, v>; so is that of the derivative Program."""
    case = Case(drawn)
    if not case.differentiable:
        return
    tangents, seeds = case.tangents(), case.seeds()
    forward = jvp(case.program, case.active)
    results = evaluate(verify(forward), *case.operands, *tangents)
    close(results[: len(case.wanted)], case.wanted, case.tolerance, "forward mode, values")
    check_loops(forward, [*case.operands, *tangents], results, case.tolerance, ["default"])
    backward = derivative(case.program)
    pulled = evaluate(verify(backward), *case.operands, *seeds)
    close(pulled[: len(case.wanted)], case.wanted, case.tolerance, "reverse mode, values")
    weights = seeds or [np.ones_like(x) for x in case.wanted]
    along, back = inner(weights, results[len(case.wanted) :]), inner(pulled[len(case.wanted) :], tangents)
    scale = sum(norm(x) for x in (weights, results[len(case.wanted) :], pulled[len(case.wanted) :], tangents))
    assert along == pytest.approx(back, rel=case.tolerance, abs=case.tolerance * (1 + scale))
    check_loops(backward, [*case.operands, *seeds], pulled, case.tolerance)


def norm(arrays) -> float:
    return float(inner(arrays, arrays))


def check_batch(drawn: Given) -> None:
    """The batched Program gives what the Program gives for each member; every other operand is shared by all."""
    case = Case(drawn)
    axes = [None if k % 3 == 1 else 0 if k % 2 == 0 else x.ndim for k, x in enumerate(case.operands)]
    if all(axis is None for axis in axes):
        return
    rng = np.random.default_rng(2)
    members = [[x + 0.01 * n * direction(rng, x) if x.dtype.char in "dD" and axis is not None else x
                for x, axis in zip(case.operands, axes, strict=True)] for n in range(3)]
    stacked = [x if axis is None else np.stack([member[k] for member in members], axis)
               for k, (x, axis) in enumerate(zip(case.operands, axes, strict=True))]
    each = [evaluate(case.program, *member) for member in members]
    wanted = [np.stack([outputs[k] for outputs in each]) for k in range(len(case.wanted))]
    batched = batch(case.program, axes, len(members))
    close(evaluate(verify(batched), *stacked), wanted, case.tolerance, "batched")


def run_together(cases: list[tuple[Program, list]]) -> list[list]:
    """Compile Programs as one and return the outputs of each."""
    inputs, equations, outputs = ([x for program, _ in cases for x in part(program)] for part in
                                  (lambda p: p.inputs, lambda p: p.equations, lambda p: p.outputs))
    kernel = to_kernel(Program(inputs, equations, outputs))
    results = iter(runner(kernel)(*[as_input(x, x.dtype) for _, operands in cases for x in operands]))
    return [[next(results) for _ in program.outputs] for program, _ in cases]


def check_compiled(drawn: list[Given]) -> None:
    """Values against NumPy."""
    cases = [Case(x) for x in drawn]
    for case, outputs in zip(cases, run_together([(case.program, case.operands) for case in cases]), strict=True):
        close(outputs, case.wanted, case.tolerance, "compiled")


def check_compiled_derivatives(drawn: list[Given]) -> None:
    """Values and pullbacks against the interpreter."""
    cases = [case for case in map(Case, drawn) if case.differentiable]
    if cases:
        made = [(derivative(case.program), [*case.operands, *case.seeds()]) for case in cases]
        for case, (program, operands), outputs in zip(cases, made, run_together(made), strict=True):
            close(outputs, evaluate(program, *operands), case.tolerance, "compiled")


def check_cost(drawn: Given) -> None:
    """Values and pullbacks take at most four times the operations of the values, where writing a number is an operation too.

    No axis is spelled out: that finds equal elements of an array, and more of them where less is done with each.
    """
    case = Case(drawn)
    if case.differentiable:
        with scheduled({"SHORT": 1, "SHORT_ALONE": 1}):
            value, both = (to_loops(program) for program in (case.program, derivative(case.program)))
        cost = count_operations(value) + count_moves(value)
        if cost >= 100:
            assert count_operations(both) <= 4 * cost


def count_moves(loops: Loops) -> int:
    """Return how many elements are written, and how many are read from outside."""
    written = 0
    for step in leaves(loops.steps):
        for region in step.regions if isinstance(step, Nest) else ():
            trips = math.prod(high - low + 1 for low, high in region.ranges)
            written += trips * sum(not isinstance(statement, Accumulate) for statement in region.statements)
    return written + sum(buffer.type.size for buffer in loops.inputs)
