"""Products with derivatives, without forming matrices: along directions, with the adjoint, with the Hessian.

Within a trace they are recorded; elsewhere each is compiled, once for each function.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from jitad.api import Memory, budgeted, gradient_of
from jitad.compiled import Compiled
from jitad.frontend.hooks.calls import rewrite
from jitad.frontend.tracing.trace import current_trace
from jitad.functional import forward, reverse
from jitad.pullbacks import bytes_of_pullback, cut_pullback, linearize_concretely, vjp_concretely


def cached(make: Callable) -> Callable[[Callable], Compiled]:
    """Let what is made of a function be remembered, if the function is hashable."""
    remembered = functools.lru_cache(maxsize=512)(make)

    def made(function: Callable) -> Compiled:
        try:
            return remembered(function)
        except TypeError:
            return make(function)

    return made


@cached
def plain(function: Callable) -> Compiled:
    return Compiled(lambda args, kwargs: rewrite(function)(*args, **kwargs), function)


@cached
def along(function: Callable) -> Compiled:
    return Compiled(lambda args, kwargs: forward.jvp(rewrite(function), *args))


@cached
def gradient_along(function: Callable) -> Compiled:
    def body(args, kwargs):
        primals, tangents = args
        argnums = tuple(range(len(primals)))
        _, product = forward.jvp(gradient_of(function, argnums, False, "hvp"), primals, tangents)
        return product[0] if len(primals) == 1 else product

    return Compiled(body, function)


def jvp(function: Callable, primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    """Return the value of a function and its derivative along a direction.

    Parameters
    ----------
    function
        Takes positional arguments.
    primals, tangents
        Tuples of the arguments and of their tangents, of the same structure, shapes and dtypes.

    Returns
    -------
    value, tangent
        Both of the structure, shapes and dtypes of the result.

    Raises
    ------
    TypeError
        There are not as many tangents as arguments, a tangent does not fit its argument, or an argument is not floating-point.

    Examples
    --------
    >>> import numpy as np, jitad
    >>> value, slope = jitad.jvp(np.sin, (0.0,), (2.0,))
    >>> float(value), float(slope)
    (0.0, 2.0)
    """
    forward.check_pairs(primals, tangents, "jvp")
    return along(function)(tuple(primals), tuple(tangents))


def vjp(function: Callable, *primals, has_aux: bool = False, memory: Memory = None):
    """Return the value of a function and its pullback, the adjoint of its derivative.

    Parameters
    ----------
    function
        Takes positional arguments; with `has_aux` it returns a pair of what is differentiated and anything else.
    primals
        The arguments.
    has_aux
        Whether `function` returns (value, auxiliary results).
    memory
        How much function and pullback may take together, as for `value_and_grad`.

    Returns
    -------
    value, pullback
        ``pullback(cotangent)`` gives a tuple of cotangents, one for each argument; the cotangent has the structure, shapes and dtypes of the
        value. It may be called several times. With `has_aux`, ``(value, pullback, aux)`` is returned.

    Examples
    --------
    >>> import numpy as np, jitad
    >>> value, pullback = jitad.vjp(np.multiply, 3.0, 4.0)
    >>> tuple(map(float, pullback(1.0)))
    (4.0, 3.0)
    """
    budget = budgeted(memory, cut_pullback, bytes_of_pullback)()
    if current_trace() is not None:
        return reverse.vjp(rewrite(function), primals, has_aux, budget)
    return vjp_concretely(plain(function), primals, has_aux, budget)


def linearize(function: Callable, *primals):
    """Return the value of a function and its derivative there, as a function of tangents.

    Parameters
    ----------
    function
        Takes positional arguments.
    primals
        The arguments.

    Returns
    -------
    value, push
        ``push(*tangents)`` gives the tangent of the value; what depends on the arguments alone has been computed, so further directions are
        cheaper than by `jvp`.

    Examples
    --------
    >>> import numpy as np, jitad
    >>> value, push = jitad.linearize(np.square, 3.0)
    >>> float(value), float(push(1.0))
    (9.0, 6.0)
    """
    if current_trace() is not None:
        return forward.linear_function(rewrite(function), primals)
    return linearize_concretely(plain(function), primals)


def hvp(function: Callable, primals: tuple, tangents: tuple):
    """Return the product of the Hessian of a function and a vector, without forming the Hessian.

    Parameters
    ----------
    function
        Takes positional arguments and returns one real number.
    primals, tangents
        Tuples of the arguments and of the parts of the vector, of the same structure, shapes and dtypes.

    Returns
    -------
    product
        Of the structure, shapes and dtypes of the argument; a tuple of them for several arguments.

    Examples
    --------
    >>> import numpy as np, jitad
    >>> jitad.hvp(lambda x: np.sum(x ** 3), (np.array([1.0, 2.0]),), (np.array([1.0, 1.0]),))
    array([ 6., 12.])
    """
    forward.check_pairs(primals, tangents, "hvp")
    return gradient_along(function)(tuple(primals), tuple(tangents))
