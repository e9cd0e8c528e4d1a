"""The kernels compiled in this process, by what determines their code.

In: a Program. Out: its `Kernel`. Invariant: two Programs share a kernel only if they consist of the same equations, from the same lines,
under the same settings.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from jitad.codegen.kernel import Kernel
from jitad.ir.program import Literal, Program
from jitad.runtime.config import config

_kernels: dict[tuple, Kernel] = {}
_lock = threading.RLock()


def get(program: Program, make: Callable[[], Kernel]) -> Kernel:
    """Return the kernel of `program`; `make` compiles it if no equal Program has been compiled before."""
    key = (content(program), config.strict)
    with _lock:
        kernel = _kernels.get(key)
        if kernel is None:
            start = time.perf_counter()
            kernel = _kernels[key] = make()
            config.counters.compiles += 1
            if config.verbose:
                seconds = time.perf_counter() - start
                print(f"jitad: compiled {len(program.equations)} equations in {seconds:.2f} s")
        return kernel


def content(program: Program) -> tuple:
    """Return a hashable value that is equal for Programs that compute the same in the same way."""
    numbers = {var: k for k, var in enumerate(program.inputs)}

    def operand(atom):
        return (atom.value.tobytes(), atom.dtype) if isinstance(atom, Literal) else numbers[atom]

    equations = []
    for equation in program.equations:
        inputs = tuple([operand(atom) for atom in equation.inputs])
        params = tuple([(name, value if hashable(value) else id(value)) for name, value in equation.params.items()])
        equations.append((equation.primitive, inputs, params, equation.source))
        for var in equation.outputs:
            numbers[var] = len(numbers)
    return tuple(program.input_types), tuple(equations), tuple(map(operand, program.outputs))


def hashable(value) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def clear() -> None:
    """Forget all kernels."""
    with _lock:
        _kernels.clear()
