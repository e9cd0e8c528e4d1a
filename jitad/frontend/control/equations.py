"""The equations of loops: bodies closed over what they use, with the tests that end them early.

In: a body as a Program of what is held and what is carried; Vars of the enclosing traces, and the trip number, are free in it. Out: an
equation, and the values carried at its end. `code` is the Var of the signal by which a trip may end the loop.
"""

from __future__ import annotations

from jitad.frontend.control.signals import Signal, is_none
from jitad.ir.lowering import UNBOUNDED
from jitad.ir.program import Atom, Program, Var, literal
from jitad.ir.recorder import Recorder, build
from jitad.ir.types import BOOL, INT
from jitad.primitives.control import cond, loop, while_
from jitad.primitives.control.bodies import close, unite


def emit_loop(counter: Var, body: Program, count: Atom, most: int | None, held: int, held_starts, operands,
              code: Var | None) -> tuple[Atom, list[Atom]]:
    """Record a loop of `count` trips, at most `most` if that is known, or fewer if a trip ends it; return how many trips it makes, too."""
    if code is not None:
        return emit_while(counter, body, None, count, most, held, held_starts, operands, code)
    body, free = close(counted(body, counter), 1)
    operands = [count, *free, *held_starts, *operands]
    return count, loop(*operands, body=body, length=UNBOUNDED if most is None else most, consts=len(free) + held, reverse=False)


def emit_while(counter: Var, body: Program, test: Program | None, count: Atom | None, most: int | None, held: int, held_starts, operands,
               code: Var | None) -> tuple[Atom, list[Atom]]:
    """Record a loop of trips as long as the test holds and none of them has ended it, and no more than `count`; return how many there are, too."""
    test = test or Program([], [], [literal(True, BOOL)])
    (body, test), free = unite([counted(body, counter), counted(Program(body.inputs, test.equations, test.outputs), counter)], 1)
    limit = literal(UNBOUNDED, INT) if count is None else count
    trips, *found = while_(limit, *free, *held_starts, *operands, test=unless_ended(test, code), body=body,
                           length=UNBOUNDED if most is None else most, consts=len(free) + held)
    return trips, found


def counted(program: Program, counter: Var) -> Program:
    return Program([counter, *program.inputs], program.equations, program.outputs)


def unless_ended(test: Program, code: Var | None) -> Program:
    """Return a test that does not hold once `code` is that of a signal."""
    if code is None:
        return test
    with Recorder() as recorder:
        goes_on = is_none(Signal(code))
        if test.equations:
            no = build(lambda *xs: [literal(False, BOOL)], test.input_types)
            (goes_on,) = cond(goes_on, *test.inputs, branches=(no, test))
    return Program(test.inputs, recorder.equations, [goes_on])
