"""Every primitive in the registry, on its own samples: types, derivatives in both modes and orders, batching, proven signs."""

import numpy as np
import pytest
from differences import check_derivatives, direction, moves, program_of

import jitad.primitives  # noqa: F401
from jitad.ir.facts import nonnegative
from jitad.ir.interpreter import evaluate
from jitad.ir.registry import REGISTRY
from jitad.ir.verifier import verify
from jitad.optimize.simplify import simplify
from jitad.primitives.elementwise.arithmetic import abs as magnitude
from jitad.transform.batch import batch
from jitad.transform.jvp import jvp

ROWS = [pytest.param(p, np.dtype(char), id=f"{p.name}-{np.dtype(char).name}")
        for p in REGISTRY.values() if p.samples for char in p.dtypes]
# Their derivatives are not those of independent operands, or not those of their values: see test_rules.py.
APART = {"lu", "lu_solve", "lu_logdet", "lu_sign", "stop_gradient"}
DIFFERENTIABLE = [row for row in ROWS if row.values[1].char in "dD" and row.values[0].name not in APART]


def samples(primitive, dtype, seed=0):
    return [([np.asarray(x) for x in inputs], params) for inputs, params in primitive.samples(np.random.default_rng(seed), dtype)]


def programs(primitive, dtype):
    for inputs, params in samples(primitive, dtype):
        yield program_of(lambda *atoms, params=params: primitive(*atoms, **params), inputs), inputs


@pytest.mark.parametrize("primitive, dtype", ROWS)
def test_types(primitive, dtype):
    """The interpreter raises where a value has not the type that the type rule gave."""
    for program, inputs in programs(primitive, dtype):
        evaluate(program, *inputs)


@pytest.mark.parametrize("primitive, dtype", [row for row in ROWS if row.values[0].simplify])
def test_simplified_forms_are_equal(primitive, dtype):
    for program, inputs in programs(primitive, dtype):
        for result, expected in zip(evaluate(verify(simplify(program)), *inputs), evaluate(program, *inputs), strict=True):
            np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("primitive, dtype", DIFFERENTIABLE)
def test_derivatives(primitive, dtype):
    if primitive.name in ("eigh", "svd") and dtype.kind == "c":
        pytest.skip("the phases of such vectors are LAPACK's choice; what does not depend on them is in test_spectral and test_singular")
    for program, inputs in programs(primitive, dtype):
        active = [moves(x) and k not in primitive.constants for k, x in enumerate(inputs)]
        if any(active) and any(type.differentiable for type in program.output_types):
            hermitian = primitive.name in ("cholesky", "eigh")
            check_derivatives(program, inputs, hermitian, active)
            rng = np.random.default_rng(2)
            dots = [direction(rng, x, hermitian) for x, moving in zip(inputs, active, strict=True) if moving]
            if primitive.name != "elliprf":  # whose first derivatives are elliprd, of which none are known
                check_derivatives(jvp(program, active), [*inputs, *dots], hermitian, active + [True] * len(dots))


@pytest.mark.parametrize("primitive, dtype", ROWS)
def test_batch(primitive, dtype):
    """All operands batched, or one of them, on the first axis or the last."""
    members = [samples(primitive, dtype, seed) for seed in range(3)]
    tolerance = 1e-12 if dtype.char in "dD" else 1e-4
    for number, (program, inputs) in enumerate(programs(primitive, dtype)):
        count = len(inputs)
        for chosen in [set(range(count)), *[{k} for k in range(count)]] if count else []:
            for last in (False, True):
                axes = [(x.ndim if last else 0) if k in chosen else None for k, x in enumerate(inputs)]
                each = [[m[number][0][k] if k in chosen else x for k, x in enumerate(inputs)] for m in members]
                stacked = [x if axes[k] is None else np.stack([e[k] for e in each], axes[k]) for k, x in enumerate(inputs)]
                results = evaluate(verify(batch(program, axes, len(members))), *stacked)
                for k, result in enumerate(results):
                    expected = np.stack([evaluate(program, *e)[k] for e in each])
                    np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("primitive, dtype", [row for row in ROWS if row.values[1].char == "d"])
def test_proven_signs(primitive, dtype):
    for inputs, params in samples(primitive, dtype):
        for function in (lambda x: x, magnitude, lambda x: -magnitude(x)):
            def apply(*atoms, function=function, params=params):
                return primitive(*[function(x) if x.dtype.kind == "f" else x for x in atoms], **params)

            program = program_of(apply, inputs)
            claimed = [k for k, atom in enumerate(program.outputs) if nonnegative(atom)]
            results = evaluate(program, *inputs) if claimed else []
            assert not any((results[k] < 0).any() for k in claimed)
