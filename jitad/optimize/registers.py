"""Elements that every trip of a loop adds to are summed up in a register.

In and out: a Program. ``a[i, k] += x`` in a loop over j reads and writes memory in every trip, and each trip waits for the one before it; if no other
access of the loop reaches the element, it is read before the loop, carried as a scalar, and written after it. Invariant: results stay the same, to
the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jitad.ir.lowering import Pointwise
from jitad.ir.program import Atom, Equation, Literal, Program, Var
from jitad.ir.recorder import Env, Recorder, rewrite
from jitad.ir.types import COUNTER
from jitad.primitives.comparisons import gt
from jitad.primitives.control.affine import Affine, read_equation
from jitad.primitives.control.branches import cond
from jitad.primitives.control.lasting import Access, Level, Path, Survey, apart, loop_level, scalars_of
from jitad.primitives.control.loops import loop
from jitad.primitives.indexing import gather, scatter, scatter_add


def sum_in_registers(program: Program) -> Program:
    """Return `program` with such elements as carried scalars, in all its loops."""
    return visit(program, {}, ())


def visit(program: Program, known: Mapping[Atom, Affine], path: Path) -> Program:
    """Return a body, whose integers in `known` are affine in the levels of `path`, with its loops changed."""
    if not any(equation.primitive is loop for equation in program.equations):
        return program
    known = dict(known)

    def rule(equation: Equation, inputs: list[Atom]):
        value = read_equation(equation, known)
        if value is not None:
            known[equation.outputs[0]] = value
        return changed(equation, inputs, known, path) if equation.primitive is loop else None

    return rewrite(program, rule)


def changed(equation: Equation, inputs: Sequence[Atom], known: Mapping[Atom, Affine], path: Path) -> Sequence[Var]:
    """Record a loop with sums in registers."""
    params = dict(equation.params)
    level = loop_level(equation.inputs[0], params["length"], params["reverse"], known)
    body, operands = params["body"], equation.inputs[1:]
    scalars = scalars_of(body.inputs[1:], operands, known) | {body.inputs[0]: Affine(0, {level: 1})}
    body = visit(body, scalars, (*path, (level, 0.0)))
    first = 1 + params["consts"]
    sums = {}
    for place, var in enumerate(body.inputs[first:]):
        found = element(body, var, scalars, path, level) if var.ndim else None
        if found is not None:
            sums[place] = found
    if not sums:
        return loop(*inputs, **{**params, "body": body})
    env = dict(zip(body.inputs, [None, *inputs[1:]], strict=True))
    places = {place: at(found, env) for place, found in sums.items()}
    runs = None if isinstance(inputs[0], Literal) and inputs[0].value > 0 else gt(inputs[0], 0)
    starts = [where(runs, gather, [inputs[first + place], *places[place]], 0.0) for place in sums]
    results = loop(*inputs, *starts, **{**params, "body": carrying(body, sums)})
    count = len(body.outputs)
    outputs = list(results[:count])
    for place, total in zip(sums, results[count:], strict=True):
        outputs[place] = where(runs, put, [outputs[place], total, *places[place]], None)
    return outputs


def put(array, value, *places):
    return scatter(array, value, *places, unique=True)


def where(runs: Atom | None, function, operands: Sequence[Atom], otherwise) -> Atom:
    """Record ``function(*operands)``; where no trip runs, `otherwise`, or the first operand."""
    if runs is None:
        return function(*operands)
    formal = [[Var(x.type) for x in operands] for _ in range(2)]
    with Recorder() as recorder:
        done = function(*formal[1])
    idle = formal[0][0] if otherwise is None else Literal(done.dtype.type(otherwise))
    return cond(runs, *operands, branches=(Program(formal[0], [], [idle]), Program(formal[1], recorder.equations, [done])))[0]


# --- which elements ----------------------------------------------------------------------------------------------------------------


def element(body: Program, var: Var, known: Mapping[Atom, Affine], path: Path, level: Level) -> Equation | None:
    """Return the equation that adds to one element of a carried array in every trip, if nothing else in the loop reaches that."""
    constants = body.inputs[1 : len(body.inputs) - len(body.outputs)]
    candidates = [equation for equation in body.equations if is_sum(equation, constants)]
    if not candidates:
        return None
    survey = Survey()
    states = survey.walk(body, {var: var}, known, path, level)
    place = body.inputs.index(var) - 1 - len(constants)
    if survey.spoilt or survey.loose or states.get(body.outputs[place]) is not var:
        return None
    accesses = [*survey.found.get(var, ()), *survey.stale.get(var, ())]
    for access in accesses:
        if access.equation in candidates and all(alone(access, other, len(path), level) for other in accesses if other is not access):
            return access.equation
    return None


def is_sum(equation: Equation, constants: Sequence[Var]) -> bool:
    """Whether an equation adds to the same element in every trip."""
    if equation.primitive is not scatter_add or equation.inputs[1].shape or equation.inputs[1].dtype != equation.inputs[0].dtype:
        return False
    return all(x.type == COUNTER and is_constant(x, constants) for x in equation.inputs[2:])


def is_constant(x: Atom, constants: Sequence[Var]) -> bool:
    if isinstance(x, Literal) or x in constants:
        return True
    equation = x.equation
    return equation is not None and isinstance(equation.primitive.lower, Pointwise) and all(is_constant(y, constants) for y in equation.inputs)


def alone(access: Access, other: Access, depth: int, level: Level) -> bool:
    """Whether `other` reaches the element in no trip."""
    return apart(access, other, depth + 1, []) and all(apart(access, other, depth + 1, [(level, greater)]) for greater in (False, True))


def at(equation: Equation, env: Mapping[Atom, Atom]) -> list[Atom]:
    """Record the places that an equation adds to, outside the loop."""

    def outside(x: Atom) -> Atom:
        if isinstance(x, Literal) or x in env:
            return env.get(x, x)
        return x.equation.primitive(*map(outside, x.equation.inputs), **x.equation.params)

    return [outside(x) for x in equation.inputs[2:]]


def carrying(body: Program, sums: Mapping[int, Equation]) -> Program:
    """Return a body that carries sums instead of adding to elements."""
    totals = {equation: Var(equation.inputs[1].type) for equation in sums.values()}
    ends: dict[Equation, Atom] = {}
    env = Env({var: Var(var.type) for var in body.inputs})
    inputs = [*env.values(), *totals.values()]
    with Recorder() as recorder:
        for equation in body.equations:
            recorder.source = equation.source
            if equation in totals:
                base, value, *_ = env.read_all(equation.inputs)
                ends[equation] = totals[equation] + value
                env[equation.outputs[0]] = base
            else:
                env.repeat(equation, recorder)
    return Program(inputs, recorder.equations, [*env.read_all(body.outputs), *[ends[equation] for equation in totals]])
