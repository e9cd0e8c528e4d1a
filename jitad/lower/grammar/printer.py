"""Loops as text that reads like Python:

    for i0 in range(0, 1000):
        v3 = sin(in0[i0])
        out0[i0] = v3 * 2.0
"""

from __future__ import annotations

from collections.abc import Sequence

from jitad.ir.lowering import UNBOUNDED
from jitad.ir.types import short_dtype
from jitad.lower.grammar.index import Index
from jitad.lower.grammar.loops import Accumulate, Buffer, Call, Choice, Counter, Loops, Nest, Parallel, Region, Repeat, ScatterStore, Step, Strips
from jitad.lower.grammar.regions import Ranges
from jitad.lower.grammar.scalars import Expr
from jitad.lower.grammar.walk import reachable, roots, terms

INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
         "and": "&", "or": "|", "xor": "^"}  # fmt: skip


def print_loops(loops: Loops) -> str:
    """Return the text of a kernel: its buffers, then its steps."""
    head = [f"{buffer.label}: {buffer.type}" for buffer in loops.inputs]
    tail = [f"{buffer.label}: {buffer.type}" for buffer in loops.outputs]
    lines = [f"def kernel({', '.join(head)}) -> ({', '.join(tail)}):  # workspace: {loops.work_bytes} bytes"]
    return "\n    ".join([*lines, *print_steps(loops.steps)])


def print_steps(steps: list[Step]) -> list[str]:
    lines: list[str] = []
    for step in steps:
        if isinstance(step, Call):
            lines += print_call(step)
        elif isinstance(step, Nest):
            lines += print_nest(step)
        elif isinstance(step, Strips):
            lines += print_strips(step)
        elif isinstance(step, Parallel):
            body = [print_strips(part, "rows") if isinstance(part, Strips) else print_nest(part, "rows", step.cut) for part in step.steps]
            lines += [f"for piece, rows in shared(blocks({step.rows}, {step.block})):", *indented(sum(body, []))]
        elif isinstance(step, Choice):
            for number, branch in enumerate(step.branches):
                lines += [f"{'elif' if number else 'if'} {step.index.label} == {number}:", *indented(print_steps(branch) or ["pass"])]
        else:
            lines += print_repeat(step)
    return lines


def print_strips(step: Strips, rows: str = "") -> list[str]:
    """Accumulators are filled once; loops over rows run over those of a block."""
    fills, body = [], []
    for nest, lag in zip(step.steps, step.lags or [0] * len(step.steps), strict=True):
        lines = print_nest(nest, f"(rows - {lag})" if lag else "rows", nest.loops[0] if step.lags else 0)
        fills += [line for line in lines if "[:] = " in line]
        body += [line for line in lines if "[:] = " not in line]
    return [*fills, f"for rows in blocks({rows or step.extent}, {step.block}):", *indented(body)]


def print_repeat(step: Repeat) -> list[str]:
    count = step.count if isinstance(step.count, int) else step.count.name if isinstance(step.count, Counter) else f"{step.count.label}[0]"
    trips = f"range({count})" if count != UNBOUNDED else "count()"
    slots = ", ".join(describe(buffer) for buffer in step.tape.slots) if step.tape is not None else ""
    remark = f"  # on tape: {slots}" if slots else describe_wave(step)
    head = [f"for {step.counter.name} in {f'reversed({trips})' if step.reverse else trips}:{remark}"]
    if step.goes_on is not None:
        head += indented([*print_steps(step.test), f"if not {step.goes_on.label}[0]: break"])
    body = print_steps(step.steps)
    if step.moves:
        targets, sources = zip(*step.moves.items(), strict=True)
        body.append(f"{', '.join(x.label for x in targets)} = {', '.join(x.label for x in sources)}  # memory changes places")
    if step.copies:
        targets, sources = zip(*step.copies.items(), strict=True)
        body.append(f"{', '.join(x.label + '[:]' for x in targets)} = {', '.join(x.label for x in sources)}")
    return [*head, *indented(body or ["pass"])]


def describe_wave(step: Repeat) -> str:
    if step.wave is None:
        return ""
    earlier = f", each from {step.wave.ahead} before the next one's first" if step.wave.ahead else ""
    return f"  # {step.wave.depth} trips at a time, rows of each {step.wave.lag} behind those of the one before{earlier}"


def indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def print_call(call: Call) -> list[str]:
    names = ", ".join(describe(buffer) for buffer in call.inputs)
    routine = f"shared({call.routine})" if call.shared else call.routine
    return [f"{', '.join(describe(buffer) for buffer in call.outputs)} = {routine}({names})  # {call.source.short}"]


def describe(buffer: Buffer) -> str:
    type = f":{short_dtype(buffer.type.dtype)}{list(buffer.type.shape)}" if buffer.kind in ("work", "tape") else ""
    return buffer.label + type


def print_nest(nest: Nest, rows: str = "", cut: int = 0) -> list[str]:
    """`rows` is the name of the block to which the dimension that is `cut` is confined."""
    filled = {reduction.buffer: reduction.identity for reduction in nest.reductions if reduction.partial and not reduction.filled}
    lines = [f"{describe(buffer)}[:] = {identity}" for buffer, identity in filled.items()]
    if nest.streamed:
        lines.append("# past the caches:")
    for region in nest.regions:
        all_rows = bool(region.ranges) and region.ranges[cut] == (0, nest.box[cut] - 1)
        lines += print_region(region, nest.loops, rows if all_rows else rows and f"{rows} &", cut)
    return lines


class Names(dict):
    """The text that stands for each expression, by number; `compound` ones take parentheses as operands."""

    def __init__(self):
        self.compound: set[int] = set()

    def operand(self, expr: Expr) -> str:
        return f"({self[expr.number]})" if expr.number in self.compound else self[expr.number]


def print_region(region: Region, loops: Sequence[int], rows: str = "", cut: int = 0) -> list[str]:
    lines, depth = [], len(region.ranges)
    updates = [s.reduction for s in region.statements if isinstance(s, Accumulate)]
    computed, limits = limit_texts(region.ranges)
    lines += computed
    for place, dim in enumerate(loops):
        lines += [f"{'    ' * place}{r.buffer.label}_sum = {r.identity}" for r in updates if r.inner == place]
        span = f"range({bounds_text(region.ranges, dim, limits)})"
        if dim == cut and rows:
            span = f"{rows} {span}" if rows.endswith("&") else rows
        lines.append(f"{'    ' * place}for i{dim} in {span}:")
    names = Names()
    body = []
    exprs = reachable(roots(region))
    uses: dict[int, int] = {}
    for expr in exprs:
        for x in expr.args:
            if isinstance(x, Expr):
                uses[x.number] = uses.get(x.number, 0) + 1
    for expr in roots(region):
        uses[expr.number] = uses.get(expr.number, 0) + 1
    for expr in exprs:
        text = expression(expr, names)
        if expr.op in ("const", "zero", "load", "index") or (uses.get(expr.number, 0) == 1 and len(text) < 40):
            names[expr.number] = text
            if expr.op in INFIX or expr.op in ("neg", "select", "muladd"):
                names.compound.add(expr.number)
        else:
            names[expr.number] = f"v{expr.number}"
            body.append(f"v{expr.number} = {text}")
    body += [statement_text(statement, names, depth) for statement in region.statements]
    lines += ["    " * depth + line for line in body]
    for dim in reversed(range(depth)):
        for reduction in updates:
            if reduction.inner == dim:
                sign = "+=" if reduction.partial else "="
                lines.append(f"{'    ' * dim}{target(reduction, names)} {sign} {reduction.buffer.label}_sum")
    return lines


def bounds_text(ranges: Ranges, dim: int, texts: dict[Index, str]) -> str:
    """Return the bounds of a loop: those that hold in any case, unless computed ones are known to be narrower."""
    low, high = ranges[dim]
    ends = []
    for combine, end, limits in (("max", low, ranges.lows), ("min", high + 1, ranges.highs)):
        computed = limits[dim] if limits else ()
        needed = not any(is_between(limit.range(ranges), low, high + 1) for limit in computed)
        found = [*[texts[limit] for limit in computed], *([str(end)] if needed else [])]
        ends.append(found[0] if len(found) == 1 else f"{combine}({', '.join(found)})")
    return ", ".join(ends)


def is_between(bounds, low: int, high: int) -> bool:
    return bounds is not None and low <= bounds[0] and bounds[1] <= high


def limit_texts(ranges: Ranges) -> tuple[list[str], dict[Index, str]]:
    """Return lines that compute what limits of loops need, and the text of each limit."""
    texts: dict[Index, str] = {}
    lines: list[str] = []
    for limit in ranges.limits:
        names = Names()
        for expr in reachable(terms(limit)):
            text = names[expr.number] = expression(expr, names)
            if len(text) >= 20:
                names[expr.number] = f"n{len(lines)}"
                lines.append(f"n{len(lines)} = {text}")
            elif expr.op in INFIX or expr.op in ("neg", "select", "muladd"):
                names.compound.add(expr.number)
        texts[limit] = index_text(limit, names)
    return lines, texts


def target(reduction, names) -> str:
    return f"{reduction.buffer.label}[{index_text(reduction.position, names)}]"


def statement_text(statement, names, depth: int) -> str:
    if isinstance(statement, Accumulate):
        reduction = statement.reduction
        where = f"{reduction.buffer.label}_sum" if reduction.inner < depth else target(reduction, names)
        value = ", ".join(names[part.number] for part in statement.parts)
        return f"{where} += {value}" if reduction.combine == "add" else f"{where} = {reduction.combine}({where}, {value})"
    where = f"{statement.buffer.label}[{index_text(statement.position, names)}]"
    sign = "+=" if isinstance(statement, ScatterStore) and statement.combine == "add" else "="
    return f"{where} {sign} {names[statement.value.number]}"


def index_text(index: Index, names) -> str:
    parts = []
    for term, coefficient in index.terms:
        name = f"i{term}" if isinstance(term, int) else names[term.number]
        parts.append(name if coefficient == 1 else f"{coefficient}*{name}")
    if index.const or not parts:
        parts.append(str(index.const))
    return " + ".join(parts).replace("+ -", "- ")


def expression(expr: Expr, names) -> str:
    op, args = expr.op, expr.args
    if op in ("const", "zero"):
        return repr(args[1]) if args else "0"
    if op == "load":
        return f"{args[0].label}[{index_text(args[1], names)}]"
    if op == "counter":
        return args[0].name
    if op == "index":
        return index_text(args[0], names)
    if op == "in_range":
        return f"0 <= {index_text(args[0], names)} < {args[1]}"
    if op in ("clamp", "index_div", "index_mod"):
        return f"{op}({index_text(args[0], names)}, {args[1]})"
    if op == "checked":
        return f"checked({names[args[0].number]}, {args[1].extent})"
    if op in INFIX:
        return f"{names.operand(args[0])} {INFIX[op]} {names.operand(args[1])}"
    if op == "muladd":
        return f"{names.operand(args[0])} * {names.operand(args[1])} + {names.operand(args[2])}"
    if op == "neg":
        return f"-{names.operand(args[0])}"
    if op == "select":
        return f"{names.operand(args[1])} if {names[args[0].number]} else {names.operand(args[2])}"
    values = [names[x.number] for x in args]
    return f"{short_dtype(expr.dtype) if op == 'convert' else op}({', '.join(values)})"
