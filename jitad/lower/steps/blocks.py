"""Lowering a Program, or the body of a loop or branch, to a list of steps.

In: a prepared Program, buffers for its inputs (in the context) and outputs. Out: its steps. Invariant: outputs are in their buffers when
the steps have run. Every value has a buffer of its own here, and copies bring it where a loop or a branch takes it or leaves it;
`jitad.lower.memory.reuse` lets those share memory that can, whereupon the copies vanish.
"""

from __future__ import annotations

from collections.abc import Sequence

from jitad.ir.dataflow import count_uses
from jitad.ir.facts import is_undefined
from jitad.ir.lowering import Pointwise
from jitad.ir.program import Atom, Equation, Literal, Program, Var
from jitad.ir.recorder import Env, Recorder
from jitad.lower.fusion.fusion import Group, is_alias, schedule
from jitad.lower.fusion.order import overwrites
from jitad.lower.fusion.reads import kind_of
from jitad.lower.grammar.index import ZERO, linear, loop_variable
from jitad.lower.grammar.loops import Buffer, Call, Choice, Counter, Nest, Repeat, Row, Step, Tape
from jitad.lower.grammar.scalars import Expr
from jitad.lower.preparation.prepare import prepare
from jitad.lower.steps.bodies import Body, Context
from jitad.lower.steps.nests import build, cut, stores, whole
from jitad.lower.steps.splitting import split
from jitad.primitives.control.sweeps import arranged
from jitad.primitives.structural.indexing import gather
from jitad.primitives.structural.spans import is_index, unit


def lower_block(program: Program, outputs: Sequence[Buffer], context: Context) -> list[Step]:
    """Return the steps of `program`."""
    plan = schedule(program)
    buffers = context.buffers
    assign_outputs(plan.program, outputs, buffers, plan.roots)
    for group in plan.groups:
        for var in group.roots:
            if var not in buffers:
                buffers[var] = context.new_buffer(var.type)
            buffers[var].undefined |= group.kind == "undefined"
    steps: list[Step] = []
    for group in plan.groups:
        made = build_control(context, group) if group.kind == "control" else [] if group.kind == "undefined" else build(context, group)
        if group.kind == "nest":
            made = [part for nest in made for part in split(nest, context.new_buffer)]
        for step in made:
            if isinstance(step, Call):
                step.number = next(context.numbers)
        steps += made
    return steps


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
    return BUILDERS[equation.primitive.control](context, equation)


def build_repeat(context: Context, equation: Equation) -> list[Step]:
    params, held = equation.params, equation.inputs[1 : 1 + equation.params["consts"]]
    carried = slice(len(equation.outputs) - len(equation.inputs) + 1 + len(held), None)
    steps, carries, fresh, finals = enter_loop(context, equation.inputs[1 + len(held) :], equation.outputs[carried])
    counter = Counter(f"t{next(context.numbers)}", params["length"], last_trip(context, equation.inputs[0]))
    trip, moves = lower_body(params["body"], carries, repeated_context(context, params["body"], counter, held, carries))
    repeat = Repeat(trip, carries, moves, counter, trip_count(context, equation.inputs[0]), params.get("reverse", False), fresh=fresh)
    if "test" in params:
        test = prepare(params["test"])
        repeat.goes_on = context.new_buffer(test.outputs[0].type)
        repeat.test = lower_block(test, [repeat.goes_on], repeated_context(context, test, counter, held, carries))
        repeat.trips = context.buffers[equation.outputs[0]]
    return [*steps, *([repeat] if repeat.count != 0 or repeat.trips is not None else []), *finals]


def build_sweeps(context: Context, equation: Equation) -> list[Step]:
    """One loop after another; what a trip records is a slot of a tape, of one slot for each trip."""
    params, consts = equation.params, equation.params["consts"]
    held, tape, steps = equation.inputs[1 : 1 + consts], Tape(equation.source, next(context.numbers)), []
    for sweep, reverse in zip(arranged(params["bodies"], consts), params["reverse"], strict=True):
        before = list(tape.slots)
        tape.slots += [Buffer(x.type, "tape", f"w{next(context.numbers)}") for x in sweep.body.outputs[sweep.carries :]]
        initial = equation.inputs[1 + consts :][sweep.carry]
        entered, carries, fresh, finals = enter_loop(context, initial, equation.outputs[sweep.carry])
        counter = Counter(f"t{next(context.numbers)}", params["length"], last_trip(context, equation.inputs[0]))
        inner = repeated_context(context, sweep.body, counter, held, [*before, *carries])
        trip, moves = lower_body(sweep.body, carries, inner, tape.slots[len(before) :])
        tape.last = Repeat(trip, carries, moves, counter, trip_count(context, equation.inputs[0]), reverse, fresh=fresh, tape=tape)
        steps += [*entered, *([tape.last] if tape.last.count != 0 else []), *finals]
    return steps


def enter_loop(context: Context, initial: Sequence[Atom], results: Sequence[Var]) -> tuple[list[Step], list[Buffer], list[Buffer], list[Step]]:
    """Return the steps that put initial values in the buffers of carried ones, these, those that have no value, and the steps at the end.

    Carried values live in the buffers of the results; an output of the kernel, or a row, is copied from one at the end.
    """
    targets = [context.buffers[var] for var in results]
    carries = [buffer if buffer.kind == "work" and buffer.row is None else context.new_buffer(buffer.type) for buffer in targets]
    fresh, steps = [], []
    for x, buffer in zip(initial, carries, strict=True):
        if is_undefined(x):
            fresh.append(buffer)
        else:
            steps.append(initialize(context, x, buffer))
    return steps, carries, fresh, [copy_nest(buffer, target) for target, buffer in zip(targets, carries, strict=True) if target is not buffer]


def trip_count(context: Context, x: Atom) -> int | Buffer | Counter:
    """Return where a number of trips is found."""
    return int(x.value) if isinstance(x, Literal) else context.counters.get(x) or context.buffer_of(x)


def last_trip(context: Context, count: Atom) -> tuple[list[tuple[Counter, int]], int] | None:
    """Return the number of the last trip, if there is a trip, where it is affine in counters: see `Counter`."""
    body = Body(context, Group("nest", 0, ()), ())
    known = not isinstance(count, Var) or count in context.counters or count.equation is None
    if not known and kind_of(count.equation) != "inline":
        return None
    value = body.value(count, ()) if known else body.element(count.equation, ())
    index = body.builder.as_index(above_zero(value))
    if not index.terms or not all(term.op == "counter" for term, _ in index.terms):
        return None
    return [(term.args[0], coefficient) for term, coefficient in index.terms], index.const - 1


def above_zero(value: Expr) -> Expr:
    """Return ``x`` for ``x if x > 0 else 0``: the two are the same where there is a trip."""
    if value.op == "select":
        condition, x, other = value.args
        if condition.op == "gt" and condition.args == (x, other) and value.builder.as_index(other) == ZERO:
            return x
    return value


def repeated_context(context: Context, body: Program, counter: Counter, operands: Sequence, carries: Sequence[Buffer]) -> Context:
    """Return the context of a loop's body."""
    inner = inner_context(context, body.inputs[1:], operands, carries)
    inner.counters[body.inputs[0]] = counter
    return inner


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


def lower_body(body: Program, carries: list[Buffer], context: Context,
               records: Sequence[Buffer] = ()) -> tuple[list[Step], dict[Buffer, Buffer]]:  # fmt: skip
    """Return one trip of a loop, and the buffers whose values the carried ones take on after it. Further outputs go to `records`."""
    places = {var: buffer for var, buffer in zip(body.inputs[len(body.inputs) - len(carries) :], carries, strict=True)}
    taken: set = set()
    passed: list[Buffer | None] = []
    carried = body.outputs[: len(carries)]
    for x in carried:
        passed.append(places[x] if x in places and x not in taken else None)
        taken.add(x)
    rows = rows_written(body, places, context)
    passed = [places[body.outputs[k].equation.inputs[0]] if k in rows else source for k, source in enumerate(passed)]
    rest = [x for x, source in zip(carried, passed, strict=True) if source is None]
    written = {body.outputs[k].equation for k in rows}
    equations = [equation for equation in body.equations if equation not in written]
    outputs = [*rest, *body.outputs[len(carries) :], *[x for x, _ in rows.values()]]
    inputs = {x: context.buffers.get(x) for x in body.inputs}
    inputs |= {x: row for k in rows for x, row in rows_read(body, body.outputs[k].equation, places, context).items()}
    program = prepare(Program(*as_inputs(list(inputs), equations, outputs)))
    renamed = list(zip(program.inputs, inputs, strict=True))
    inner = Context({new: inputs[old] for new, old in renamed if inputs[old] is not None}, context)
    inner.counters.update({new: context.counters[old] for new, old in renamed if old in context.counters})
    made = [context.new_buffer(x.type) for x in rest]
    steps = lower_block(program, [*made, *records, *[row for _, row in rows.values()]], inner)
    computed = iter(made)
    sources = [next(computed) if source is None else source for source in passed]
    return steps, {target: source for target, source in zip(carries, sources, strict=True) if target is not source}


def rows_written(body: Program, places: dict[Var, Buffer], context: Context) -> dict[int, tuple[Var, Buffer]]:
    """Return, by number, the outputs that are a carried array with one row replaced: the row's value and its buffer.

    The value can then be computed where it is to stay. What else reads the array reads other rows.
    """
    uses = count_uses(body)
    found = {}
    for k, (x, carry) in enumerate(zip(body.outputs, places, strict=False)):
        equation = getattr(x, "equation", None)
        if equation is None or uses[x] != 1 or not (overwrites(equation) and equation.primitive.lower.combine == "set"):
            continue
        base, value, *indices = equation.inputs
        if base is not carry or isinstance(value, Literal) or len(indices) != 1 or indices[0].shape or not is_row_of(equation):
            continue
        if uses[base] != 1 and not reads_other_rows(body, base, equation, context):
            continue
        inside = value.equation is not None and value.equation.primitive.control  # what fills it may go there itself
        row = None if inside else row_number(indices[0], base.shape[0], context)
        if row is not None:
            found[k] = value, Buffer(value.type, "work", f"{places[base].name}_row", alias=places[base], row=row)
    return found


def is_row_of(equation: Equation) -> bool:
    """Whether an equation with one index writes all elements of one row, in order."""
    first, *others = equation.params.get("spans", (None,))
    return first is None or is_index(first) and list(others) == list(map(unit, equation.inputs[0].shape[1:]))


def rows_read(body: Program, write: Equation, places: dict[Var, Buffer], context: Context) -> dict[Var, Buffer]:
    """Return the rows of an array, of which `write` writes one, that a trip reads, and their buffers."""
    base, found = write.inputs[0], {}
    for equation in body.equations:
        if equation is not write and base in equation.inputs:
            (x,) = equation.outputs
            row = row_number(equation.inputs[1], base.shape[0], context)
            found[x] = Buffer(x.type, "work", f"{places[base].name}_row", alias=places[base], row=row)
    return found


def as_inputs(inputs: Sequence[Var], equations: Sequence[Equation], outputs: Sequence[Atom]) -> tuple[list, list, list]:
    """Return the parts of a Program of which `inputs`, computed by some of the equations or not, are the inputs."""
    env = Env({x: Var(x.type) for x in inputs})
    with Recorder() as recorder:
        for equation in equations:
            if equation.outputs[0] not in env:
                recorder.source = equation.source
                env.repeat(equation, recorder)
    return [env[x] for x in inputs], recorder.equations, env.read_all(outputs)


def reads_other_rows(body: Program, base: Var, write: Equation, context: Context) -> bool:
    """Whether all that uses an array, besides the equation that writes a row of it, reads another row in the same trip."""
    own = row_number(write.inputs[2], base.shape[0], context)
    for equation in body.equations:
        if base in equation.inputs and equation is not write:
            if equation.primitive is not gather or equation.inputs[0] is not base or len(equation.inputs) != 2 or equation.inputs[1].shape:
                return False
            row = row_number(equation.inputs[1], base.shape[0], context)
            if own is None or row is None or row.counter is not own.counter or row.shift == own.shift:
                return False
    return base not in body.outputs


def row_number(index: Atom, rows: int, context: Context) -> Row | None:
    """Return the row that an index stands for, if it is the number of an enclosing loop's trip plus a number, and always in range."""
    if not counts(index, context):
        return None
    body = Body(context, Group("nest", 0, ()), ())
    number = body.builder.as_index(body.value(index, ()))
    bounds = number.range(())
    if len(number.terms) != 1 or bounds is None or bounds[0] < 0 or bounds[1] >= rows:
        return None
    ((term, coefficient),) = number.terms
    return Row(term.args[0], number.const) if coefficient == 1 and term.op == "counter" else None


def counts(x: Atom, context: Context) -> bool:
    """Whether a number is made of numbers of trips alone."""
    if isinstance(x, Literal) or x in context.counters:
        return True
    equation = x.equation
    return equation is not None and isinstance(equation.primitive.lower, Pointwise) and all(counts(y, context) for y in equation.inputs)


def initialize(context: Context, x: Atom, buffer: Buffer) -> Nest:
    """Return the step that puts the initial value of a carried variable in its buffer."""
    group = Group("nest", 0, x.shape)
    identity = tuple(map(loop_variable, range(x.ndim)))

    def body_of(ranges):
        body = Body(context, group, ranges)
        return body.builder, stores(buffer, linear(identity, x.shape), body.value(x, identity))

    return Nest(x.shape, [], cut(whole(x.shape), body_of))


def copy_nest(source: Buffer, target: Buffer) -> Nest:
    shape = source.type.shape
    identity = tuple(map(loop_variable, range(len(shape))))

    def body_of(ranges):
        body = Body(Context({}), Group("nest", 0, shape), ranges)
        return body.builder, stores(target, linear(identity, shape), body.builder.load(source, identity, shape))

    return Nest(shape, [], cut(whole(shape), body_of))


def build_choice(context: Context, equation: Equation) -> list[Step]:
    index, *operands = equation.inputs
    outputs = [context.buffers[var] for var in equation.outputs]
    branches = []
    for branch in equation.params["branches"]:
        program = prepare(branch)
        branches.append(lower_block(program, outputs, inner_context(context, program.inputs, operands)))
    return [Choice(context.buffer_of(index), branches)]


def build_steps(context: Context, equation: Equation) -> list[Step]:
    outputs = [context.buffers[var] for var in equation.outputs]
    program = prepare(equation.params["program"])
    return lower_block(program, outputs, inner_context(context, program.inputs, equation.inputs))


BUILDERS = {"loop": build_repeat, "while": build_repeat, "sweeps": build_sweeps, "cond": build_choice, "block": build_steps}
