"""What the reverse sweep of a loop keeps of each trip, and what it computes again.

In: the known part of a trip, the values that the linear part reads, and what reading each value costs there anyway. Out: the values to keep,
and the equations that compute the others. Invariant: what the linear part reads is kept, at hand, or computed from such values.

The decision is a minimum cut. A value that is kept costs `NEAR` additions per byte, for it is written, read, and takes memory, or `FAR` if
the loop keeps more than `PLENTY`, which does not stay in caches; one that is computed again costs its arithmetic, and needs its operands.
Elementwise operations and index maps are computed again, and branches that consist of nothing else; products, sums and factorisations are
not, except in inner loops: what such a loop keeps of its trips may be found by running it once more, from what it started with, when that
trip of the outer loop is reversed; where its trips wait for one another element by element, that takes `WAITING` times as long. The counter
and the constants of the outermost loop are at hand for nothing; a value that an inner loop holds has its price divided by the trips of that
loop, for it is kept once for all of them. So a scalar that was read from an array that changes is kept as a scalar; `exp(x)` is kept, or
`x`, or what `x` was computed from, whichever takes least; and what depends on constants and counters alone is never kept.

What a loop reads from an array that it updates in place, and does not overwrite later, is read again from the array that it leaves
(`jitad.primitives.control.lasting`), which costs what keeping that array costs, once for the loop: a quarter of its bytes where it is there
anyway. Factorisations by rows, columns or elements keep nothing else. Where the elements read are overwritten later, as by reflections that
change all that remains, they are kept, in each trip anew, unless that is so much that an outermost loop is run again instead
(`jitad.transform.snapshots`). Updates are not undone by computing backwards, since that would round.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Sequence

from jitad.ir.effects import silent
from jitad.ir.lowering import Pointwise, Pull, Scatter, Undefined
from jitad.ir.passes import PASSES
from jitad.ir.program import Atom, Equation, Literal, Program, Var
from jitad.ir.recorder import Recorder
from jitad.primitives.control.bodies import pruned
from jitad.transform.budget import Choice
from jitad.transform.snapshots import PLENTY, choose, work

NEAR, FAR = 4.0, 12.0
WAITING = 8.0  # additions in the time that one takes whose operand has just been added
TIE = 1e-3  # in favour of keeping what is read itself


class Linear(Recorder):
    """The recorder of a linear part; what it runs again has no effects.

    `prices` are those of values at hand, in bytes; other known values cost their size.

    `lasting` is what loops and branches in it can read from arrays of loops around it, in their last states. If it is `free`, outermost loops in
    it may be run again rather than keeping anything of their trips; if not, they are part of one that is, and run no inner loops again.
    It is `outermost` if no loop surrounds it: without prices, or in a branch.
    """

    def __init__(self, prices: dict[Var, float] | None, lasting=None, free: bool = True, outermost: bool = False):
        super().__init__()
        self.lasting = lasting
        self.outermost, self.free = prices is None or outermost, free
        self.prices = None if prices is None else dict(prices)

    def record(self, primitive, inputs: Sequence, params: dict) -> tuple[Var, ...]:
        return super().record(primitive, inputs, silent(params))

    def price(self, atom: Atom) -> float:
        """Return how many bytes it takes to have a known value where the linear part runs: it is kept, or computed again."""
        if self.prices is None or isinstance(atom, Literal):
            return 0.0
        if atom not in self.prices:
            self.prices[atom] = self.found_price(atom)
        return self.prices[atom]

    def price_of_last(self, array: Atom) -> float:
        """Return how many bytes it takes to have the last state of an array that a loop updates."""
        return size(array) / (4 if self.prices is None else 1)

    def choose_replay(self, trips: int, kept: Sequence[Var], anew: set[Var], state: Sequence[Var], trip: list[Equation]) -> Choice | None:
        """Return how a loop that would keep `kept` of each trip is run again; None where it keeps it. It computes those in `anew` each time."""
        if not self.free or not self.outermost:
            return None
        copied = [x for x in kept if x not in anew]
        return choose(trips, sum(map(size, kept)), sum(map(size, copied)), sum(map(size, state)), trip)

    def found_price(self, atom: Var) -> float:
        kept = float(size(atom))
        found = recipe(atom.equation, atom)
        if found is None:
            return kept
        cost, operands = found
        return min(kept, cost / NEAR + sum(self.price(x) for x in operands))


def size(atom: Atom) -> int:
    return atom.type.nbytes


def economize(
    known: list[Equation], residuals: list[Var], prices: dict[Var, float], runs: bool = True, trips: int = 1
) -> tuple[list[Var], list[Equation]]:
    """Return which Vars to keep of each of so many trips, and the equations that compute the other residuals again.

    Those are found by inner loops too if it `runs` them. Kept Vars with a price are inputs of the body that the linear part reads as they are.
    """
    kept, again = cheapest(known, residuals, prices, runs, NEAR)
    if trips * sum(size(x) for x in kept if x not in prices) > PLENTY:
        kept, again = cheapest(known, residuals, prices, runs, FAR)
    return kept, repeated(known, again, set(kept), prices)


def cheapest(known: list[Equation], residuals: list[Var], prices: dict[Var, float], runs: bool, byte: float) -> tuple[list[Var], set[Var]]:
    """Return which Vars to keep and which to compute again, where a byte kept costs `byte` additions."""
    definitions = {var: equation for equation in known for var in equation.outputs}
    network = Network()
    pending = [x for x in residuals if prices.get(x, 1.0)]
    for x in pending:
        network.connect((x, "needed"), "sink", math.inf)
    seen = set(pending)
    while pending:
        x = pending.pop()
        network.connect((x, "computed"), (x, "needed"), byte * prices[x] if x in prices else byte * size(x) + TIE)
        cost, operands = recipe(definitions.get(x), x) or (network.run(definitions.get(x), x) if runs else (math.inf, []))
        network.connect("source", (x, "computed"), cost + 2 * TIE)
        for y in operands:
            if prices.get(y, 1.0):
                network.connect((y, "needed"), (x, "computed"), math.inf)
                if y not in seen:
                    seen.add(y)
                    pending.append(y)
    above = network.cut()
    order = [*residuals, *definitions, *seen]
    kept = [x for x in dict.fromkeys(order) if x in seen and (x, "computed") in above and (x, "needed") not in above]
    return kept, {x for x in seen if (x, "computed") not in above} | {x for x in residuals if not prices.get(x, 1.0)}


def recipe(equation: Equation | None, x: Var) -> tuple[float, list[Var]] | None:
    """Return what computing `x` again costs in additions and the Vars it takes; None for what is not computed again."""
    if equation is None:
        return None
    record = equation.primitive.lower
    if isinstance(record, Undefined):
        return 0.0, []
    if isinstance(record, Pointwise | Pull):
        return record.cost * x.type.size, [y for y in equation.inputs if isinstance(y, Var)]
    if equation.primitive.control != "cond":
        return None
    costs, operands = [], set()
    for body in equation.params["branches"]:
        cost, used = branch_recipe(body, body.outputs[equation.outputs.index(x)])
        costs.append(cost)
        operands |= used
    if math.inf in costs:
        return None
    held = [y for k, y in enumerate(equation.inputs[1:]) if k in operands]
    return max(costs), [y for y in (equation.inputs[0], *held) if isinstance(y, Var)]


def branch_recipe(body: Program, output: Atom) -> tuple[float, set[int]]:
    """Return the cost of one output of a branch, and which inputs of the branch it takes."""
    wanted, cost = {output}, 0.0
    for equation in reversed(body.equations):
        for var in equation.outputs:
            if var in wanted:
                record = equation.primitive.lower
                cost += record.cost * var.type.size if isinstance(record, Pointwise | Pull) else math.inf
                wanted.update(equation.inputs)
    return cost, {k for k, var in enumerate(body.inputs) if var in wanted}


def repeated(known: list[Equation], again: set[Var], kept: set[Var], prices: dict[Var, float]) -> list[Equation]:
    """Return the equations that compute `again`, branches without what is not needed of them."""
    wanted = set(again)
    found = []
    for equation in reversed(known):
        used = [var in wanted and var not in kept for var in equation.outputs]
        if not any(used):
            continue
        equation = pruned(equation, used)
        found.append(equation)
        wanted.update(x for x in equation.inputs if isinstance(x, Var) and x not in prices)
    return found[::-1]


def effort(equation: Equation) -> float:
    """Return what an equation costs in additions, of which several run at a time but where trips wait for one another."""
    if equation.primitive.control != "loop":
        return work(equation)
    if is_chain(equation):
        return WAITING * work(equation)
    return sum(map(effort, equation.params["body"].equations)) * equation.params["length"]


def is_chain(equation: Equation) -> bool:
    """Whether the trips of a loop are done one after another, element by element: each reads what others have written to an array."""
    body = equation.params["body"]
    carried = set(body.inputs[1 + equation.params["consts"] :])
    reading = {x for e in body.equations if isinstance(e.primitive.lower, Pull) and not e.outputs[0].shape for x in e.inputs}
    return any(isinstance(e.primitive.lower, Scatter) and e.inputs[0] in carried & reading for e in body.equations)


class Network:
    """A flow network whose edges have capacities; `cut` is the side of the source of a minimum cut."""

    def __init__(self):
        self.edges: dict = {"source": {}, "sink": {}}
        self.loops: dict[Equation, float] = {}

    def connect(self, tail, head, capacity: float) -> None:
        self.edges.setdefault(tail, {}).setdefault(head, 0.0)
        self.edges.setdefault(head, {}).setdefault(tail, 0.0)
        self.edges[tail][head] += capacity

    def run(self, equation: Equation | None, x: Var) -> tuple[float, list[Var]]:
        """Let `x` be computed by running a loop again, which is paid for once for all its results; return what else that costs, and takes."""
        if equation is None or equation.primitive.control != "loop":
            return math.inf, []
        if equation not in self.loops:
            self.loops[equation] = effort(equation)
            self.connect("source", equation, self.loops[equation])
        if self.loops[equation] == math.inf:
            return math.inf, []
        self.connect(equation, (x, "computed"), math.inf)
        operands = pruned(equation, [var is x for var in equation.outputs]).inputs
        return 0.0, [y for y in operands if isinstance(y, Var)]

    def cut(self) -> set:
        """Send flow along the shortest paths, all of one length at a time, until the sink is out of reach (Dinic's algorithm)."""
        while "sink" in (level := self.levels()):
            self.fill(level)
        return set(level)

    def levels(self) -> dict:
        """Return the nodes that the source reaches, each with the number of edges that lead to it."""
        level: dict = {"source": 0}
        pending = deque(["source"])
        while pending:
            tail = pending.popleft()
            for head, capacity in self.edges[tail].items():
                if capacity > 0 and head not in level:
                    level[head] = level[tail] + 1
                    pending.append(head)
        return level

    def fill(self, level: dict) -> None:
        """Send flow along edges from level to level until each way has one that is full; a way is left for good where it leads no further."""
        edges, path = self.edges, ["source"]
        heads = {node: [head for head in edges[node] if level.get(head) == level[node] + 1] for node in level}
        while path:
            tail = path[-1]
            if tail == "sink":
                pairs = list(itertools.pairwise(path))
                flow = min(edges[x][y] for x, y in pairs)
                for x, y in pairs:
                    edges[x][y] -= flow
                    edges[y][x] += flow
                del path[1 + next(k for k, (x, y) in enumerate(pairs) if not edges[x][y] > 0) :]
            elif heads[tail] and edges[tail][heads[tail][-1]] > 0:
                path.append(heads[tail][-1])
            elif heads[tail]:
                heads[tail].pop()
            else:
                path.pop()
                if path:
                    heads[path[-1]].pop()


PASSES["economize"] = economize
