"""Looking inside: the text of a program at every stage, and the evaluation trace that textbooks print."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from jitad.accounting import account
from jitad.api import jit
from jitad.compiled import Compiled
from jitad.frontend.tracing.trees import flatten
from jitad.ir import errors
from jitad.ir.interpreter import evaluate
from jitad.ir.program import Equation, Literal, Namer, Program, Var, print_equation
from jitad.ir.recorder import Recorder, inline
from jitad.ir.verifier import verify
from jitad.lower.grammar.printer import print_loops
from jitad.optimize.dce import eliminate_dead_code
from jitad.optimize.simplify import simplify
from jitad.pipeline import optimize, to_loops, to_text
from jitad.primitives.declare import full, instantiate
from jitad.transform.jvp import jvp
from jitad.transform.linearize import linearize
from jitad.transform.transpose import pull_back
from jitad.transform.vjp import gradient, pullback

STAGES = ("program", "derivative", "loops", "llvm", "asm")


def trace(function: Callable) -> Callable[..., Program]:
    """Return a function that gives the Program which `function` performs on its arguments.

    Examples
    --------
    >>> import numpy as np, jitad
    >>> program = jitad.trace(lambda x: np.sin(x) * 2)(1.0)
    >>> [equation.primitive.name for equation in program.equations]
    ['sin', 'mul']
    """
    compiled = function if isinstance(function, Compiled) else jit(function)

    def traced(*args, **kwargs) -> Program:
        return verify(compiled.lookup(args, kwargs)[0].traced.program)

    return traced


def show(function: Callable, *args, stage: str = "program", **kwargs) -> str:
    """Return the text of a stage on the way to machine code; print it to read it.

    Parameters
    ----------
    function, args
        A function, plain or transformed (``show(jitad.grad(f), x)``), and arguments.
    stage
        ``"program"``: what was traced, optimized; below it, what its loops keep of each trip, in bytes. ``"derivative"``: the same of the
        Program of its value and pullback. ``"loops"``: the fused loop
        nests, as Python-like text. ``"llvm"`` and ``"asm"``: what the kernel became.

    Examples
    --------
    >>> import numpy as np, jitad
    >>> print(jitad.show(lambda x: np.sum(x * x), np.ones(40), stage="loops"))
    def kernel(in0: f64[40]) -> (out0: f64[]):  # workspace: 0 bytes
        out0_sum = 0.0
        for i0 in range(0, 40):
            out0_sum += in0[i0] * in0[i0]
        out0[0] = out0_sum
    """
    if stage not in STAGES:
        raise errors.ValueError(f"stage is one of {', '.join(STAGES)}, not {stage!r}")
    program = trace(function)(*args, **kwargs)
    if stage in ("program", "derivative"):
        program = optimize(program if stage == "program" else derivative(program))
        return str(program) + account(program)
    if stage == "loops":
        return print_loops(to_loops(program))
    return to_text(program, stage)


def derivative(program: Program) -> Program:
    """Return the Program of the outputs and of the cotangents of all inputs, for given cotangents of the outputs."""
    active = [var.type.differentiable for var in program.inputs]
    if len(program.outputs) == 1 and program.outputs[0].type.differentiable and not program.outputs[0].shape:
        return gradient(program, active)
    first, second = pullback(program, active)
    kept = dict(zip(second.inputs, first.outputs[len(program.outputs) :], strict=False))
    seeds = second.inputs[len(kept) :]
    with Recorder() as recorder:
        recorder.equations += first.equations
        results = inline(second, [*kept.values(), *seeds])
    return Program([*first.inputs, *seeds], recorder.equations, [*first.outputs[: len(program.outputs)], *results])


def table(function: Callable, *args, mode: str = "forward", tangents: tuple | None = None) -> str:
    """Return the evaluation trace of a function: each intermediate value with its tangent or its adjoint, as textbooks print it.

    Parameters
    ----------
    mode
        ``"forward"``: tangents along `tangents` (by default 1 for the first argument of a floating-point dtype, 0 for the others).
        ``"reverse"``: adjoints, for the adjoint 1 of the result.

    Examples
    --------
    >>> import numpy as np, jitad
    >>> print(jitad.table(lambda x, y: np.log(x) + x * y, 2.0, 5.0, mode="reverse"))
    v-1 = x0           =  2          adjoint  5.5
    v0  = x1           =  5          adjoint  2
    v1  = log v-1      =  0.6931472  adjoint  1
    v2  = mul v-1 v0   =  10         adjoint  1
    v3  = add v1 v2    =  10.69315   adjoint  1
    """
    if mode not in ("forward", "reverse"):
        raise errors.ValueError(f'mode is "forward" or "reverse", not {mode!r}')
    compiled = function if isinstance(function, Compiled) else jit(function)
    entry, leaves = compiled.lookup(args, {})
    program = entry.traced.program
    for run in (eliminate_dead_code, simplify, eliminate_dead_code):
        program = run(program)
    numbers = [np.asarray(x, var.dtype) for x, var in zip(entry.operands(leaves), program.inputs, strict=True)]
    rows = [*program.inputs, *[var for equation in program.equations for var in equation.outputs]]
    exposed = Program(program.inputs, program.equations, rows)
    values = evaluate(exposed, *numbers)
    if mode == "forward":
        what, derivatives = "tangent", forward_column(exposed, numbers, tangents)
    else:
        what, derivatives = "adjoint", reverse_column(program, dict(zip(rows, values, strict=True)))
    names = name_rows(program, rows)
    texts = aligned(row_texts(program, names))
    lines = []
    for name, text, value, derivative in zip(aligned(names.values()), texts, aligned(map(number, values)), derivatives, strict=True):
        shown = "" if derivative is None else f"  {what}  {number(derivative)}"
        lines.append(f"{name} = {text}   =  {value}{shown}".rstrip())
    return "\n".join(lines)


def aligned(texts: Iterable[str]) -> list[str]:
    texts = list(texts)
    width = max(map(len, texts), default=0)
    return [text.ljust(width) for text in texts]


def name_rows(program: Program, rows) -> dict:
    """Return v-1, v0 for two inputs, then v1, v2, ... as Griewank and Walther number them."""
    first = 1 - len(program.inputs)
    return {var: f"v{first + k}" for k, var in enumerate(rows)}


def row_texts(program: Program, names: dict) -> list[str]:
    namer = Namer()
    namer.update(names)
    texts = [f"x{k}" for k in range(len(program.inputs))]
    for equation in program.equations:
        params = {key: value for key, value in equation.params.items() if not isinstance(value, Program) and not callable(value)}
        brief = Equation(equation.primitive, equation.inputs, params, [var.type for var in equation.outputs], equation.source)
        texts += [print_equation(brief, namer).split(" = ", 1)[1]] * len(equation.outputs)
    return texts


def forward_column(exposed: Program, numbers: list, tangents: tuple | None) -> list:
    """Return the tangent of every row; None where there is none."""
    active = [var.type.differentiable for var in exposed.inputs]
    given = flatten(tangents)[0] if tangents is not None else [float(k == active.index(True)) for k in range(len(active)) if any(active)]
    given += [0.0] * (len(active) - len(given))
    dots = [np.broadcast_to(np.asarray(dot, x.dtype), x.shape) for x, dot, moves in zip(numbers, given, active, strict=True) if moves]
    results = evaluate(jvp(exposed, active), *numbers, *dots)[len(exposed.outputs) :]
    return [dot if var.type.differentiable else None for var, dot in zip(exposed.outputs, results, strict=True)]


def reverse_column(program: Program, values: dict) -> list:
    """Return the adjoint of every row, None where there is none; `values` has the rows and what they are."""
    (result, *others) = program.outputs
    if others or result.shape or result.dtype.kind != "f" or isinstance(result, Literal):
        raise errors.TypeError("a table in reverse mode needs a function that returns one real number, computed from its arguments")
    return [adjoint(program, var, values) if var.type.differentiable else None for var in values]


def adjoint(program: Program, var: Var, values: dict):
    """Return d(result)/d(var): what follows `var` is differentiated with respect to it, with what precedes it held."""
    free = Var(var.type, var.equation)
    renamed = {var: free}
    with Recorder() as recorder:
        for equation in program.equations:
            outputs = recorder.repeat(equation, [renamed.get(atom, atom) for atom in equation.inputs])
            renamed.update((old, new) for old, new in zip(equation.outputs, outputs, strict=True) if old is not var)
        (result,) = [renamed.get(atom, atom) for atom in program.outputs]
    opened = Program([*program.inputs, free], recorder.equations, [result])
    with Recorder() as recorder:
        outputs, linear = linearize(opened, opened.inputs, [x is free for x in opened.inputs])
        (cotangent,) = map(instantiate, pull_back(linear, [full(1, result.type)]))
    held = [*[values[x] for x in program.inputs], values[var]]
    return evaluate(Program(opened.inputs, recorder.equations, [cotangent]), *held)[0]


def number(x) -> str:
    x = np.asarray(x)
    return f"{x[()]:.7g}" if not x.ndim else " ".join(np.array2string(x, precision=6, threshold=6).split())
