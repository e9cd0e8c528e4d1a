"""Part of a function as one equation.

In: a function and its arguments; it is run once, in a body of its own. Out: its result. Invariant: what it does to names, containers and
arrays around it is done; values that were there before, or are not traced, stay the objects that they are.
"""

from __future__ import annotations

from collections.abc import Callable

from jitad.frontend.arrays.array import Array
from jitad.frontend.control.bodies import Pass, State, commit_all
from jitad.frontend.control.lists.growth import settle, with_room
from jitad.frontend.control.pictures import Picture, presented
from jitad.frontend.control.signals import returning
from jitad.frontend.tracing.programs import Leaf
from jitad.frontend.tracing.trees import OBJECTS, flatten, unflatten
from jitad.ir.primitive import Primitive
from jitad.ir.program import Atom, Program
from jitad.primitives.control.bodies import close


class Exports:
    """The values that a body hands out, as the list `atoms` of its outputs."""

    def __init__(self, body):
        self.body = body
        self.atoms: list[Atom] = []

    def add(self, value, picture: Picture) -> Callable[[list[Atom]], object]:
        """Let what is new in a value be outputs; return the function that makes the value of them."""
        leaves, treedef = flatten(value, OBJECTS)
        places: dict[int, int] = {}
        for k, (leaf, atom) in enumerate(zip(leaves, picture.atoms, strict=True)):
            if isinstance(leaf, Array) and leaf.cell.trace is self.body:
                places[k] = len(self.atoms)
                self.atoms.append(atom)
        kinds = picture.kinds
        return lambda outputs: unflatten(treedef, [
            presented(outputs[places[k]], kinds[k]) if k in places else leaf for k, leaf in enumerate(leaves)])

    def add_picture(self, picture: Picture) -> Callable[[list[Atom]], object]:
        """Let all of a value be outputs."""
        first = len(self.atoms)
        self.atoms += [atom for atom, kind in zip(picture.atoms, picture.kinds, strict=True) if isinstance(kind, Leaf)]
        return lambda outputs: picture.rebuilt(outputs[first:])


def as_equation(function: Callable, args: tuple, kwargs: dict, primitive: Primitive):
    """Return ``function(*args, **kwargs)``, recorded as one equation of `primitive`, which has the Program in its parameter `program`."""
    def body():
        return returning(function(*args, **kwargs))

    state = State((body,), ())
    return with_room(lambda: recorded(body, state, primitive), state)


def recorded(body: Callable, state: State, primitive: Primitive):
    saved = state.save()
    run = Pass(body, state, saved, appends=True)
    settle(run.longer)
    exports = Exports(run.trace)
    result = exports.add(run.signal.value, run.result)
    slots = [(slot, exports.add(run.values[slot], run.picture_of(slot))) for slot in state.slots
             if run.values[slot] is not saved.values[slot]]
    grown = [(x, list(map(exports.add_picture, pictures))) for x, pictures in run.grown]
    first = len(exports.atoms)
    program, free = close(Program([], run.equations, [*exports.atoms, *run.trace.written.values()]), 0)
    outputs = primitive(*free, program=program) if program.outputs else []
    commit_all([run.trace], list(run.trace.written), outputs[first:])
    for slot, make in slots:
        slot.set(make(outputs))
    for x, made in grown:
        x.extend(make(outputs) for make in made)
    return result(outputs)
