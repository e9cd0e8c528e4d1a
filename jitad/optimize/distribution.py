"""What a loop computes ahead of, or after, what its trips hand on to each other is computed in loops of its own, which vectorise.

In and out: a Program. In ``a = exp(-t[i]) * (1 + a); s += log(a)`` each trip waits for the `a` of the one before it, but not the exponential, and
nothing waits for the logarithm: a first loop stores exponentials, a second one reads them and stores each `a`, and a third one takes logarithms.
Long loops are run block by block, so that what is stored stays in the cache. Invariant: the same operations on the same numbers; only additions to
sums may be reordered later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from jitad.ir.dataflow import leading_to
from jitad.ir.lowering import Pointwise, Pull, Scatter
from jitad.ir.program import Atom, Equation, Literal, Program, Var, literal
from jitad.ir.recorder import Env, Recorder, current, rewrite
from jitad.ir.types import COUNTER, INT
from jitad.optimize.bodies import optimize_bodies
from jitad.primitives.control.loops import loop
from jitad.primitives.control.undefined import empty
from jitad.primitives.structural.indexing import gather, scatter, scatter_add

WORTH = 10.0  # additions per trip that pay for a loop of their own
CHEAP = 6.0  # what is computed again rather than stored
MOST = 4  # values stored per trip between two loops
SHORTEST, LONGEST, BLOCK = 32, 4096, 1024
SUMS = {"add": (0, 1), "sub": (0,), "muladd": (2,)}  # the operands that may be the sum so far
WRITES = (scatter, scatter_add)


def distribute(program: Program) -> Program:
    """Return `program` with such loops in parts, however deep."""
    program = optimize_bodies(program, distribute)
    if not any(equation.primitive is loop for equation in program.equations):
        return program

    def rule(equation: Equation, inputs: list[Atom]):
        parts = cut(equation) if equation.primitive is loop else None
        return None if parts is None else in_blocks(equation, inputs, parts)

    return rewrite(program, rule)


# --- what goes where -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parts:
    """The carried values, by number, that the loop in the middle and the last one hand on, and what is stored before each of these."""

    middle: list[int]
    last: list[int]
    ahead: list[Var]
    behind: list[Var]


def cut(equation: Equation) -> Parts | None:
    """Return how to cut a loop; None to leave it whole."""
    body, count = equation.params["body"], equation.inputs[0]
    length = equation.params["length"]
    if length < SHORTEST or length > LONGEST and not isinstance(count, Literal) or not all(map(is_scalar_work, body.equations)):
        return None
    first = 1 + equation.params["consts"]
    carried = body.inputs[first:]
    last = [k for k, x in enumerate(carried) if is_at_end(body, k, x)]
    middle = [k for k in range(len(carried)) if k not in last]
    if all(carried[k].shape for k in middle):
        return None
    after = reached(body.equations, {carried[k] for k in middle})
    before = {*leading_to(body.equations, [body.outputs[k] for k in middle])}
    waiting = [e for e in body.equations if e in after and e in before]
    rest = [e for e in body.equations if e not in before]
    early = [x for x in used(waiting, [body.outputs[k] for k in middle]) if x.equation in before - after]
    ahead = [x for x in early if work(leading_to(body.equations, [x])) > CHEAP]
    made = {x for e in waiting for x in e.outputs} | {carried[k] for k in middle}
    behind = [x for x in used(rest, [body.outputs[k] for k in last]) if x in made]
    if len(ahead) > MOST or price(leading_to(body.equations, ahead)) < WORTH:
        ahead = []
    if len(behind) > MOST or any(x.shape for x in behind) or price(rest) < WORTH:
        middle, last, behind = [*range(len(carried))], [], []
    return Parts(middle, last, ahead, behind) if ahead or behind else None


def is_scalar_work(equation: Equation) -> bool:
    """Whether an equation computes or writes one number."""
    record = equation.primitive.lower
    if isinstance(record, Scatter):
        return equation.primitive in WRITES and equation.inputs[1].type.size == 1
    return isinstance(record, Pointwise | Pull) and len(equation.outputs) == 1 and not equation.outputs[0].shape


def is_at_end(body: Program, k: int, carried: Var) -> bool:
    """Whether a carried number only grows, or elements of a carried array are only written: nothing else depends on them."""
    x = carried
    while body.outputs[k] is not x:
        (user, *others) = [equation for equation in body.equations for y in equation.inputs if y is x] or [None]
        if user is None or others or x in body.outputs:
            return False
        if carried.shape and not (user.primitive in WRITES and user.inputs[0] is x):
            return False
        if not carried.shape and not any(user.inputs[place] is x for place in SUMS.get(user.primitive.name, ())):
            return False
        (x,) = user.outputs
    return x is not carried and body.outputs.count(x) == 1 and not any(x in equation.inputs for equation in body.equations)


def reached(equations: Iterable[Equation], variables: set[Var]) -> set[Equation]:
    """Return the equations that depend on variables."""
    found, known = set(), set(variables)
    for equation in equations:
        if any(x in known for x in equation.inputs):
            found.add(equation)
            known.update(equation.outputs)
    return found


def used(equations: Iterable[Equation], outputs: Sequence[Atom]) -> list[Var]:
    """Return what equations read, and outputs, each once."""
    atoms = [x for equation in equations for x in equation.inputs] + list(outputs)
    return list(dict.fromkeys(x for x in atoms if isinstance(x, Var)))


def work(equations: Iterable[Equation]) -> float:
    return sum(getattr(equation.primitive.lower, "cost", 0.0) for equation in equations)


def price(equations: Iterable[Equation]) -> float:
    """Return the most that one of the operations among equations takes, and half of what the others take."""
    costs = sorted(getattr(equation.primitive.lower, "cost", 0.0) for equation in equations)
    return sum(costs[-1:]) + sum(costs[:-1]) / 2


# --- the loops -----------------------------------------------------------------------------------------------------------------------


def in_blocks(equation: Equation, inputs: Sequence[Atom], parts: Parts) -> list[Atom]:
    """Record a loop in parts, block by block; what is left of a long one runs as it is."""
    params, count = equation.params, inputs[0]
    held, carries = list(inputs[1 : 1 + params["consts"]]), list(inputs[1 + params["consts"] :])
    if params["length"] <= LONGEST:
        return in_parts(params, parts, count, held, carries, [])
    blocks, rest = divmod(params["length"], BLOCK)
    shifted = program_like(equation, lambda i, held, carries: trip(params["body"], [i + blocks * BLOCK, *held, *carries]))
    runs = [(blocks, block_body(equation, parts)), (rest, shifted)]
    for count, made in runs[::-1] if params["reverse"] else runs:
        if count:
            carries = loop(literal(count, INT), *held, *carries, **{**params, "body": made, "length": count})
    return list(carries)


def block_body(equation: Equation, parts: Parts) -> Program:
    """Return the body of the loop over blocks."""
    return program_like(equation, lambda b, held, carries: in_parts(
        {**equation.params, "length": BLOCK}, parts, literal(BLOCK, INT), held, carries, [b * BLOCK]))  # fmt: skip


def program_like(equation: Equation, function: Callable) -> Program:
    """Return a body of the same inputs as that of a loop, whose results ``function(counter, held, carries)`` gives."""
    inputs = [Var(x.type) for x in equation.params["body"].inputs]
    first = 1 + equation.params["consts"]
    with Recorder(equation.source) as recorder:
        outputs = function(inputs[0], inputs[1:first], inputs[first:])
    return Program(inputs, recorder.equations, outputs)


def trip(body: Program, inputs: Sequence[Atom]) -> list[Atom]:
    """Record one trip as it is."""
    return values(body, body.outputs, dict(zip(body.inputs, inputs, strict=True)))


def in_parts(params: dict, parts: Parts, count: Atom, held: list[Atom], carries: list[Atom], offset: list[Atom]) -> list[Atom]:
    """Record the loops of one block, whose trips are those of the whole from `offset` on, if there is one."""
    body, first, length = params["body"], 1 + params["consts"], params["length"]
    constants, carried = body.inputs[1:first], body.inputs[first:]
    results = list(carries)

    def run(numbers: list[int], stored: list[Var], read: dict[Var, Atom]) -> dict[Var, Atom]:
        """Record one loop, that hands on some carried values, stores others, and finds what was stored before; return what it stores."""
        stacks = [empty(shape=(length,), dtype=x.dtype) for x in stored]
        initial = [*offset, *held, *read.values(), *[results[k] for k in numbers], *stacks]
        inputs = [Var(COUNTER), *[Var(x.type) for x in initial]]
        k, formal = inputs[0], iter(inputs[1:])
        with Recorder(body.equations[0].source) as recorder:
            env = {body.inputs[0]: next(formal) + k if offset else k} | {x: next(formal) for x in constants}
            env |= {x: gather(next(formal), k) for x in read}
            env |= {carried[place]: next(formal) for place in numbers}
            targets = list(formal)
            found = values(body, [*[body.outputs[place] for place in numbers], *stored], env)
            outputs = found[: len(numbers)]
            outputs += [scatter(target, x, k, unique=True) for x, target in zip(found[len(numbers) :], targets, strict=True)]
        made = Program(inputs, recorder.equations, outputs)
        consts = len(initial) - len(numbers) - len(stacks)
        found = loop(count, *initial, body=made, length=length, consts=consts, reverse=params["reverse"])
        for place, result in zip(numbers, found, strict=False):
            results[place] = result
        return dict(zip(stored, found[len(numbers) :], strict=True))

    ahead = run([], parts.ahead, {}) if parts.ahead else {}
    behind = run(parts.middle, parts.behind, ahead)
    if parts.last:
        run(parts.last, [], ahead | behind)
    return results


def values(body: Program, atoms: Sequence[Atom], env: dict[Var, Atom]) -> list[Atom]:
    """Record what computes values of a body from those in `env`."""
    read, recorder = Env(env), current()
    for equation in leading_to(body.equations, atoms, env):
        read.repeat(equation, recorder)
    return read.read_all(atoms)
