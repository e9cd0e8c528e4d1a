"""What NumPy's functions, and Python's own functions of numbers, mean for traced arrays.

`FUNCTIONS` is for functions that NumPy dispatches through ``__array_function__``, `REDIRECTS` for those that it does not and the syntax
rewriter calls by another name, `BUILTINS` for ``math``, ``cmath`` and builtins. Importing this package fills them.
"""

from jitad.frontend.arrays.array import FUNCTIONS
from jitad.frontend.numpy_api import (
    adopted,  # noqa: F401
    cumulative,  # noqa: F401
    einsum,  # noqa: F401
    elementwise,  # noqa: F401
    extents,  # noqa: F401
    fourier,  # noqa: F401
    joining,  # noqa: F401
    linalg,  # noqa: F401
    matrices,  # noqa: F401
    nan_reductions,  # noqa: F401
    numerical,  # noqa: F401
    occurrences,  # noqa: F401
    padding,  # noqa: F401
    places,  # noqa: F401
    polynomials,  # noqa: F401
    products,  # noqa: F401
    reductions,  # noqa: F401
    selection,  # noqa: F401
    shaping,  # noqa: F401
    sorting,  # noqa: F401
    statistics,  # noqa: F401
)
from jitad.frontend.numpy_api.builtins import BUILTINS
from jitad.frontend.numpy_api.creation import REDIRECTS
from jitad.frontend.numpy_api.memory import note_orders
from jitad.frontend.numpy_api.undispatched import complete

note_orders(FUNCTIONS)
complete(REDIRECTS)

__all__ = ["BUILTINS", "FUNCTIONS", "REDIRECTS"]
