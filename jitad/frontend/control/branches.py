"""Branches: `if` statements and expressions, `and`, `or`, `not`.

In: a condition and two bodies. Out: what the one that is chosen does; if the condition is only known when the compiled function runs,
both are traced, and each value that either changes becomes a choice between the two. Invariant: an operand or arm that is not
taken has no effect: it does not fail, and contributes nothing to a derivative.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from jitad.frontend.array import Array, to_atom, wrap
from jitad.frontend.cells import is_traced
from jitad.frontend.control.appended import Appended
from jitad.frontend.control.bodies import Pass, State, choice, commit_all
from jitad.frontend.control.catching import NONE_RAISED, Unwound, attempts, caught, is_raised, resumed
from jitad.frontend.control.choices import Choices, is_whole, unchangeable_choice
from jitad.frontend.control.growth import longest, settle, with_room
from jitad.frontend.control.likeness import Template, common, fitted, placed, template
from jitad.frontend.control.names import bind_partly, is_partial
from jitad.frontend.control.pictures import (
    Picture,
    ShapesDiffer,
    StructuresDiffer,
    converted,
    joined,
    kind_of_leaf,
    placeholders,
)
from jitad.frontend.control.raising import raise_where
from jitad.frontend.control.signals import NONE, NOTHING, RAISE, RAISED, RETURN, Signal, codes, is_none, returning
from jitad.frontend.control.state import LENGTH, UNSET, NameSlot, Site
from jitad.frontend.extents import extent_of
from jitad.frontend.guards import same as same_value
from jitad.frontend.programs import Leaf
from jitad.frontend.promotion import cast
from jitad.frontend.trace import Trace, current_trace
from jitad.frontend.trees import OBJECTS, flatten
from jitad.frontend.undefined import Undefined
from jitad.frontend.variants import Variant, settled
from jitad.frontend.views import reshaped
from jitad.ir import errors
from jitad.ir.program import Atom, literal
from jitad.ir.source import user_source
from jitad.ir.types import BOOL, INT
from jitad.primitives.comparisons import eq

NO_SITE = Site(())


def truth(test):
    """Return what decides about a condition: of a list in arrays, its length."""
    if isinstance(test, Variant):
        return test.truth()
    return test.length() > 0 if isinstance(test, Appended) else test


def decided(test) -> bool | None:
    """Return whether a condition holds, None if that is only known when the compiled function runs."""
    test = truth(test)
    if is_traced(test):
        with contextlib.suppress(errors.ConcreteValueError):
            return bool(test)
        return None
    return bool(test)


def condition(test: Array) -> Atom:
    """Return a traced condition as a boolean atom."""
    return reshaped(cast(to_atom(truth(test)), BOOL), ())


def nothing() -> None:
    return None


# --- statements -------------------------------------------------------------------------------------------------------------------


def branch(test, then: Callable | None, otherwise: Callable | None, site: tuple) -> Signal | None:
    """Run one of two bodies, or stage the choice."""
    holds = decided(test)
    arms = (otherwise or nothing, then or nothing)
    if holds is not None:
        return arms[holds]()
    site = Site(*site)
    refuse_globals(site)
    return chosen_arm(condition(test), arms, State((then, otherwise), (site,)))


def chosen_arm(test: Atom, arms: Sequence[Callable], state: State) -> Signal | None:
    """Trace two bodies and record the choice between them, the first for a `test` that does not hold; of one that raises, the other remains.

    What a `try` statement handles ends the arm that raises it; if both do, nothing after it is reached.
    """
    def construct():
        saved = state.save()
        passes = []
        for taken, arm in enumerate(arms):
            try:
                passes.append(Pass(functools.partial(caught, arm), state, saved, functools.partial(assume, test, bool(taken))))
            except Exception as error:
                if not is_raised(error):
                    raise
                raise_where(test if taken else ~test, error)
                assume(test, not taken, current_trace())
                return arms[not taken]()
        return merged(test, passes, state, saved)

    signal = with_room(construct, state)
    if signal is not None and signal.known and signal.code == RAISE:
        raise Unwound
    return signal


def assume(test: Atom, holds: bool, trace: Trace) -> None:
    """Note that a condition is known to hold, or not to."""
    trace.assumed.append((test, holds))


def refuse_globals(site: Site) -> None:
    if site.outermost:
        raise errors.ControlFlowError(
            f"the global name {site.outermost[0]} is set in control flow that is decided when the compiled function runs; return the value "
            "from the function instead")


def merged(test: Atom, arms: list[Pass], state: State, saved) -> Signal | None:
    """Record the choice between two traced arms, and give names, entries and cells their new values."""
    settle(longest(arms))
    groups: list[tuple] = []
    columns: tuple[list[Atom], list[Atom]] = [], []

    def add(pictures: list[Picture], label: str) -> tuple:
        try:
            kinds = joined(*pictures)
        except (ShapesDiffer, StructuresDiffer) as error:
            raise errors.ControlFlowError(
                f"{label} is not of one kind in both arms of the branch: {error.args[0]}; whether the branch is taken is only known when "
                "the compiled function runs, so both arms must give values of one shape and structure") from None
        start = len(columns[0])
        for arm, column, p in zip(arms, columns, pictures, strict=True):
            with arm.trace.recorder:
                column += converted(p, kinds)
        return pictures[0].treedef, kinds, slice(start, len(columns[0]))

    for slot in state.slots:
        values = [arm.values[slot] if slot in arm.values else saved.values[slot] for arm in arms]
        if values[0] is values[1] or (not is_traced(values[0]) and same_value(*values)):
            slot.set(values[0])
        elif slot.label == LENGTH and (added := same_length(slot, arms, saved)) is not None:
            slot.set(saved.values[slot] + added)
        elif isinstance(slot, NameSlot) and is_partial(values) and not can_stand(slot, values, state):
            if bind_partly(slot, arms, values):
                groups.append((slot, *add([arm.picture_of(slot) for arm in arms], slot.label)))
            else:
                slot.set(Undefined(slot.label, user_source().short))
        elif any(value is UNSET for value in values) and not can_stand(slot, values, state):
            slot.set(Undefined(slot.label, user_source().short))
        else:
            for arm, value in zip(arms, values, strict=True):
                arm.values[slot] = value
            if all(value is not UNSET for value in values):
                make_alike(arms, slot)
            groups.append((slot, *add(both([None if arm.values[slot] is UNSET else arm.picture_of(slot) for arm in arms], arms), slot.label)))
    cells = list(dict.fromkeys(cell for arm in arms for cell in arm.trace.written))
    start = len(columns[0])
    for arm, column in zip(arms, columns, strict=True):
        column += [arm.trace.end(cell) for cell in cells]
    cell_places = slice(start, len(columns[0]))
    finish = merge_signals(test, arms, add, columns, saved)
    choices = Choices(test)
    given = [[arm.values[slot] for arm in arms] for slot, *_ in groups]
    returned = [UNSET if arm.signal is None or arm.signal.value is NOTHING else arm.signal.value for arm in arms]
    for values in (*given, returned):
        choices.add(values)
    choices.relate(columns)
    outputs = choice(test, arms, columns)
    commit_all([arm.trace for arm in arms], cells, outputs[cell_places])
    for (slot, treedef, kinds, places), values in zip(groups, given, strict=True):
        slot.set(unchangeable_choice(Picture(treedef, kinds, []).rebuilt(outputs[places]), values, saved.containers.others(slot)))
    signal = finish(outputs)
    results = [*(slot.get() for slot, *_ in groups), UNSET if signal is None or signal.value is NOTHING else signal.value]
    choices.finish(results, outputs)
    note_images(test, zip(results, [*given, returned], strict=True))
    return signal


def note_images(test: Atom, chosen: Iterable[tuple[Any, list]]) -> None:
    """Note which arrays those are that a branch in the body of a loop gives, each with what it is in the two arms."""
    images = current_trace().images
    for x, values in chosen if images is not None else ():
        if all(map(is_whole, (x, *values))):
            images[x.cell] = test, *[y.cell for y in values]


def make_alike(arms: list[Pass], slot) -> None:
    """Give the values of a place at the ends of both arms one structure, if they have different ones."""
    t = common_template([arm.picture_of(slot) for arm in arms])
    for arm in arms if t is not None else ():
        arm.fit(slot, t)


def alike_results(arms: list[Pass]) -> list[Signal]:
    """Do the same to the returned values, and return the signals."""
    t = common_template([arm.result for arm in arms])
    for arm in arms if t is not None else ():
        with arm.trace.recorder:
            arm.result = fitted(arm.result, t)
        arm.signal = arm.signal._replace(value=placed(arm.signal.value, t))
    return [arm.signal for arm in arms]


def common_template(pictures: list[Picture]) -> Template | None:
    """Return what is to be the structure of two values, None if they have one, or cannot have one."""
    try:
        joined(*pictures)
    except ShapesDiffer:
        return None
    except StructuresDiffer:
        with contextlib.suppress(ShapesDiffer, StructuresDiffer):
            return common(*map(template, pictures))
    return None


def same_length(slot, arms: Sequence[Pass], saved) -> int | None:
    """Return by how much the length of a list grows in both arms, None if that differs or is not known."""
    before = extent_of(saved.values[slot])
    added = {(extent_of(arm.picture_of(slot).atoms[0]) - before).number if slot in arm.values else 0 for arm in arms}
    return added.pop() if len(added) == 1 else None


def merge_signals(test: Atom, arms: list[Pass], add: Callable, columns, saved) -> Callable[[list[Atom]], Signal | None]:
    """Add what the arms' signals hold to the choice; return the function that makes the signal of its outputs."""
    signals = [arm.signal for arm in arms]
    possible = codes(signals[0]) | codes(signals[1])
    if signals == [None, None]:
        return lambda outputs: None
    if all(p is not None for p in (arm.result for arm in arms)):
        signals = alike_results(arms)
    results = [arm.result for arm in arms]
    group = add(both(results, arms), "the returned value") if any(p is not None for p in results) else None
    place = len(columns[0])
    for signal, column in zip(signals, columns, strict=True):
        if len(possible) > 1:
            column.append(literal(NONE, INT) if signal is None else signal.atom)

    def finish(outputs: list[Atom]) -> Signal:
        value = NOTHING
        if group is not None:
            given = [signal.value for signal in signals if signal is not None and signal.value is not NOTHING]
            value = unchangeable_choice(Picture(group[0], group[1], []).rebuilt(outputs[group[2]]), given, saved.containers.others(None))
        code = next(iter(possible)) if len(possible) == 1 else outputs[place]
        return Signal(code, value, possible)

    return finish


def can_stand(slot, values: list, state: State) -> bool:
    """Return whether zeros can stand for the value of a name in the arm that gives it none, since nothing reads it from there."""
    return isinstance(slot, NameSlot) and slot.label in state.assured and all(
        isinstance(kind_of_leaf(leaf), Leaf) for value in values if value is not UNSET for leaf in flatten(value, OBJECTS)[0])


def both(pictures: list[Picture | None], arms: list[Pass]) -> list[Picture]:
    """Return the pictures, with zeros in the place of one that is not there."""
    (known, *_) = [p for p in pictures if p is not None]
    result = []
    for p, arm in zip(pictures, arms, strict=True):
        with arm.trace.recorder:
            result.append(absent(known) if p is None else p)
    return result


def absent(p: Picture) -> Picture:
    """Return zeros in the place of a value that is not there."""
    atoms = iter(placeholders(p.kinds))
    return Picture(p.treedef, p.kinds, [None if atom is None else next(atoms) for atom in p.atoms])


def after(signal: Signal | None, rest: Callable, site: tuple) -> Signal | None:
    """Run the statements after one that gave `signal`, unless it leaves them out."""
    if signal is None:
        return rest()
    if signal.known:
        return signal
    return chosen_arm(is_none(signal), [lambda: signal_left(signal), functools.partial(resumed, rest)], State((rest,), (Site(*site),)))


def signal_left(signal: Signal) -> Signal:
    """Return a signal where it is known to be one."""
    possible = signal.possible - {NONE}
    return Signal(next(iter(possible)) if len(possible) == 1 else signal.code, signal.value, possible)


def unless_raised(function: Callable) -> Callable:
    """Return a function that is left out where the same statement has raised an exception that is handled."""

    @functools.wraps(function, updated=())
    def call(*args, **kwargs):
        found = attempts()
        if not found or not found[-1].pending:
            return function(*args, **kwargs)

        def run():
            return returning(function(*args, **kwargs))

        test = eq(found[-1].atom, NONE_RAISED)
        return chosen_arm(test, [lambda: RAISED, functools.partial(resumed, run)], State((run,), ())).value

    return call


def result(signal: Signal | None):
    """Return what the function returns that ends with `signal`."""
    if signal is None or signal.value is NOTHING:
        return None
    if signal.possible <= {RETURN, RAISE}:
        return signal.value
    return chosen(wrap(is_none(signal)), nothing, lambda: signal.value)


# --- expressions -------------------------------------------------------------------------------------------------------------------


def choose(test, then: Callable, otherwise: Callable):
    """``then() if test else otherwise()``."""
    holds = decided(test)
    if holds is not None:
        return then() if holds else otherwise()
    return chosen(test, then, otherwise)


def chosen(test: Array, then: Callable, otherwise: Callable):
    """Stage the choice between the values of two expressions."""
    arms = [functools.partial(giving, arm) for arm in (otherwise, then)]
    return chosen_arm(condition(test), arms, State((then, otherwise), ())).value


def giving(arm: Callable) -> Signal:
    return returning(arm())


def all_of(first, *others: Callable):
    """``first and others[0]() and ...``."""
    while others:
        first = first if isinstance(first, Variant) else truth(first)
        holds = decided(first)
        if holds is None:
            return chosen(first, functools.partial(following, all_of, others), functools.partial(same, first))
        if not holds:
            return first
        first, others = others[0](), others[1:]
    return first


def any_of(first, *others: Callable):
    """``first or others[0]() or ...``."""
    while others:
        first = first if isinstance(first, Variant) else truth(first)
        holds = decided(first)
        if holds is None:
            return chosen(first, functools.partial(same, first), functools.partial(following, any_of, others))
        if holds:
            return first
        first, others = others[0](), others[1:]
    return first


def following(combine: Callable, operands: tuple):
    return combine(operands[0](), *operands[1:])


def same(x):
    return settled(x)


def not_(x):
    holds = decided(x)
    return wrap(~condition(x), weak=True) if holds is None else not holds


def known(test):
    """Return what decides how many elements are looked at, which bind a name."""
    if decided(test) is None:
        raise errors.ControlFlowError("a name that is bound by := within any() or all() has the value of the element that decides, which is only "
                                      "known when the compiled function runs; write a loop with break")
    return test


def assertion(test, message: Callable = nothing) -> bool:
    """Return whether an assertion holds; one that is only known when the compiled function runs is checked there."""
    holds = decided(test)
    if holds is None:
        text = message()
        raise_where(~condition(test), AssertionError() if text is None else AssertionError(text))
    return holds is not False
