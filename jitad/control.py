"""Control flow as functions, with the signatures of `jax.lax`: for code that is written so already.

In: functions and trees of values. Out: trees. Within a trace they are what the statements `if`, `while` and `for` are; elsewhere they are
compiled and run. Plain statements in a traced function do the same and need none of these.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jitad.compiled import Compiled
from jitad.frontend.arrays.array import to_atom, wrap
from jitad.frontend.control.bodies import Pass, State
from jitad.frontend.control.branches import NO_SITE, choose
from jitad.frontend.control.iterables import range_
from jitad.frontend.control.loops import Staging
from jitad.frontend.control.state import Site
from jitad.frontend.control.statements import for_loop
from jitad.frontend.hooks.calls import rewrite
from jitad.frontend.tracing.trace import current_trace
from jitad.frontend.tracing.trees import flatten, unflatten
from jitad.ir import errors
from jitad.primitives.control import empty


def form(implementation: Callable) -> Callable:
    """Return the public form of ``implementation(functions, *args)``: called within a trace, compiled elsewhere."""

    @functools.lru_cache(maxsize=512)
    def compiled(functions: tuple) -> Compiled:
        return Compiled(lambda args, kwargs: implementation(tuple(map(rewrite, functions)), *args))

    @functools.wraps(implementation)
    def call(functions: tuple, *args):
        if current_trace() is not None:
            return implementation(tuple(map(rewrite, functions)), *args)
        return compiled(functions)(*args)

    return call


# --- choices ------------------------------------------------------------------------------------------------------------------------


def cond(pred, true_fun: Callable, false_fun: Callable, *operands):
    """Return ``true_fun(*operands) if pred else false_fun(*operands)``.

    Parameters
    ----------
    pred
        A number or an array of one element.
    true_fun, false_fun
        Give results of the same structure, shapes and dtypes. One of them is run.
    operands
        What it is called with.

    Examples
    --------
    >>> import numpy as np, jitad
    >>> float(jitad.cond(np.float64(2.0) > 1.0, np.sqrt, np.square, 4.0))
    2.0
    """
    return _cond((true_fun, false_fun), pred, operands)


@form
def _cond(functions: tuple, pred, operands):
    true_fun, false_fun = functions
    return choose(pred, lambda: true_fun(*operands), lambda: false_fun(*operands))


def switch(index, branches: Sequence[Callable], *operands):
    """Return ``branches[index](*operands)``; an index that is too small or too large means the first or the last branch.

    Parameters
    ----------
    index
        An integer.
    branches
        Functions that give results of the same structure, shapes and dtypes. One of them is run.
    operands
        What it is called with.

    Raises
    ------
    ValueError
        There are no branches.

    Examples
    --------
    >>> import numpy as np, jitad
    >>> float(jitad.switch(1, [np.sin, np.square, np.sqrt], 3.0))
    9.0
    """
    if not branches:
        raise errors.ValueError("switch needs at least one branch")
    return _switch(tuple(branches), index, operands)


@form
def _switch(branches: tuple, index, operands):
    if len(branches) == 1:
        return branches[0](*operands)
    middle = len(branches) // 2
    return choose(index < middle, lambda: _switch.__wrapped__(branches[:middle], index, operands),
                  lambda: _switch.__wrapped__(branches[middle:], index - middle, operands))


# --- loops --------------------------------------------------------------------------------------------------------------------------


def while_loop(cond_fun: Callable, body_fun: Callable, init_val):
    """Return what ``while cond_fun(value): value = body_fun(value)`` makes of `init_val`.

    Parameters
    ----------
    cond_fun
        Gives a number or an array of one element.
    body_fun
        Gives a value of the structure, shapes and dtypes of `init_val`.
    init_val
        Any tree of arrays and numbers.

    Examples
    --------
    >>> import jitad
    >>> int(jitad.while_loop(lambda n: n < 100, lambda n: 3 * n, 1))
    243
    """
    return _while((cond_fun, body_fun), init_val)


@form
def _while(functions: tuple, value):
    cond_fun, body_fun = functions

    def test():
        return cond_fun(value)

    def body():
        nonlocal value
        value = body_fun(value)

    Staging(Site(("value",)), body, test=test).run()
    return value


def fori_loop(lower, upper, body_fun: Callable, init_val):
    """Return what ``for i in range(lower, upper): value = body_fun(i, value)`` makes of `init_val`.

    Parameters
    ----------
    lower, upper
        Integers.
    body_fun
        Gives a value of the structure, shapes and dtypes of `init_val`.
    init_val
        Any tree of arrays and numbers.

    Examples
    --------
    >>> import jitad
    >>> float(jitad.fori_loop(0, 10, lambda i, s: s + i, 0.0))
    45.0
    """
    return _fori((body_fun,), lower, upper, init_val)


@form
def _fori(functions: tuple, lower, upper, value):
    (body_fun,) = functions

    def body(i):
        nonlocal value
        value = body_fun(i, value)

    for_loop(range_(lower, upper), body, None, Site(("value",)), NO_SITE)
    return value


def scan(f: Callable, init, xs=None, length: int | None = None, reverse: bool = False):
    """Run ``carry, y = f(carry, x)`` over the leading axis of `xs` and return the last carry and the stacked ys.

    Parameters
    ----------
    f
        Takes the carried value and a slice of `xs`, and gives the new carried value, of the same structure, shapes and dtypes, and a result.
    init
        The first carried value, any tree of arrays and numbers.
    xs
        A tree of arrays with the same number of elements along their first axes, or None.
    length
        That number, where there are no `xs`.
    reverse
        Run from the last slice to the first; ys are stacked in the order of xs.

    Returns
    -------
    carry, ys
        The last carried value, and the results along a new first axis.

    Raises
    ------
    ValueError
        The numbers of elements differ, or neither `xs` nor `length` is given.
    TypeError
        `f` does not return a pair.

    Examples
    --------
    >>> import numpy as np, jitad
    >>> total, sums = jitad.scan(lambda s, x: (s + x, s + x), 0.0, np.arange(4.0))
    >>> float(total), sums
    (6.0, array([0., 1., 3., 6.]))
    """
    return _scan((f,), init, xs, length, bool(reverse))


@form
def _scan(functions: tuple, carry, xs, length, reverse):
    (f,) = functions
    leaves, treedef = flatten(xs)
    arrays = [wrap(to_atom(leaf), scalar=False) for leaf in leaves]
    extents = {array.shape[0] for array in arrays} | ({int(length)} if length is not None else set())
    if len(extents) != 1:
        raise errors.ValueError(f"scan: the leading extents of xs and the length are to be one number; they are {sorted(extents)}")
    (count,) = extents

    def step(carry, k):
        at = count - 1 - k if reverse else k
        result = f(carry, unflatten(treedef, [array[at] for array in arrays]))
        if not isinstance(result, tuple) or len(result) != 2:
            raise errors.TypeError("the function of scan returns a pair (carry, y)")
        return at, *result

    buffers, structure = make_buffers(step, carry, count)

    def body(k):
        nonlocal carry
        at, carry, y = step(carry, k)
        for buffer, leaf in zip(buffers, flatten(y)[0], strict=True):
            buffer[at] = leaf

    for_loop(range(count), body, None, Site(("carry",), changed=("buffers",)), NO_SITE)
    return carry, unflatten(structure, buffers)


def make_buffers(step: Callable, carry, count: int) -> tuple[list, Any]:
    """Return arrays for the results of all steps, and their structure."""
    state = State((step,), ())
    types: list = []

    def looked_at():
        leaves, structure = flatten(step(carry, wrap(to_atom(0), weak=True))[2])
        types[:] = [[to_atom(leaf).type for leaf in leaves], structure]

    Pass(looked_at, state, state.save())
    return [wrap(empty(shape=(count, *type.shape), dtype=np.dtype(type.dtype)), scalar=False) for type in types[0]], types[1]
