"""The equations of loops: bodies closed over what they use, with the tests that end them early.

In: a body as a Program of what is held and what is carried; Vars of the enclosing traces are free in it. Out: an equation, and the values
carried at its end. `code` is the Var of the signal by which a trip may end the loop.
"""

from __future__ import annotations

from jitad.frontend.control.signals import Signal, is_none
from jitad.ir.program import Atom, Program, Var, literal
from jitad.ir.recorder import Recorder, build
from jitad.ir.types import BOOL
from jitad.primitives.comparisons import lt
from jitad.primitives.control import cond, loop, while_


def closed(inputs: list[Var], program: Program) -> Program:
    return Program(inputs, program.equations, program.outputs)


def free_of(*programs: Program, known: set) -> list[Var]:
    return list(dict.fromkeys(var for program in programs for var in program.free_vars() if var not in known))


def emit_loop(counter: Var, body: Program, length: int, held: int, held_starts, operands, code: Var | None) -> list[Atom]:
    free = free_of(body, known={counter})
    body = unless_ended(Program([counter, *free, *body.inputs], body.equations, body.outputs), 1 + len(free) + held, code)
    return loop(*free, *held_starts, *operands, body=body, length=length, consts=len(free) + held, reverse=False)


def emit_while(body: Program, test: Program, held: int, held_starts, operands, code: Var | None) -> list[Atom]:
    known = set(body.inputs)
    free = free_of(body, test, known=known)
    inputs = [*free, *body.inputs]
    decide = closed(inputs, test)
    if code is not None:
        with Recorder() as recorder:
            outputs = cond(is_none(Signal(code)), *inputs,
                           branches=(build(lambda *xs: [literal(False, BOOL)], [x.type for x in inputs]), decide))
        decide = Program(inputs, recorder.equations, outputs)
    return while_(*free, *held_starts, *operands, test=decide, body=closed(inputs, body), consts=len(free) + held)


def while_below(counter: Var, length: Atom, body: Program, held: int) -> Program:
    """Return a body that leaves what it carries as it is in trips from `length` on."""
    free = free_of(body, known=set())
    whole = Program([*free, *body.inputs], body.equations, body.outputs)
    inputs = [Var(x.type) for x in body.inputs]
    first = len(free) + held
    unchanged = build(lambda *xs: list(xs[first:]), whole.input_types)
    with Recorder() as recorder:
        outputs = cond(lt(counter, length), *free, *inputs, branches=(unchanged, whole))
    return Program(inputs, recorder.equations, outputs)


def unless_ended(body: Program, first: int, code: Var | None) -> Program:
    """Return a body that leaves what it carries, its inputs from `first` on, as it is once `code` is that of a signal."""
    if code is None:
        return body
    inputs = [Var(x.type) for x in body.inputs]
    place = body.inputs.index(code)
    unchanged = build(lambda *xs: list(xs[first:]), [x.type for x in inputs])
    with Recorder() as recorder:
        outputs = cond(is_none(Signal(inputs[place])), *inputs, branches=(unchanged, body))
    return Program(inputs, recorder.equations, outputs)
