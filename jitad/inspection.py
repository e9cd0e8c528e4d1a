"""Looking inside: the text of a program at every stage, and the evaluation trace that textbooks print."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jitad.api import jit
from jitad.compiled import Compiled
from jitad.frontend.trees import flatten
from jitad.ir import errors
from jitad.ir.interpreter import evaluate
from jitad.ir.printer import Namer, print_equation
from jitad.ir.program import Literal, Program
from jitad.ir.recorder import Recorder, inline
from jitad.ir.verifier import verify
from jitad.lower.printer import print_loops
from jitad.pipeline import optimize, to_kernel, to_loops
from jitad.runtime.execute import as_input
from jitad.transform.jvp import jvp
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
        ``"program"``: what was traced, optimized. ``"derivative"``: the Program of its value and pullback. ``"loops"``: the fused loop
        nests, as Python-like text. ``"llvm"`` and ``"asm"``: what the kernel became.

    Examples
    --------
    >>> import numpy as np, jitad
    >>> print(jitad.show(lambda x: np.sum(x * x), np.ones(4), stage="loops"))
    def kernel(in0: f64[4]) -> (out0: f64[]):  # workspace: 0 bytes
        out0_sum = 0.0
        for i0 in range(0, 4):
            out0_sum += in0[i0] * in0[i0]
        out0[0] = out0_sum
    """
    if stage not in STAGES:
        raise errors.ValueError(f"stage is one of {', '.join(STAGES)}, not {stage!r}")
    program = trace(function)(*args, **kwargs)
    if stage == "program":
        return str(optimize(program))
    if stage == "derivative":
        return str(optimize(derivative(program)))
    if stage == "loops":
        return print_loops(to_loops(program))
    kernel = to_kernel(program)
    return kernel.llvm if stage == "llvm" else kernel.assembly


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
        ``"forward"``: tangents along `tangents` (default: 1 for the first argument, 0 for the others). ``"reverse"``: adjoints, for the
        adjoint 1 of the result.

    Examples
    --------
    >>> import numpy as np, jitad
    >>> print(jitad.table(lambda x, y: np.log(x) + x * y, 2.0, 5.0, mode="reverse"))
    v-1 = x0           =  2    adjoint  5.5
    v0  = x1           =  5    adjoint  2
    v1  = log v-1      =  0.6931472    adjoint  1
    v2  = mul v-1 v0   =  10    adjoint  1
    v3  = add v1 v2    =  10.69315    adjoint  1
    """
    program = optimize(trace(function)(*args))
    if mode not in ("forward", "reverse"):
        raise errors.ValueError(f'mode is "forward" or "reverse", not {mode!r}')
    values = [as_input(np.asarray(x), np.asarray(x).dtype) for x in flatten(args)[0]]
    values += [np.asarray(array) for array, _ in captured_arrays(function, args)]
    rows = [*program.inputs, *[var for equation in program.equations for var in equation.outputs]]
    names = name_rows(program, rows)
    exposed = Program(program.inputs, program.equations, rows)
    numbers = [np.asarray(x, var.dtype) for x, var in zip(values, program.inputs, strict=True)]
    primal = evaluate(exposed, *numbers)
    derivatives = forward_column(exposed, numbers, tangents) if mode == "forward" else reverse_column(program, rows, numbers)
    what = {"forward": "tangent", "reverse": "adjoint"}[mode]
    texts = row_texts(program, names)
    lines = []
    for var, value, derivative_value, text in zip(rows, primal, derivatives, texts, strict=True):
        shown = "" if derivative_value is None else f"    {what}  {number(derivative_value)}"
        lines.append(f"{names[var]:<{max(map(len, names.values()))}} = {text:<{max(map(len, texts))}}   =  {number(value)}{shown}")
    return "\n".join(lines)


def captured_arrays(function, args):
    compiled = function if isinstance(function, Compiled) else jit(function)
    return compiled.lookup(args, {})[0].traced.captured


def name_rows(program: Program, rows) -> dict:
    """Return v-1, v0 for two inputs, then v1, v2, ... as Griewank and Walther number them."""
    first = 1 - len(program.inputs)
    return {var: f"v{first + k}" for k, var in enumerate(rows)}


def row_texts(program: Program, names: dict) -> list[str]:
    namer = Namer()
    namer.update(names)
    texts = [f"x{k}" for k in range(len(program.inputs))]
    for equation in program.equations:
        text = print_equation(equation, namer).split(" = ", 1)[1]
        texts += [text] * len(equation.outputs)
    return texts


def forward_column(exposed: Program, numbers, tangents) -> list:
    active = [var.type.differentiable for var in exposed.inputs]
    given = flatten(tangents)[0] if tangents is not None else [1.0]
    dots = []
    for k, (x, moves) in enumerate(zip(numbers, active, strict=True)):
        if moves:
            dots.append(np.broadcast_to(np.asarray(given[k] if k < len(given) else 0.0, x.dtype), x.shape))
    results = evaluate(jvp(exposed, active), *numbers, *dots)
    return results[len(exposed.outputs) :]


def reverse_column(program: Program, rows, numbers) -> list:
    """Return the adjoint of every row: the gradient with respect to an addition to it."""
    if len(program.outputs) != 1 or program.outputs[0].shape or isinstance(program.outputs[0], Literal):
        raise errors.TypeError("table in reverse mode needs a function that returns one number")
    column = []
    for var in rows:
        column.append(adjoint(program, var, numbers) if var.type.differentiable else None)
    return column


def adjoint(program: Program, var, numbers):
    """Return d(output)/d(var): what follows `var` is differentiated with respect to it, with what precedes it held."""
    after = [equation for equation in program.equations if var not in equation.outputs]
    opened = Program([*program.inputs, var], after, program.outputs) if var not in program.inputs else program
    place = len(program.inputs) if var not in program.inputs else program.inputs.index(var)
    active = [k == place for k in range(len(opened.inputs))]
    (value,) = evaluate(Program(program.inputs, program.equations, [var]), *numbers)
    operands = [*numbers, value] if var not in program.inputs else numbers
    return evaluate(gradient(opened, active), *operands)[-1]


def number(x) -> str:
    x = np.asarray(x)
    return f"{x[()]:.7g}" if not x.ndim else np.array2string(x, precision=6, threshold=6)

