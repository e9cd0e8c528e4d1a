"""Time loops over stencils: a step is one pass over its arrays, forward, however sources, receivers and damping are written."""

import importlib.util

import numpy as np
import pytest
from random_stencils import Stencils

import jitad
from jitad.lower.grammar.loops import Nest, Repeat
from jitad.lower.grammar.walk import expressions, leaves, writes
from jitad.lower.memory import padding
from jitad.lower.schedule import streams
from jitad.pipeline import to_loops
from jitad.testing import check_grads

N, M, STEPS = 30, 24, 40
RNG = np.random.default_rng(0)
SPEED, DAMPING = 0.2 * RNG.random((N, M)), 1 - 0.1 * RNG.random((N, M))
WAVELET, PLACES = RNG.standard_normal(STEPS), np.array([3, 7, 7, -4])


def waves(speed, damping, source, places):
    before, u = np.zeros((N, M)), np.zeros((N, M))
    recorded = np.zeros((STEPS, len(places)))
    for t in range(STEPS):
        after = np.zeros((N, M))
        laplacian = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]
        after[1:-1, 1:-1] = 2 * u[1:-1, 1:-1] - before[1:-1, 1:-1] + speed[1:-1, 1:-1] * laplacian
        after[source, 5] += WAVELET[t]
        recorded[t] = after[places, 4]
        before, u = u * damping, after * damping
    return np.sum(recorded**2) + np.sum(u**2)


def passes(function, *args) -> list[int]:
    """How many large arrays each pass over the grid writes that the trips of the first loop make."""
    (loop, *_) = [step for step in to_loops(jitad.trace(function)(*args)).steps if isinstance(step, Repeat)]
    nests = [step for step in leaves(loop.steps) if isinstance(step, Nest) and step.trips > N]
    return [len(writes(nest)) for nest in nests]


def test_a_step_is_one_pass():
    assert passes(jitad.jit(waves), SPEED, DAMPING, 4, PLACES) == [1]
    assert passes(jitad.value_and_grad(waves), SPEED, DAMPING, 4, PLACES) == [2]  # the field and what is kept


@pytest.mark.parametrize("source", [4, 0, N - 1, -3])
def test_sources_and_receivers(source):
    value = jitad.jit(waves)(SPEED, DAMPING, source, PLACES)
    assert value == pytest.approx(waves(SPEED, DAMPING, source, PLACES), rel=1e-13)
    check_grads(lambda speed, damping: waves(speed, damping, source, PLACES), (SPEED, DAMPING), order=1)


def test_a_source_outside_is_an_error():
    with pytest.raises(IndexError, match=str(N)):
        jitad.jit(waves)(SPEED, DAMPING, N, PLACES)


def spreading(u):
    """Nonlinear, so that reverse mode keeps the field of each step."""
    for _ in range(STEPS):
        v = u.copy()
        u[1:-1, 1:-1] = v[1:-1, 1:-1] + 0.02 * v[1:-1, 1:-1] * (v[2:, 1:-1] + v[:-2, 1:-1] + v[1:-1, 2:] + v[1:-1, :-2] - 4 * v[1:-1, 1:-1])
    return np.sum(u**2)


def staggered(u, depth):
    velocity, recorded = np.zeros((N + 1, M)), np.zeros((STEPS, M))
    for t in range(STEPS):
        velocity[1:-1] -= 0.1 * (u[1:] - u[:-1])
        flow = np.zeros((N + 1, M))
        flow[1:-1] = depth * velocity[1:-1]
        u = u - 0.1 * (flow[1:] - flow[:-1])
        recorded[t] = u[3]
    return np.sum(recorded**2)


def on_a_torus(u, rate):
    for _ in range(STEPS):
        u = u + rate * (np.roll(u, 1, 0) + np.roll(u, -1, 0) + np.roll(u, 1, 1) + np.roll(u, -1, 1) - 4 * u) - 0.1 * u**3
    return np.sum(u**2)


def remembering(u, rate):
    """The field is kept before and after each step, and the last one is used too."""
    w = u * 1.0
    for _ in range(STEPS):
        before = w
        w = w + rate * np.sin(w)
        u = 0.5 * u * before + 0.1 * w**2
    return np.sum(u * w)


def alternating(u, v):
    """Two fields that are computed from each other, in a few steps; their borders stay."""
    for _ in range(9):
        v[1:-1, 1:-1] = 0.2 * (u[1:-1, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] + u[2:, 1:-1] + u[:-2, 1:-1])
        u[1:-1, 1:-1] = 0.2 * (v[1:-1, 1:-1] + v[1:-1, :-2] + v[1:-1, 2:] + v[2:, 1:-1] + v[:-2, 1:-1])
    return np.sum(u)


@pytest.mark.parametrize("n", [16, 40, 60])
def test_fields_computed_from_each_other(n):
    """What a nest computes it does not read from memory, whatever was there before."""
    fields = RNG.random((2, n, n))
    slopes = jitad.grad(alternating, argnums=(0, 1))(*fields)
    for _ in range(3):
        ways = RNG.standard_normal((2, n, n))
        assert np.sum(np.multiply(slopes, ways)) == pytest.approx(alternating(*ways), rel=1e-9)


FIELD = RNG.random((N, M))
PROGRAMS = [(spreading, (FIELD,)), (staggered, (FIELD, 1 + RNG.random((N - 1, M)))), (on_a_torus, (FIELD, 0.1)), (remembering, (FIELD, 0.1))]


@pytest.mark.parametrize(("function", "args"), PROGRAMS, ids=lambda x: getattr(x, "__name__", ""))
def test_fields_that_are_kept(function, args):
    value, _ = jitad.value_and_grad(function)(*args)
    assert value == pytest.approx(function(*[np.array(x) for x in args]), rel=1e-12)
    check_grads(function, args, order=2)


@pytest.mark.parametrize(("function", "args", "fields"), [(*PROGRAMS[0], 1)])
def test_a_field_lives_where_it_is_kept(function, args, fields):
    assert passes(jitad.value_and_grad(function), *args) == [fields]
    loops = to_loops(jitad.trace(jitad.value_and_grad(function))(*args))
    assert loops.work_bytes < 1.1 * (STEPS + 1) * FIELD.nbytes + 5 * FIELD.nbytes


def test_tangents_live_where_they_are_kept():
    """They begin as arrays that the trips fill, as what they are the tangents of."""
    product = jitad.jit(lambda u, v: jitad.hvp(spreading, (u,), (v,)))
    loops = to_loops(jitad.trace(product)(FIELD, FIELD))
    assert passes(product, FIELD, FIELD) == [2]
    assert not [nest for nest in leaves(loops.steps) if isinstance(nest, Nest) and nest.trips > (STEPS - 1) * FIELD.size]


def currents(height, depth):
    """Velocities on the faces, changed in place where there is water on both sides."""
    n, m = height.shape
    u, v = np.zeros((n + 1, m)), np.zeros((n, m + 1))
    for _ in range(STEPS):
        u[1:-1] -= 0.1 * (height[1:] - height[:-1])
        v[:, 1:-1] -= 0.1 * (height[:, 1:] - height[:, :-1])
        height = height - 0.1 * depth * (u[1:] - u[:-1] + v[:, 1:] - v[:, :-1])
    return np.sum(height**2)


def test_what_is_written_in_place_is_read_there():
    """Nothing keeps the new velocities apart from the arrays they are written to, and those of either direction share a pass."""
    assert passes(jitad.jit(currents), FIELD, FIELD) == [2, 1]
    check_grads(currents, (FIELD, 1 + FIELD), order=2)


def flows(height, depth):
    """What the velocities carry through the faces has arrays of its own, which begin as zeros."""
    n, m = height.shape
    u, v = np.zeros((n + 1, m)), np.zeros((n, m + 1))
    across, along = depth[1:] + depth[:-1], depth[:, 1:] + depth[:, :-1]
    recorded = np.zeros((STEPS, m))
    for t in range(STEPS):
        u[1:-1] -= 0.1 * (height[1:] - height[:-1])
        v[:, 1:-1] -= 0.1 * (height[:, 1:] - height[:, :-1])
        x, y = np.zeros((n + 1, m)), np.zeros((n, m + 1))
        x[1:-1] = across * u[1:-1]
        y[:, 1:-1] = along * v[:, 1:-1]
        height = height - 0.1 * (x[1:] - x[:-1] + y[:, 1:] - y[:, :-1])
        recorded[t] = height[3]
    return np.sum(recorded**2)


def test_what_is_written_anyway_is_not_computed_again():
    """Velocities are read by the pass that needs them at two faces, in the function and in its tangent: no fluxes are kept, nor second copies."""
    tangent = jitad.jit(lambda x, way: jitad.jvp(flows, x, way))
    pair = FIELD, 1 + FIELD
    assert passes(jitad.jit(flows), *pair) == [2, 1]
    assert passes(tangent, pair, pair)[:2] == [4, 2]
    assert to_loops(jitad.trace(tangent)(pair, pair)).work_bytes < 13 * FIELD.nbytes
    check_grads(flows, pair, order=2)


def test_the_adjoint_of_a_step_has_no_guards():
    *_, loop = [step for step in to_loops(jitad.trace(jitad.value_and_grad(waves))(SPEED, DAMPING, 4, PLACES)).steps if isinstance(step, Repeat)]
    interiors = [max(nest.regions, key=lambda region: np.prod([high - low + 1 for low, high in region.ranges]))
                 for nest in leaves(loop.steps) if isinstance(nest, Nest) and nest.trips > N * M // 2]  # fmt: skip
    assert interiors and not any(expr.op in ("in_range", "clamp") for region in interiors for expr in expressions(region))


def check_stencils(seed, folder):
    """The value is NumPy's, and the slope along a way the same forward and in reverse."""
    drawn = Stencils(seed)
    path = folder / f"stencils_{seed}.py"
    path.write_text(drawn.source)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    spec.loader.exec_module(module := importlib.util.module_from_spec(spec))
    rng = np.random.default_rng(seed)
    fields, ways = (rng.random((2, len(drawn.names), *drawn.shape)) for _ in range(2))
    with np.errstate(all="ignore"):
        wanted = module.program(*fields[0].copy())
    if not abs(wanted) < 1e8:
        return
    value, slopes = jitad.value_and_grad(module.program, argnums=tuple(range(len(drawn.names))))(*fields[0])
    assert value == pytest.approx(wanted, rel=1e-9), drawn.source
    _, forward = jitad.jit(lambda fields, ways: jitad.jvp(lambda *x: module.program(*x), tuple(fields), tuple(ways)))(list(fields[0]), list(ways[0]))
    assert np.sum(np.multiply(slopes, ways[0])) == pytest.approx(forward, rel=1e-8, abs=1e-8 * max(1, abs(wanted))), drawn.source


@pytest.mark.parametrize("seed", range(6))
def test_random_stencils(seed, tmp_path):
    check_stencils(seed, tmp_path)


@pytest.mark.parametrize("seed", range(8, 14))
def test_random_stencils_in_lines(seed, tmp_path, monkeypatch):
    """As if the arrays were large: rows are padded, and what is kept goes past the caches."""
    monkeypatch.setattr(jitad.config, "verify", True)
    for module, name, value in [(padding, "LEAST_LINES", 1), (padding, "SHARE", 1), (streams, "FAR", 0), (streams, "FETCHED", 0),
                                (streams, "LEAST_ROW", 64)]:
        monkeypatch.setattr(module, name, value)
    check_stencils(seed, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6, 90))
def test_many_random_stencils(seed, tmp_path):
    check_stencils(seed, tmp_path)
