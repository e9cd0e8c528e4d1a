"""Lowering a Program, or the body of a loop or branch, to a list of steps.

In: a prepared Program, buffers for its inputs (in the context) and outputs. Out: its steps. Invariant: outputs are in their buffers when
the steps have run; for a loop that holds after each trip, by writing in place where the old value is not needed any more and by
letting memory change places otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

from jitad.ir.program import Equation, Program, Var
from jitad.lower.fusion import Group, is_alias, schedule
from jitad.lower.index import linear, loop_variable
from jitad.lower.loops import Buffer, Call, Choice, Counter, Nest, Repeat, Step
from jitad.lower.nests import Body, Context, build, cut, stores, whole
from jitad.lower.prepare import prepare
from jitad.lower.reads import kind_of
from jitad.lower.reuse import share_memory


def lower_block(program: Program, outputs: Sequence[Buffer], context: Context, carries: Sequence[Buffer] = ()) -> list[Step]:
    """Return the steps of `program`. The memory of `carries` may be overwritten once it has been read."""
    plan = schedule(program)
    buffers = context.buffers
    assign_outputs(program, outputs, buffers, plan.roots)
    for group in plan.groups:
        for var in group.roots:
            if var not in buffers:
                buffers[var] = context.new_buffer(var.type)
    steps: list[Step] = []
    for group in plan.groups:
        made = build_control(context, group) if group.kind == "control" else [] if group.kind == "undefined" else build(context, group)
        for step in made:
            if isinstance(step, Call):
                step.number = next(context.numbers)
        steps += made
    roots = [buffers[var] for group in plan.groups for var in group.roots]
    return share_memory(steps, roots, outputs, carries)


def assign_outputs(program: Program, outputs: Sequence[Buffer], buffers: dict[Var, Buffer], roots: set[Var]) -> None:
    """Let each output be computed in its own buffer, and what it is a reshape of too."""
    for var, buffer in zip(program.outputs, outputs, strict=True):
        buffers[var] = buffer
    for var, buffer in zip(program.outputs, outputs, strict=True):
        while is_alias(var.equation) and var.equation.inputs[0] in roots and var.equation.inputs[0] not in buffers:
            var = var.equation.inputs[0]
            buffers[var] = buffer


def build_control(context: Context, group: Group) -> list[Step]:
    equation = group.roots[0].equation
    return BUILDERS[equation.primitive.lower.kind](context, equation)


def build_repeat(context: Context, equation: Equation) -> list[Step]:
    """Carried values live in buffers of their own, from which the results are copied at the end unless they can stay there."""
    params, consts = equation.params, equation.params["consts"]
    carries = [context.new_buffer(var.type) for var in equation.outputs]
    steps = [step for x, buffer in zip(equation.inputs[consts:], carries, strict=True) for step in initialize(context, x, buffer)]
    counter = Counter(f"t{next(context.numbers)}", params["length"]) if "length" in params else None
    body = params["body"]
    inner = inner_context(context, body.inputs[counter is not None :], equation.inputs[:consts], carries)
    if counter is not None:
        inner.counters[body.inputs[0]] = counter
    trip, moves = lower_body(body, carries, inner)
    repeat = Repeat(trip, carries, moves, counter, params.get("reverse", False))
    if counter is None:
        repeat.goes_on = context.new_buffer(params["test"].output_types[0])
        test = prepare(params["test"])
        repeat.test = lower_block(test, [repeat.goes_on], inner_context(context, test.inputs, equation.inputs[:consts], carries))
    if counter is None or counter.length:
        steps.append(repeat)
    for var, buffer in zip(equation.outputs, carries, strict=True):
        target = context.buffers[var]
        if target.kind == "work" and not target.fixed:
            target.alias = buffer
        else:
            steps.append(copy_nest(buffer, target))
    return steps


def inner_context(context: Context, inputs: Sequence[Var], operands: Sequence, carries: Sequence[Buffer] = ()) -> Context:
    """Return the context of a body: its first inputs are `operands`, counters of loops among them, the others are carried."""
    inner = Context({}, context)
    for var, x in zip(inputs, operands, strict=False):
        if x in context.counters:
            inner.counters[var] = context.counters[x]
        else:
            inner.buffers[var] = context.buffer_of(x)
    inner.buffers.update(zip(inputs[len(operands) :], carries, strict=True))
    return inner


def lower_body(body: Program, carries: list[Buffer], context: Context) -> tuple[list[Step], dict[Buffer, Buffer]]:
    """Return one trip of a loop, and which memory changes places after it."""
    places = {var: buffer for var, buffer in zip(body.inputs[len(body.inputs) - len(carries) :], carries, strict=True)}
    taken: set = set()
    passed: list[Buffer | None] = []
    for x in body.outputs:
        passed.append(places[x] if x in places and x not in taken else None)
        taken.add(x)
    rest = [x for x, source in zip(body.outputs, passed, strict=True) if source is None]
    program = prepare(Program(body.inputs, body.equations, rest))
    renamed = list(zip(program.inputs, body.inputs, strict=True))
    inner = Context({new: context.buffers[old] for new, old in renamed if old in context.buffers}, context)
    inner.counters.update({new: context.counters[old] for new, old in renamed if old in context.counters})
    made = [context.new_buffer(x.type) for x in rest]
    for buffer in made:
        buffer.fixed = True
    kept = {source for source in passed if source is not None}
    steps = lower_block(program, made, inner, [buffer for buffer in carries if buffer not in kept])
    computed = iter(made)
    sources = [next(computed) if source is None else source for source in passed]
    return steps, exchange(carries, [source.memory for source in sources])


def exchange(targets: list[Buffer], sources: list[Buffer]) -> dict[Buffer, Buffer]:
    """Return the permutation of memory that brings `sources` to `targets`; what is then free goes where memory was taken."""
    moves = {target: source for target, source in zip(targets, sources, strict=True) if target is not source}
    free = [buffer for buffer in moves if buffer not in moves.values()]
    needy = [buffer for buffer in moves.values() if buffer not in moves]
    return moves | dict(zip(needy, free, strict=True))


def initialize(context: Context, x, buffer: Buffer) -> list[Step]:
    """Return the steps that put the initial value of a carried variable in its buffer."""
    if isinstance(x, Var) and x.equation is not None and kind_of(x.equation) == "undefined":
        return []
    group = Group("nest", 0, x.shape)
    identity = tuple(map(loop_variable, range(x.ndim)))

    def body_of(ranges):
        body = Body(context, group, ranges, ())
        return body.builder, stores(buffer, linear(identity, x.shape), body.value(x, identity))

    return [Nest(x.shape, [], cut(whole(x.shape), body_of))]


def copy_nest(source: Buffer, target: Buffer) -> Nest:
    shape = source.type.shape
    identity = tuple(map(loop_variable, range(len(shape))))

    def body_of(ranges):
        body = Body(Context({}), Group("nest", 0, shape), ranges, ())
        return body.builder, stores(target, linear(identity, shape), body.builder.load(source, identity, shape))

    return Nest(shape, [], cut(whole(shape), body_of))


def build_choice(context: Context, equation: Equation) -> list[Step]:
    index, *operands = equation.inputs
    outputs = [context.buffers[var] for var in equation.outputs]
    for buffer in outputs:
        buffer.fixed = True
    branches = []
    for branch in equation.params["branches"]:
        program = prepare(branch)
        branches.append(lower_block(program, outputs, inner_context(context, program.inputs, operands)))
    return [Choice(context.buffer_of(index), branches)]


def build_steps(context: Context, equation: Equation) -> list[Step]:
    outputs = [context.buffers[var] for var in equation.outputs]
    for buffer in outputs:
        buffer.fixed = True
    program = prepare(equation.params["program"])
    return lower_block(program, outputs, inner_context(context, program.inputs, equation.inputs))


BUILDERS = {"loop": build_repeat, "while": build_repeat, "cond": build_choice, "block": build_steps}
