"""Full Jacobians and Hessians: all columns, or all rows, at once."""

from __future__ import annotations

from collections.abc import Callable

from jitad.api import Argnums, Memory, budgeted, decorator, gradient_of
from jitad.compiled import Compiled
from jitad.frontend.hooks.calls import rewrite
from jitad.functional import jacobians
from jitad.transform.vjp import columns, rows


def compiled_jacobian(function: Callable, argnums: Argnums, mode: str | None, memory: Memory = None) -> Compiled:
    budget = budgeted(memory, rows)
    return Compiled(lambda args, kwargs: jacobians.jacobian(rewrite(function), argnums, mode, args, kwargs, budget()), function)


@decorator
def jacobian(function: Callable, argnums: Argnums = 0) -> Compiled:
    """Return a function that gives the Jacobian of `function`, by the mode that takes fewer passes.

    Parameters
    ----------
    function
        Takes and returns real arrays and numbers, and nested containers of them.
    argnums
        The positional argument to differentiate with respect to, or several.

    Returns
    -------
    Compiled
        For each result of the function, what it gives has the structure of the argument (a tuple of that for several), with arrays of
        shape ``(*shape of the result, *shape of the argument)``.

    Raises
    ------
    TypeError
        An argument of interest or a result is not real and floating-point.

    Examples
    --------
    >>> import numpy as np, jitad
    >>> jitad.jacobian(np.cumsum)(np.array([1.0, 2.0]))
    array([[1., 0.],
           [1., 1.]])
    """
    return compiled_jacobian(function, argnums, None)


@decorator
def jacfwd(function: Callable, argnums: Argnums = 0) -> Compiled:
    """Return `jacobian` by forward mode, all columns at once: good for few inputs.

    Parameters
    ----------
    function, argnums
        As for `jacobian`, and so are what is returned and what is raised.

    Examples
    --------
    >>> import numpy as np, jitad
    >>> jitad.jacfwd(lambda x: x ** 2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    return compiled_jacobian(function, argnums, "forward")


@decorator
def jacrev(function: Callable, argnums: Argnums = 0, memory: Memory = None) -> Compiled:
    """Return `jacobian` by reverse mode, all rows at once: good for few results.

    Parameters
    ----------
    function, argnums
        As for `jacobian`, and so are what is returned and what is raised.
    memory
        How much a call may take, as for `value_and_grad`.

    Examples
    --------
    >>> import numpy as np, jitad
    >>> jitad.jacrev(lambda x: np.array([x[0] * x[1], x[0] + x[1]]))(np.array([2.0, 3.0]))
    array([[3., 2.],
           [1., 1.]])
    """
    return compiled_jacobian(function, argnums, "reverse", memory)


@decorator
def hessian(function: Callable, argnums: Argnums = 0, memory: Memory = None) -> Compiled:
    """Return a function that gives the matrix of second derivatives of `function`, forward over reverse.

    Parameters
    ----------
    function
        Returns one real number.
    argnums
        The positional argument to differentiate with respect to, or several.
    memory
        How much a call may take, as for `value_and_grad`.

    Returns
    -------
    Compiled
        Arrays of shape ``(*shape of the argument, *shape of the argument)``; a tree of trees of them for trees, a tuple of tuples for several
        arguments.

    Examples
    --------
    >>> import numpy as np, jitad
    >>> jitad.hessian(lambda x: x[0] * x[1] ** 2)(np.array([1.0, 3.0]))
    array([[0., 6.],
           [6., 2.]])
    """
    gradient = gradient_of(function, argnums, False, "hessian", budgeted(memory, columns))
    return Compiled(lambda args, kwargs: jacobians.jacobian(gradient, argnums, "forward", args, kwargs), function)
