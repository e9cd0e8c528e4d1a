"""What each library makes of a benchmark.

In: a `Benchmark`. Out: a function of no arguments that computes the value and the gradients and returns when they are there. Invariant:
every library gets the same source, with `np` bound to its own namespace, and its own arrays made beforehand.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib.util import find_spec
from types import FunctionType, ModuleType

import numpy as np

from benchmarks.benchmark import Benchmark

Call = Callable[[], tuple]


def written_for(library: ModuleType, function: FunctionType) -> FunctionType:
    """Return `function` with `np` bound to `library`, and so the functions beside it that it calls."""
    scope = dict(function.__globals__, np=library)
    for name, value in function.__globals__.items():
        if isinstance(value, FunctionType) and value.__module__ == function.__module__:
            scope[name] = FunctionType(value.__code__, scope, name, value.__defaults__, value.__closure__)
    return scope[function.__name__]


def source(name: str, library: ModuleType, namespace: ModuleType, benchmark: Benchmark) -> Callable:
    """Return the program as a contender takes it."""
    if name in benchmark.written:
        return functools.partial(benchmark.written[name], library)
    return written_for(namespace, benchmark.function)


def argnums(benchmark: Benchmark) -> tuple[int, ...]:
    return tuple(range(benchmark.differentiated))


def by_hand(benchmark: Benchmark, fastmath: bool = False) -> Call:
    import numba

    return functools.partial(numba.njit(error_model="numpy", fastmath=fastmath)(benchmark.by_hand), *benchmark.arguments, *benchmark.workspace)


def jitad(benchmark: Benchmark) -> Call:
    import jitad

    return functools.partial(jitad.value_and_grad(benchmark.function, argnums(benchmark)), *benchmark.arguments)


def jax(benchmark: Benchmark) -> Call:
    import jax

    compiled, arguments = compiled_by_jax(benchmark)
    return lambda: jax.block_until_ready(compiled(*arguments))


def compiled_by_jax(benchmark: Benchmark) -> tuple[Callable, tuple]:
    """Return the compiled function, which takes Python's integers (numbers of steps) when it is compiled, and its other arguments."""
    import jax

    jax.config.update("jax_enable_x64", True)
    function = source("JAX", jax, jax.numpy, benchmark)
    static = [k for k, x in enumerate(benchmark.arguments) if isinstance(x, int)] if "JAX" in benchmark.written else []
    given = [x for k, x in enumerate(benchmark.arguments) if k not in static]

    def of_others(*others):
        rest = iter(others)
        return function(*[x if k in static else next(rest) for k, x in enumerate(benchmark.arguments)])

    arguments = jax.device_put(tuple(given))
    return jax.jit(jax.value_and_grad(of_others, argnums(benchmark))).lower(*arguments).compile(), arguments


def torch(benchmark: Benchmark, compiled: bool = False) -> Call:
    import torch

    function = source("PyTorch", torch, named(torch, copy=torch.clone, maximum=torch.clamp_min, minimum=torch.clamp_max), benchmark)
    if compiled:
        torch._dynamo.reset()
        function = torch.compile(function, dynamic=False)
    inputs = [torch.tensor(x).requires_grad_() for x in map(np.asarray, benchmark.arguments[: benchmark.differentiated])]
    arguments = inputs + [torch.from_numpy(x) if isinstance(x, np.ndarray) else x for x in benchmark.arguments[benchmark.differentiated :]]

    def call():
        value = function(*arguments)
        return value.detach(), torch.autograd.grad(value, inputs)

    return call


def autograd(benchmark: Benchmark) -> Call:
    import autograd
    import autograd.numpy

    function = written_for(autograd.numpy, benchmark.function)
    return functools.partial(autograd.value_and_grad(function, argnums(benchmark)), *benchmark.arguments)


def pytensor(benchmark: Benchmark) -> Call:
    import pytensor
    import pytensor.tensor as tensor

    inputs = [tensor.tensor(dtype=x.dtype, shape=x.shape) for x in benchmark.arguments]
    value = source("PyTensor", pytensor, named(tensor, amax=tensor.max), benchmark)(*inputs)
    gradients = pytensor.grad(value, inputs[: benchmark.differentiated])
    compiled = pytensor.function(inputs, [value, *gradients], mode="NUMBA", trust_input=True)
    return functools.partial(compiled, *benchmark.arguments)


def casadi(benchmark: Benchmark) -> Call:
    import casadi

    symbol = casadi.MX if "CasADi" in benchmark.written else casadi.SX  # nodes of arrays, or of single numbers
    inputs = [symbol.sym(f"x{k}", *x.shape) for k, x in enumerate(benchmark.arguments)]
    value = source("CasADi", casadi, named(casadi, sum=lambda x: casadi.sum1(casadi.vec(x))), benchmark)(*inputs)
    gradients = [casadi.gradient(value, x) for x in inputs[: benchmark.differentiated]]
    compiled = casadi.Function("benchmark", inputs, [value, *gradients])

    def call():
        value, *gradients = compiled.call(benchmark.arguments)
        return float(value), [x.full().reshape(y.shape) for x, y in zip(gradients, benchmark.arguments, strict=False)]

    return call


def named(library: ModuleType, **functions: Callable) -> ModuleType:
    """Return a library with some functions by NumPy's names."""
    names = ModuleType(f"{library.__name__} by NumPy's names")
    names.__dict__.update(vars(library), **functions)
    return names


def devito(benchmark: Benchmark) -> Call:
    import devito

    devito.configuration["language"], devito.configuration["log-level"] = "C", "ERROR"
    return benchmark.written["Devito"](devito, *benchmark.arguments)


PREPARATIONS: dict[str, tuple[str, Callable[[Benchmark], Call]]] = {
    "by hand": ("numba", by_hand),
    "by hand, fastmath": ("numba", functools.partial(by_hand, fastmath=True)),
    "jitad": ("jitad", jitad),
    "JAX": ("jax", jax),
    "PyTorch": ("torch", torch),
    "torch.compile": ("torch", functools.partial(torch, compiled=True)),
    "autograd": ("autograd", autograd),
    "PyTensor": ("pytensor", pytensor),
    "CasADi": ("casadi", casadi),
    "Devito": ("devito", devito),
}


def bytes_by_hand(benchmark: Benchmark) -> int:
    return sum(x.nbytes for x in benchmark.workspace) + results_bytes(benchmark)


def bytes_of_jitad(benchmark: Benchmark) -> int:
    import jitad
    from jitad.pipeline import bytes_taken

    return bytes_taken(jitad.trace(jitad.value_and_grad(benchmark.function, argnums(benchmark)))(*benchmark.arguments))


def bytes_of_jax(benchmark: Benchmark) -> int:
    found = compiled_by_jax(benchmark)[0].memory_analysis()
    return found.temp_size_in_bytes + found.output_size_in_bytes


def results_bytes(benchmark: Benchmark) -> int:
    return sum(np.asarray(x).nbytes for x in benchmark.arguments[: benchmark.differentiated])


MEMORY: dict[str, Callable[[Benchmark], int]] = {"by hand": bytes_by_hand, "jitad": bytes_of_jitad, "JAX": bytes_of_jax}
"""What a call takes besides its arguments, its results included: counted, since what a process holds is mostly libraries."""

BY_HAND = ("by hand", "by hand, fastmath")


def takes(name: str, benchmark: Benchmark) -> bool:
    """Whether a program is for a contender at all."""
    return name in (*BY_HAND, "jitad", *benchmark.plain, *benchmark.written)


def installed() -> dict[str, Callable[[Benchmark], Call]]:
    """Return the contenders whose library is there, by name; those by hand come first."""
    return {name: prepare for name, (module, prepare) in PREPARATIONS.items() if find_spec(module)}
