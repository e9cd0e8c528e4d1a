"""Loops that carry of an array only the part that is read.

In: a Program. Out: the same, where carried arrays whose rim no trip needs (what a fixed boundary hides, cotangents of elements that are set
anew) shrink to the box that is. Invariant: what is left out has no influence on any result that is used.

Which box is read is found backwards, by running element rules on operands that note where they are read; around the loop until nothing grows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jitad.ir.dataflow import leading_to
from jitad.ir.facts import is_undefined
from jitad.ir.lowering import Pointwise, Pull
from jitad.ir.program import Atom, Equation, Program, Var
from jitad.ir.recorder import Env, Recorder, current, rewrite
from jitad.ir.types import real_dtype
from jitad.lower.grammar.builder import Builder
from jitad.lower.grammar.index import Index, Range, loop_variable
from jitad.lower.grammar.scalars import Complex, Expr
from jitad.lower.grammar.walk import reachable
from jitad.primitives.structural.boxes import embed, part

Box = tuple[Range, ...]
ROUNDS = 4  # around a loop; what still grows then is carried whole
SMALL = 64  # elements of an array that is carried whole


def narrow(program: Program) -> Program:
    """Return `program` with loops that carry what is read."""
    if not any(equation.primitive.control == "loop" for equation in program.equations):
        return program
    used = {x for equation in program.equations for x in equation.inputs} | set(program.outputs)

    def rule(equation: Equation, inputs: list[Atom]):
        wanted = [whole(x.shape) if x in used else None for x in equation.outputs]
        return narrowed(equation, inputs, wanted) if equation.primitive.control == "loop" else None

    return rewrite(program, rule)


def narrowed(equation: Equation, inputs: list[Atom], wanted: Sequence[Box | None]) -> list[Atom] | None:
    """Record a loop, of whose results the `wanted` parts are read, that carries less; None if it would not."""
    body: Program = equation.params["body"]
    first = 1 + equation.params["consts"]
    initial, carries = inputs[first:], body.inputs[first:]
    boxes = boxes_of_loop(equation, wanted)
    parts = {x: box for x, box in zip(carries, boxes, strict=True) if is_part(box, x.shape)}
    if not parts:
        return None
    fresh = {x: Var(x.type.with_shape(shape_of(parts[x]))) if x in parts else Var(x.type) for x in body.inputs}
    with Recorder(body.equations[0].source) as recorder:
        values = {x: placed(fresh[x], parts[x], x.shape) if x in parts else fresh[x] for x in body.inputs}
        results = computed(body, Env(values), demanded(body, boxes))
        results = [taken(result, parts[x]) if x in parts else result for x, result in zip(carries, results, strict=True)]
    smaller = Program([fresh[x] for x in body.inputs], leading_to(recorder.equations, results), results)
    operands = [taken(start, parts[x]) if x in parts else start for x, start in zip(carries, initial, strict=True)]
    finals = equation.primitive(*inputs[:first], *operands, **{**equation.params, "body": smaller})
    return [placed(final, parts[x], x.shape) if x in parts else final for x, final in zip(carries, finals, strict=True)]


def computed(body: Program, env: Env, demands: dict[Var, Box]) -> list[Atom]:
    """Record the equations of a body, elementwise ones over the box that is needed alone."""
    for equation in body.equations:
        current().source = equation.source
        operands, (x, *_) = env.read_all(equation.inputs), equation.outputs
        box, record, simplify = demands.get(x), equation.primitive.lower, equation.primitive.simplify
        narrower = isinstance(record, Pointwise) and is_part(box, x.shape)
        if narrower:
            operands = [matching(y, box) for y in operands]
        value = simplify(operands, **equation.params) if simplify and isinstance(record, Pointwise | Pull) else None
        results = narrowed(equation, operands, [demands.get(x) for x in equation.outputs]) if equation.primitive.control == "loop" else None
        if results is not None:
            env.define(equation, results)
        elif narrower:
            env[x] = placed(equation.primitive(*operands, **equation.params) if value is None else value, box, x.shape)
        elif value is not None:
            env[x] = value
        else:
            env.define(equation, current().repeat(equation, operands))
    return env.read_all(body.outputs)


def is_part(box: Box | None, shape: tuple[int, ...]) -> bool:
    """Whether a box is worth being told from a whole array."""
    return box is not None and box != whole(shape) and volume(box) > 0 and volume(whole(shape)) > SMALL


def matching(x: Atom, box: Box) -> Atom:
    """Return the part of an operand that broadcasting pairs with a box."""
    return taken(x, matched(box, x.shape)) if x.ndim else x


def is_divisible(x: Atom) -> bool:
    """Whether part of a value may be carried: not of small ones, nor of arrays that trips fill."""
    if x.type.size <= SMALL or x.dtype.kind not in "fc":
        return False
    return not is_undefined(x)


def placed(x: Atom, box: Box, shape: tuple[int, ...]) -> Atom:
    return embed(x, start=tuple([low for low, _ in box]), step=(1,) * len(box), shape=shape)


def taken(x: Atom, box: Box) -> Atom:
    return part(x, tuple([low for low, _ in box]), shape_of(box), (1,) * len(box))


def shape_of(box: Box) -> tuple[int, ...]:
    return tuple([high - low + 1 for low, high in box])


def whole(shape: Sequence[int]) -> Box:
    return tuple([(0, extent - 1) for extent in shape])


def volume(box: Box) -> int:
    size = 1
    for low, high in box:
        size *= high - low + 1
    return size


def hull(boxes: Iterable[Box | None]) -> Box | None:
    """Return the smallest box that holds all of `boxes`; None stands for nothing."""
    found = [box for box in boxes if box is not None]
    return tuple([(min(low for low, _ in ends), max(high for _, high in ends)) for ends in zip(*found, strict=True)]) if found else None


def boxes_of_loop(equation: Equation, wanted: Sequence[Box | None]) -> list[Box | None]:
    """Return the part of each carried value that some trip, or what reads the `wanted` parts of the results, needs."""
    first = 1 + equation.params["consts"]
    ends = [box if is_divisible(x) else whole(x.shape) for x, box in zip(equation.inputs[first:], wanted, strict=True)]
    return carried_boxes(equation.params["body"], equation.params["body"].inputs[first:], ends)


def carried_boxes(body: Program, carries: Sequence[Var], boxes: Sequence[Box | None]) -> list[Box | None]:
    """Return the part of each carried value that some trip needs, if `boxes` are needed at the end."""
    for number in range(ROUNDS + len(carries)):
        demands = demanded(body, boxes)
        grown = [hull([box, demands.get(x)]) for x, box in zip(carries, boxes, strict=True)]
        for k, x in enumerate(body.outputs):
            if x in carries:  # its memory is handed on
                j = carries.index(x)
                grown[j] = grown[k] = hull([grown[j], grown[k]])
        if grown == boxes:
            return boxes
        late = number >= ROUNDS
        boxes = [whole(x.shape) if late and new != old else new for x, old, new in zip(carries, boxes, grown, strict=True)]
    return [whole(x.shape) for x in carries]


def demanded(body: Program, boxes: Sequence[Box | None]) -> dict[Var, Box]:
    """Return the part of each Var that is needed for parts of the outputs; Vars of which nothing is needed are not there."""
    found: dict[Var, Box] = {}

    def want(x: Atom, box: Box | None) -> None:
        if isinstance(x, Var) and box is not None:
            found[x] = hull([found.get(x), box])

    for x, box in zip(body.outputs, boxes, strict=True):
        want(x, box)
    for equation in reversed(body.equations):
        boxes_here = [found.get(x) for x in equation.outputs]
        if all(box is None for box in boxes_here):
            continue
        record, (box, *_) = equation.primitive.lower, boxes_here
        if isinstance(record, Pointwise):
            for x in equation.inputs:
                want(x, matched(box, x.shape))
        elif isinstance(record, Pull) and all(high >= low for low, high in box):
            for x, part in zip(equation.inputs, parts_read(equation, box), strict=True):
                want(x, part)
        else:
            repeated = equation.primitive.control == "loop"
            inside = dict(enumerate(boxes_of_loop(equation, boxes_here), 1 + equation.params["consts"])) if repeated else {}
            for k, x in enumerate(equation.inputs):
                want(x, inside.get(k, whole(x.shape)))
    return found


def matched(box: Box, shape: tuple[int, ...]) -> Box:
    """Return the part of an operand of `shape` that NumPy's broadcasting pairs with `box`."""
    tail = box[len(box) - len(shape) :]
    return tuple([(0, 0) if extent == 1 else ends for ends, extent in zip(tail, shape, strict=True)])


class Probe:
    """An operand whose elements are unknown scalars that tell where they are from."""

    def __init__(self, builder: Builder, number: int, type):
        self.builder, self.number, self.type = builder, number, type

    def __call__(self, index: Sequence[Index]):
        element = self.builder.make("element", (self.number, tuple(index)), real_dtype(self.type.dtype))
        return Complex(element, element) if self.type.dtype.kind == "c" else element


def parts_read(equation: Equation, box: Box) -> list[Box | None]:
    """Return the part of each operand that an index map reads for `box`."""
    builder = Builder(box)
    builder.next_check = lambda extent, axis, **own: None
    probes = [Probe(builder, number, x.type) for number, x in enumerate(equation.inputs)]
    index = tuple(map(loop_variable, range(len(box))))
    value = equation.primitive.lower.element(builder, index, probes, equation.outputs[0].type, **equation.params)
    exprs = reachable([value.real, value.imag] if isinstance(value, Complex) else [value])
    parts: list[Box | None] = [None for _ in probes]
    for expr in exprs:
        if expr.op == "element":
            number, place = expr.args
            ends = zip(place, probes[number].type.shape, strict=True)
            parts[number] = hull([parts[number], tuple([span(i, box, extent) for i, extent in ends])])
            for x in operands_in(place):
                if x.op == "element":
                    parts[x.args[0]] = whole(probes[x.args[0]].type.shape)
    return parts


def operands_in(place: Sequence[Index]) -> Sequence[Expr]:
    return reachable([term for i in place for term, _ in i.terms if isinstance(term, Expr)])


def span(index: Index, box: Box, extent: int) -> Range:
    """Return the lowest and highest value of an index into an axis."""
    low, high = range_of(index, box) or (0, extent - 1)
    return max(low, 0), min(high, extent - 1)


def range_of(index: Index, box: Box) -> Range | None:
    """Return the range of an index, that of clamped ones within the clamps' ends."""
    low = high = index.const
    for term, coefficient in index.terms:
        bounds = box[term] if isinstance(term, int) else term.bounds
        if isinstance(term, Expr) and term.op == "clamp":
            inner, extent = term.args
            bounds = span(inner, box, extent)
        if bounds is None:
            return None
        a, b = bounds[0] * coefficient, bounds[1] * coefficient
        low, high = low + min(a, b), high + max(a, b)
    return low, high
