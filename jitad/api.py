"""The public transformations of functions; products with derivatives are in `products`, full Jacobians and Hessians in `jacobians`.

Each is a `Compiled` function whose body is the transformation's meaning within a trace.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence

from jitad.compiled import Compiled
from jitad.frontend.arrays.array import Array, to_atom, wrap
from jitad.frontend.control.subprograms import as_equation
from jitad.frontend.hooks.calls import rewrite
from jitad.frontend.tracing.trees import flatten, unflatten
from jitad.functional import batching, reverse
from jitad.functional.inner import title
from jitad.functional.reverse import Budget
from jitad.ir import errors
from jitad.pipeline import bytes_filled, most_bytes
from jitad.primitives.control import checkpoint as checkpoint_primitive
from jitad.primitives.custom import stop_gradient as stop_gradient_primitive
from jitad.runtime.config import byte_count, config
from jitad.transform.vjp import gradient as gradient_program

Argnums = int | Sequence[int]
Memory = int | str | None
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def budgeted(memory: Memory, derivative: Callable, bytes_of: Callable = lambda count, program: count(program)) -> Callable[[], Budget | None]:
    """Return a function that gives the budget for ``derivative(program, active)``, None if there is none.

    ``bytes_of(count, derivative)`` gives the bytes in all if ``count`` gives those of a Program.
    """
    own = None if memory is None else byte_count(memory)

    def budget() -> Budget | None:
        limit = byte_count(config.memory) if own is None and config.memory is not None else own
        counts = [lambda *known, count=count: bytes_of(count, derivative(*known)) for count in (most_bytes, bytes_filled)]
        return None if limit is None else Budget(limit, *counts)

    return budget


def decorator(transformation: Callable) -> Callable:
    """Let a transformation be used bare, ``@grad``, and with options, ``@grad(argnums=1)``; what it gives remembers how it was made."""

    @functools.wraps(transformation)
    def transform(function: Callable | None = None, *args, **options):
        if function is None:
            return lambda f: transform(f, **options)
        if not callable(function):
            raise errors.TypeError(f"{transformation.__name__} takes a function, not {function!r}, which is a {type(function).__name__}")
        result = transformation(function, *args, **options)
        result.recipe = functools.partial(transform, **options), (function, *args)
        return result

    return transform


@decorator
def jit(function: Callable, static_argnums: Argnums = (), static_argnames: str | Sequence[str] = ()) -> Compiled:
    """Compile a function.

    Parameters
    ----------
    function
        Takes and returns arrays, scalars and nested containers of them. Arrays that it changes in place are changed for the caller.
        It runs once, to be traced; what it prints is written, with the values, whenever the compiled function runs. Results may be arrays and
        lists whose lengths only the run decides.
    static_argnums, static_argnames
        Arguments whose values are part of the signature. Strings, callables and other objects always are, and integers and booleans
        become so when their values decide a shape, a loop or a branch.

    Returns
    -------
    Compiled
        A function of the same arguments and results; it traces and compiles at the first call with each combination of structure,
        dtypes and shapes.

    Examples
    --------
    >>> import numpy as np, jitad
    >>> @jitad.jit
    ... def norm(x):
    ...     return np.sqrt(np.sum(x ** 2))
    >>> float(norm(np.array([3.0, 4.0])))
    5.0
    """
    static_argnums = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)
    static_argnames = (static_argnames,) if isinstance(static_argnames, str) else tuple(static_argnames)
    static_argnums, static_argnames = by_number_and_name(function, static_argnums, static_argnames)
    return Compiled(lambda args, kwargs: rewrite(function)(*args, **kwargs), function, static_argnums, static_argnames)


def by_number_and_name(function: Callable, numbers: tuple[int, ...], names: tuple[str, ...]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return the numbers and the names of the arguments that `numbers` or `names` mention, as far as they are known."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return numbers, names
    kinds = [parameter.kind for parameter in parameters.values()]
    missing = [name for name in names if name not in parameters]
    if missing and inspect.Parameter.VAR_KEYWORD not in kinds:
        raise errors.ValueError(f"{title(function)} has no argument {missing[0]!r}, which static_argnames mentions")
    positional = [name for name, kind in zip(parameters, kinds, strict=True) if kind in POSITIONAL]
    static = {name for k, name in enumerate(positional) if k in numbers or name in names}
    return (*numbers, *[k for k, name in enumerate(positional) if name in static]), (*names, *static)


@decorator
def value_and_grad(function: Callable, argnums: Argnums = 0, has_aux: bool = False, memory: Memory = None) -> Compiled:
    """Return a function that gives the value of `function` and its gradient.

    Parameters
    ----------
    function
        Returns one real number; with `has_aux`, a pair of that and anything else.
    argnums
        The positional argument to differentiate with respect to, or several.
    has_aux
        Whether `function` returns (value, auxiliary results).
    memory
        How much a call may take, its results included, as a number of bytes or a text such as ``"200MB"``; by default that of
        ``jitad.config.memory``. If what the reverse sweep needs of each trip of a loop does not fit, the loop is run again from snapshots of
        its state, by the schedule that runs the fewest trips, also where their number is only known when it runs (``while``, ``break``). The
        results are the same.

    Returns
    -------
    Compiled
        ``(value, gradient)``, or ``((value, aux), gradient)``. The gradient has the structure, shapes and dtypes of the argument (a tuple
        of them for several). At complex arguments it is df/dx + i df/dy, the direction of steepest ascent, as in PyTorch; JAX's is the
        conjugate.

    Raises
    ------
    TypeError
        The result is not a real scalar, or an argument of interest is not floating-point.
    MemoryError
        `memory` is too little; the message says how much would do.

    Examples
    --------
    >>> import numpy as np, jitad
    >>> value, gradient = jitad.value_and_grad(lambda x: np.sum(x ** 2))(np.array([1.0, 2.0]))
    >>> float(value), gradient
    (5.0, array([2., 4.]))
    """
    taken = budgeted(memory, gradient_program)
    return Compiled(
        lambda args, kwargs: reverse.value_and_grad(rewrite(function), argnums, has_aux, "value_and_grad", args, kwargs, taken()), function
    )


@decorator
def grad(function: Callable, argnums: Argnums = 0, has_aux: bool = False, memory: Memory = None) -> Compiled:
    """Return a function that gives the gradient of `function`.

    Parameters
    ----------
    function, argnums, has_aux, memory
        As for `value_and_grad`.

    Returns
    -------
    Compiled
        ``gradient``, or ``(gradient, aux)`` with `has_aux`. The gradient has the structure, shapes and dtypes of the argument (a tuple of them
        for several).

    Raises
    ------
    TypeError
        The result is not a real scalar, or an argument of interest is not floating-point.

    Examples
    --------
    >>> import numpy as np, jitad
    >>> @jitad.grad
    ... def slope(x):
    ...     return np.sin(x) * x
    >>> float(slope(0.0))
    0.0
    >>> jitad.grad(lambda x: x * jitad.grad(lambda y: x + y)(1.0))(1.0) == 1
    np.True_
    """
    return gradient_of(function, argnums, has_aux, "grad", budgeted(memory, gradient_program))


def gradient_of(function: Callable, argnums: Argnums, has_aux: bool, name: str, budget: Callable[[], Budget | None] = lambda: None) -> Compiled:
    """Return `grad` by the name that its errors are to mention."""

    def body(args, kwargs):
        value, gradient = reverse.value_and_grad(rewrite(function), argnums, has_aux, name, args, kwargs, budget())
        return (gradient, value[1]) if has_aux else gradient

    return Compiled(body, function)


@decorator
def vmap(function: Callable, in_axes=0, out_axes=0) -> Compiled:
    """Return a function that maps `function` over an axis of its arguments, all members at once.

    Parameters
    ----------
    in_axes
        The axis to map over, for all positional arguments or as a tuple of one for each (trees of axes for trees of arguments); None: the
        argument is the same for all members, as keyword arguments are.
    out_axes
        Where the axis goes in the results; None for a result that is the same for all members.

    Examples
    --------
    >>> import numpy as np, jitad
    >>> jitad.vmap(np.dot)(np.eye(2), np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([1., 4.])
    """
    return Compiled(lambda args, kwargs: batching.vmap(rewrite(function), in_axes, out_axes, args, kwargs), function)


@decorator
def checkpoint(function: Callable) -> Compiled:
    """Return a function that does what `function` does, but whose intermediate values are not kept for the reverse sweep.

    They are computed again, from its arguments and what it reads from outside, when the reverse sweep comes to it: the memory that they
    take is paid for with one more evaluation. It may be called anywhere, in loops and within other checkpointed functions too.

    Examples
    --------
    >>> import numpy as np, jitad
    >>> layer = jitad.checkpoint(lambda x: np.sin(x * x) * x)
    >>> jitad.grad(lambda x: np.sum(layer(layer(x))))(np.array([0.0, 1.0])).round(4)
    array([0.    , 3.3177])
    """
    return Compiled(lambda args, kwargs: as_equation(rewrite(function), args, kwargs, checkpoint_primitive), function)


def stop_gradient(x):
    """Return `x`, to be held constant in differentiation. Containers are taken leaf by leaf.

    Examples
    --------
    >>> import jitad
    >>> float(jitad.grad(lambda x: x * jitad.stop_gradient(x))(3.0))
    3.0
    """
    leaves, treedef = flatten(x)
    held = [wrap(stop_gradient_primitive(to_atom(leaf)), scalar=leaf.scalar) if isinstance(leaf, Array) else leaf for leaf in leaves]
    return unflatten(treedef, held)
