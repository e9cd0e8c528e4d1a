"""Deciding which values are stored and which equations share a loop nest.

In: a Program. Out: a `Schedule`: groups of *roots*, the Vars that get a buffer, in an order in which they can be computed. All
other Vars are *inlined*: computed again, in registers, wherever they are used. Invariant: the iteration boxes of the roots of one group are
nearly the same, and those that read one another do so only at the same index of the same box.

The cost model: an inlined value is recomputed in each *context*, that is each (nest, index map) pair it is reached through. A value
whose recomputation would cost more than `STORE` additions per element over computing it once, and reading it in each, is made a root; one that
is written into a stored array anyway, and can be read there, if it costs more than `REREAD` additions.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from jitad.ir.lowering import Pointwise, Pull, Reduce, Scatter
from jitad.ir.program import Equation, Literal, Program, Var
from jitad.lower.fusion.levels import earliest_levels, latest_levels
from jitad.lower.fusion.order import values_to_keep
from jitad.lower.fusion.products import blas_operands
from jitad.lower.fusion.reads import SHORT, Reads, iteration_box, kind_of, terms_of
from jitad.lower.fusion.rereading import reread, written_parts

STORE = 9.0
REREAD = 2.0
LOAD = 1.0
COLUMN = 3.0  # what it costs to read an element of a column of an array
MOST = 1e4
CONTEXTS = 12
DEEPEST = 24
ROUNDS = 3


@dataclass(eq=False)
class Group:
    """Roots computed together. `kind` is ``nest``, ``recurrence``, ``scatter``, ``call``, ``control`` or ``undefined``.

    A nest has loops over `box`, in which the iteration boxes of the roots begin at `offsets`; each iteration runs up to `short` places of the
    axes that are not loops.
    """

    kind: str
    level: int
    box: tuple[int, ...]
    roots: list[Var] = field(default_factory=list)
    offsets: dict[Var, tuple[int, ...]] = field(default_factory=dict)
    short: int = 1


@dataclass(eq=False)
class Schedule:
    program: Program
    groups: list[Group]
    roots: set[Var]


def schedule(program: Program) -> Schedule:
    """Choose the roots and group them.

    What is stored decides the groups, and the groups what is worth storing. So values are first stored as the groups so far suggest;
    at last those that turn out to be read only in the nest that computes them are inlined again.
    """
    reads = Reads(program)
    plan = chosen(program, reads)
    again = reread(program, plan.roots, reads)
    return plan if again is None else chosen(again, Reads(again))


def chosen(program: Program, reads: Reads) -> Schedule:
    forced = forced_roots(program)
    forced |= values_to_keep(program, forced)
    forced |= deepest(program, forced)
    roots, groups = settle(program, reads, set(forced), None)
    for _ in range(ROUNDS):
        needless = read_only_where_computed(program, reads, roots, groups) - forced
        if not needless:
            break
        roots, groups = settle(program, reads, roots - needless, groups)
    return Schedule(program, groups, roots)


def settle(program: Program, reads: Reads, roots: set[Var], groups: list[Group] | None) -> tuple[set[Var], list[Group]]:
    """Store more values until the groups give no reason to store another."""
    while True:
        before = len(roots)
        promote(program, reads, roots, groups)
        if groups is not None and len(roots) == before:
            return roots, assign_groups(program, reads, roots)
        groups = assign_groups(program, reads, roots)


def read_only_where_computed(program: Program, reads: Reads, roots: set[Var], groups: list[Group]) -> set[Var]:
    """Return the roots whose every use is at the same index of the nest that computes them."""
    nest_of = {var: number for number, group in enumerate(groups) for var in group.roots}
    contexts: dict[Var, dict[tuple, int]] = defaultdict(dict)
    found: set[Var] = set()
    for equation in reversed(program.equations):
        for var in equation.outputs:
            own = contexts.pop(var, {})
            if var in roots:
                if kind_of(equation) == "inline" and own and set(own) == {(nest_of[var],)}:
                    found.add(var)
                own = {(nest_of[var],): max(var.type.size, 1)}
            reach(equation, reads, own, contexts)
    return found


def forced_roots(program: Program) -> set[Var]:
    """Outputs, results of anything but element rules, and operands that a library routine, a write or a reshape needs in memory."""
    roots = {atom for atom in program.outputs if isinstance(atom, Var)}
    for equation in program.equations:
        kind = kind_of(equation)
        if kind != "inline":
            roots.update(equation.outputs)
        if kind in ("call", "control"):
            operands = held_operands(equation) if kind == "control" else blas_operands(equation) or equation.inputs
            roots.update(storage(x) for x in operands if isinstance(x, Var))
        elif kind == "scatter" and isinstance(equation.inputs[0], Var) and not is_alias(equation.inputs[0].equation):
            roots.add(equation.inputs[0])
        elif needs_memory(equation):
            roots.update(x for x in equation.inputs if isinstance(x, Var))
    return {var for var in roots if var.equation is not None}


def deepest(program: Program, roots: set[Var]) -> set[Var]:
    """Return what to store so that no element is computed through a long chain of index maps, as many assignments to one array make it."""
    found: set[Var] = set()
    depths: dict[Var, int] = {}
    for equation in program.equations:
        depth = max([depths.get(x, 0) for x in equation.inputs if isinstance(x, Var)], default=0)
        depth += not isinstance(equation.primitive.lower, Pointwise)
        for var in equation.outputs:
            if depth > DEEPEST and var not in roots:
                found.add(var)
            depths[var] = 0 if var in roots or var in found else depth
    return found


def held_operands(equation: Equation):
    """Return the operands that a control equation reads where they are: all but the initial carried values."""
    consts = equation.params.get("consts")
    return equation.inputs if consts is None else equation.inputs[: 1 + consts]


def storage(var: Var) -> Var:
    """Return the Var in whose buffer `var` lies, looking through reshapes."""
    while is_alias(var.equation):
        var = var.equation.inputs[0]
    return var


def is_alias(equation: Equation | None) -> bool:
    """Whether an equation (None: that of an input) is a reshape."""
    if equation is None:
        return False
    record = equation.primitive.lower
    return isinstance(record, Pull) and record.alias and isinstance(equation.inputs[0], Var)


def needs_memory(equation: Equation) -> bool:
    """Whether a reshape merges axes, so that its operand's index would take divisions: it then reads a stored operand instead."""
    record = equation.primitive.lower
    return isinstance(record, Pull) and record.alias and not splits_only(equation.inputs[0].shape, equation.outputs[0].shape)


def splits_only(old: tuple[int, ...], new: tuple[int, ...]) -> bool:
    """Whether each axis of `old` is made of whole axes of `new`, axes of extent 1 aside."""
    if 0 in old:
        return True
    rest = [extent for extent in new if extent != 1]
    for extent in old:
        while extent > 1 and rest and extent % rest[0] == 0:
            extent //= rest.pop(0)
        if extent != 1:
            return False
    return True


def inline_costs(program: Program, roots: set[Var], load: float = LOAD) -> dict[Var, float]:
    """Return what one element of each Var costs if everything that can be inlined is. Numbers are computed before loops and cost them nothing."""
    costs: dict[Var, float] = {}

    def price(x: Var) -> float:
        return load if x in roots else costs.get(x, load)

    for equation in program.equations:
        own = COLUMN * load if is_column(equation) else getattr(equation.primitive.lower, "cost", 0.0)
        loops = equation.outputs[0].type.size > 1
        total = own + sum(price(x) for x in equation.inputs if isinstance(x, Var) and not (loops and x.type.size == 1))
        if isinstance(equation.primitive.lower, Reduce) and kind_of(equation) == "inline":
            total = (total + 1) * terms_of(equation)
        for var in equation.outputs:
            costs[var] = min(total, MOST)
    return costs


def is_column(equation: Equation) -> bool:
    """Whether the result lies across the rows of an array: an element that is read from there again has left the cache."""
    if not isinstance(equation.primitive.lower, Pull) or not equation.primitive.selecting:
        return False
    x, result = equation.inputs[0], equation.outputs[0]
    return x.ndim == result.ndim > 1 and result.shape[-1] == 1 < min(x.shape[-1], result.type.size)


def promote(program: Program, reads: Reads, roots: set[Var], groups: list[Group] | None) -> None:
    """Add to `roots` the Vars that are cheaper to store than to recompute in each of their contexts."""
    nest_of = {var: number for number, group in enumerate(groups or []) for var in group.roots}
    contexts: dict[Var, dict[tuple, int]] = defaultdict(dict)
    users = Counter(x for equation in program.equations for x in equation.inputs if isinstance(x, Var))
    added = {operands[1] for equation in program.equations if adds_up(equation) for operands, _ in equation.primitive.lower.writes(equation)}
    written = written_parts(program, roots, reads).keys()
    costs, arithmetic = inline_costs(program, roots | written), inline_costs(program, roots, load=0.0) if added else {}
    for equation in reversed(program.equations):
        for var in equation.outputs:
            own = contexts.pop(var, {})
            if var not in roots and own and not stays_inlined(equation, roots):
                if expensive(var, own, costs[var], REREAD if var in written else STORE):
                    roots.add(shared_source(var, own, roots, users))
                elif var in added and arithmetic[var] > STORE:
                    roots.add(var)
            if var in roots:
                own = {(nest_of.get(var, reads.frame(equation)),): max(var.type.size, 1)}
            reach(equation, reads, own, contexts)


def adds_up(equation: Equation) -> bool:
    """Whether an equation adds many elements at computed places: a loop that does not vectorise, so what takes much arithmetic is computed before."""
    record = equation.primitive.lower
    return isinstance(record, Scatter) and record.combine == "add" and not record.distinct and equation.inputs[1].type.size > SHORT


def stays_inlined(equation: Equation, roots: set[Var]) -> bool:
    """Whether the result is a stored array in another shape, or an integer such as indices are made of."""
    if equation.outputs[0].dtype.kind == "i" and not equation.outputs[0].shape and isinstance(equation.primitive.lower, Pointwise):
        return equation.primitive.lower.cost <= 1
    return is_alias(equation) and (equation.inputs[0] in roots or equation.inputs[0].equation is None)


def expensive(var: Var, contexts: dict[tuple, int], cost: float, least: float) -> bool:
    more = repeats(var, contexts)
    return cost * more - LOAD * (more + 1) > least or (len(contexts) > CONTEXTS and cost > 0 <= more)


def repeats(var: Var, contexts: dict[tuple, int]) -> float:
    """Return how many times more often than once each element is computed."""
    return sum(contexts.values()) / max(var.type.size, 1) - 1


def shared_source(var: Var, contexts: dict[tuple, int], roots: set[Var], users: Counter) -> Var:
    """Return what to store for the sake of `var`: if it is little more than one value that several equations use, that serves all of them."""
    source, cost = var, 0.0
    while source not in roots and isinstance(source.equation.primitive.lower, Pointwise):
        operands = [x for x in source.equation.inputs if isinstance(x, Var)]
        cost += source.equation.primitive.lower.cost
        if len(operands) != 1 or operands[0].shape != var.shape or operands[0].equation is None or cost * repeats(var, contexts) > STORE:
            return var
        (source,) = operands
        if users[source] > 1:
            return source
    return var


def reach(equation: Equation, reads: Reads, own: dict[tuple, int], contexts) -> None:
    """Hand the contexts of an equation's result on to its operands."""
    record = equation.primitive.lower
    for place, x in enumerate(equation.inputs):
        if isinstance(x, Literal):
            continue
        size = max(x.type.size, 1)
        kind, terms = kind_of(equation), 1
        if isinstance(record, Reduce) and kind == "inline":
            terms = terms_of(equation)
        if reads.here(equation, x):
            contexts[x].update({key: size if kind == "nest" else min(trips * terms, size) for key, trips in own.items()})
        elif isinstance(record, Pointwise):
            same = x.shape == equation.outputs[0].shape
            contexts[x].update({key if same and isinstance(key[-1], Equation) else (*key, x.shape): trips for key, trips in own.items()})
        elif isinstance(record, Pull):
            limit = math.inf if record.repeats else size
            contexts[x].update({(*key, equation): min(trips, limit) for key, trips in own.items()})
        elif kind == "inline":
            contexts[x].update({(*key, equation, place): trips * terms for key, trips in own.items()})
        elif isinstance(record, Reduce):
            contexts[x][equation, place] = math.prod(iteration_box(equation))
        elif isinstance(record, Scatter) and place and x.shape == equation.inputs[1].shape:
            contexts[x][(equation,)] = size
        else:
            contexts[x][(equation, place)] = size


def assign_groups(program: Program, reads: Reads, roots: set[Var]) -> list[Group]:
    """Give each root a level at which what it reads is there, and group those of one level that run over nearly the same box."""
    levels = latest_levels(program, reads, roots, earliest_levels(program, reads, roots))
    groups: dict[tuple, Group] = {}
    for number, equation in enumerate(program.equations):
        for var in equation.outputs:
            if var in roots:
                kind, box = kind_of(equation), equation.inputs[1].shape if kind_of(equation) == "scatter" else iteration_box(equation)
                kind = "nest" if kind == "inline" else kind
                box = reads.loop_box(box) if kind == "nest" else box
                key = (levels[var], kind, reads.frame(equation) if kind == "nest" else number)
                group = groups.setdefault(key, Group(kind, levels[var], box, short=reads.short))
                if kind == "nest":
                    group.offsets[var] = reads.offset(equation)
                    group.box = tuple([max(n, low + m) for n, low, m in zip(group.box, reads.offset(equation), box, strict=True)])
                group.roots.append(var)
    return sorted(groups.values(), key=lambda group: (group.level, math.prod(group.box)))
