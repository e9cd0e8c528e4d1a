"""Every primitive, by family. Importing this package fills the registry."""

from jitad.primitives import comparisons, arithmetic, complexes, transcendental, gamma, powers  # noqa: F401, I001
from jitad.primitives import shaping, boxes, updates, indexing, windows, recurrences, reductions, products, sorting, checks, custom, tables  # noqa: F401, I001
from jitad.primitives import linalg, cholesky, eigen, spectral, singular  # noqa: F401, I001
from jitad.primitives import bessel, elliptic, fourier, special  # noqa: F401
from jitad.primitives import control  # noqa: F401, I001
