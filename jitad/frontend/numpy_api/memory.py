"""In which order NumPy has the results of its functions in memory.

In: a function, what it has given for traced arrays, and its operands. Out: the same, with the orders of new arrays noted. Invariant: an
order that is not one of those told here, or noted by what the function is made of, is unknown wherever an operand is not in C order.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import numpy as np

from jitad.frontend.arrays.cells import View
from jitad.frontend.arrays.memory_order import UNKNOWN
from jitad.frontend.numpy_api.adopted import NAMES
from jitad.frontend.numpy_api.table import named

IN_ROWS = """
    argsort argpartition argmax argmin choose compress cov corrcoef digitize dot inner interp matmul nanargmax nanargmin outer quantile
    percentile repeat searchsorted select take tensordot tile vander linalg.inv linalg.solve linalg.qr linalg.svd linalg.eigh linalg.cholesky
    linalg.pinv linalg.lstsq linalg.eig linalg.outer linalg.matmul linalg.tensordot
"""
AS_OPERANDS = "sort partition cumsum cumprod nancumsum nancumprod nan_to_num round around clip fix real_if_close gradient"
NOTED = f"""
    where concatenate copy reshape roll pad zeros_like ones_like empty_like full_like sum prod max min amax amin any all mean std var ptp {NAMES}
"""  # what these are made of has noted it: NumPy's own code is among them
UNTOLD = "delete histogram2d histogramdd lib.stride_tricks.sliding_window_view"
in_rows, as_operands, noted, untold = (frozenset(named(*names.split())) for names in (IN_ROWS, AS_OPERANDS, NOTED, UNTOLD))


def note_orders(table: dict[Callable, Callable]) -> None:
    """Let the functions in a table note the orders of their results."""
    for function, implementation in table.items():
        table[function] = noting(function, implementation)


def noting(function: Callable, implementation: Callable) -> Callable:
    @functools.wraps(implementation)
    def call(*args, **kwargs):
        return ordered(function, implementation(*args, **kwargs), (*args, *kwargs.values()))

    return call


def ordered(function, result, operands: tuple):
    """Note in which order NumPy has the new arrays in `result`, and return it."""
    views = list(arrays_in(result))
    if any(len(x.type.shape) > 1 for x in views):
        given = list(arrays_in(operands))
        cells = [x.cell for x in given]
        turned = any(x.turned for x in given)
        for x in views:
            if len(x.type.shape) > 1 and x.cell not in cells:
                x.cell.assumed = x.cell.assumed or any(y.cell.assumed for y in given)
                note(function, x, given, turned or function is np.einsum and not sums_in_order(operands))
    return result


def note(function, x: View, operands: list[View], turned: bool) -> None:
    if function in in_rows:
        x.lie_in(None)
        x.cell.assumed = False
    elif function in as_operands:
        x.lie_as(operands[:1])
    elif function in untold or (x.permuted or turned and x.cell.order is None) and function not in noted:
        x.cell.order = UNKNOWN


def sums_in_order(operands: tuple) -> bool:
    """Return whether the axes of operands in C order stand in the same order in the result of ``np.einsum``."""
    terms, _, result = operands[0].replace(" ", "").partition("->") if isinstance(operands[0], str) else ("", "", "")
    places = [[result.find(label) for label in term if label in result] for term in terms.split(",")]
    return bool(result) and "." not in terms and all(found == sorted(found) for found in places)


def arrays_in(x) -> Iterator[View]:
    """Yield the traced arrays in nests of lists and tuples."""
    if isinstance(x, View):
        yield x
    elif isinstance(x, list | tuple):
        for element in x:
            yield from arrays_in(element)
