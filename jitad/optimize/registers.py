"""Elements that every trip of a loop adds to are summed up in a register.

In and out: a Program. ``a[i, k] += x`` in a loop over j reads and writes memory in every trip, and each trip waits for the one before it; if no other
access of the loop reaches the element, it is read before the loop, carried as a scalar, and written after it. If others may reach it, but all that
the loop does to the array is adding to elements of it, what these trips add to this one is summed up apart, and added after the loop. Invariant:
results stay the same; to the last bit unless sums may be added up in another order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jitad.ir.lowering import Pointwise
from jitad.ir.program import Atom, Equation, Literal, Program, Var
from jitad.ir.recorder import Env, Recorder, rewrite
from jitad.ir.types import COUNTER, ArrayType
from jitad.primitives.control.affine import Affine, read_equation
from jitad.primitives.control.branches import cond
from jitad.primitives.control.lasting import Access, Level, Path, Survey, apart, loop_level, scalars_of
from jitad.primitives.control.loops import loop
from jitad.primitives.elementwise.comparisons import gt
from jitad.primitives.structural.indexing import gather, scatter, scatter_add
from jitad.primitives.structural.shaping import reshape
from jitad.primitives.structural.spans import Span
from jitad.primitives.structural.windows import window, window_add, window_update

ADDITIONS = (scatter_add, window_add)


@dataclass(frozen=True)
class Total:
    """An element that an equation adds to in every trip; if it is `alone` in reaching it, the total begins with what is there."""

    equation: Equation
    alone: bool

    @property
    def nothing(self) -> Literal:
        """What may be added to any number without changing it."""
        return Literal(self.equation.inputs[1].dtype.type(-0.0))

    def read(self, array: Atom, *places: Atom) -> Atom:
        spans = self.equation.params.get("spans")
        return gather(array, *places) if spans is None else in_shape(window(array, *places, spans=spans), ())

    def write(self, array: Atom, total: Atom, *places: Atom) -> Atom:
        """Record what the loop leaves: the total, or what it is with that added."""
        params = self.equation.params
        if "spans" not in params:
            return scatter(array, total, *places, unique=True) if self.alone else scatter_add(array, total, *places, unique=True)
        return (window_update if self.alone else window_add)(array, in_shape(total, self.equation.inputs[1].shape), *places, **params)


def sum_in_registers(program: Program, in_order: bool) -> Program:
    """Return `program` with such elements as carried scalars, in all its loops; only those that nothing else reaches, if `in_order`."""
    return visit(program, {}, (), in_order)


def visit(program: Program, known: Mapping[Atom, Affine], path: Path, in_order: bool) -> Program:
    """Return a body, whose integers in `known` are affine in the levels of `path`, with its loops changed."""
    if not any(equation.primitive is loop for equation in program.equations):
        return program
    known = dict(known)

    def rule(equation: Equation, inputs: list[Atom]):
        value = read_equation(equation, known)
        if value is not None:
            known[equation.outputs[0]] = value
        return changed(equation, inputs, known, path, in_order) if equation.primitive is loop else None

    return rewrite(program, rule)


def changed(equation: Equation, inputs: Sequence[Atom], known: Mapping[Atom, Affine], path: Path, in_order: bool) -> Sequence[Var]:
    """Record a loop with sums in registers."""
    params = dict(equation.params)
    level = loop_level(equation.inputs[0], params["length"], params["reverse"], known)
    body, operands = params["body"], equation.inputs[1:]
    scalars = scalars_of(body.inputs[1:], operands, known) | {body.inputs[0]: Affine(0, {level: 1})}
    body = visit(body, scalars, (*path, (level, 0.0)), in_order)
    first = 1 + params["consts"]
    sums = [(place, total) for place, var in enumerate(body.inputs[first:]) if var.ndim
            for total in elements(body, var, scalars, path, level, in_order)]  # fmt: skip
    if not sums:
        return loop(*inputs, **{**params, "body": body})
    env = dict(zip(body.inputs, [None, *inputs[1:]], strict=True))
    runs = None if isinstance(inputs[0], Literal) and inputs[0].value > 0 else gt(inputs[0], 0)
    places = [at(total.equation, env) for _, total in sums]
    starts = [where(runs, total.read, [inputs[first + k], *at_], 0.0) if total.alone else total.nothing
              for (k, total), at_ in zip(sums, places, strict=True)]  # fmt: skip
    results = loop(*inputs, *starts, **{**params, "body": carrying(body, [total.equation for _, total in sums])})
    outputs = list(results[: len(body.outputs)])
    for (k, total), at_, value in zip(sums, places, results[len(body.outputs) :], strict=True):
        outputs[k] = where(runs, total.write, [outputs[k], value, *at_], None)
    return outputs


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


def elements(body: Program, var: Var, known: Mapping[Atom, Affine], path: Path, level: Level, in_order: bool) -> list[Total]:
    """Return the elements of a carried array that are added to in every trip and that nothing else in the loop reads or overwrites."""
    constants = body.inputs[1 : len(body.inputs) - len(body.outputs)]
    candidates = [equation for equation in body.equations if is_sum(equation, constants)]
    if not candidates:
        return []
    survey = Survey()
    states = survey.walk(body, {var: var}, known, path, level)
    place = body.inputs.index(var) - 1 - len(constants)
    if survey.spoilt or survey.loose or states.get(body.outputs[place]) is not var:
        return []
    accesses = [*survey.found.get(var, ()), *survey.stale.get(var, ())]
    own = [access for access in accesses if access.equation in candidates]
    if not in_order and all(access.equation.primitive in ADDITIONS for access in accesses):
        return [Total(access.equation, False) for access in own]
    return [Total(access.equation, True) for access in own
            if all(alone(access, other, len(path), level) for other in accesses if other is not access)]  # fmt: skip


def is_sum(equation: Equation, constants: Sequence[Var]) -> bool:
    """Whether an equation adds to the same element in every trip."""
    if equation.primitive not in ADDITIONS:
        return False
    base, new, *places = equation.inputs
    single = all(map(is_index_or_place, equation.params["spans"])) if "spans" in equation.params else len(places) == base.ndim
    return single and new.type.size == 1 and new.dtype == base.dtype and all(x.type == COUNTER and is_constant(x, constants) for x in places)


def is_index_or_place(span: Span) -> bool:
    return span.extent == 1 and not span.counted


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


def carrying(body: Program, sums: Sequence[Equation]) -> Program:
    """Return a body that carries sums instead of adding to elements."""
    totals = {equation: Var(ArrayType(equation.inputs[1].dtype)) for equation in sums}
    ends: dict[Equation, Atom] = {}
    env = Env({var: Var(var.type) for var in body.inputs})
    inputs = [*env.values(), *totals.values()]
    with Recorder() as recorder:
        for equation in body.equations:
            recorder.source = equation.source
            if equation in totals:
                base, value, *_ = env.read_all(equation.inputs)
                ends[equation] = totals[equation] + in_shape(value, ())
                env[equation.outputs[0]] = base
            else:
                env.repeat(equation, recorder)
    return Program(inputs, recorder.equations, [*env.read_all(body.outputs), *[ends[equation] for equation in totals]])


def in_shape(x: Atom, shape: tuple[int, ...]) -> Atom:
    return x if x.shape == shape else reshape(x, shape=shape)
