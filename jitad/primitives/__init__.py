"""Every primitive, by family. Importing this package fills the registry.

- elementwise: `comparisons`, `arithmetic`, `complexes`, `transcendental`, `powers`, `gamma`, and those that SciPy ships (`foreign`): `bessel`,
  `elliptic`, `special`;
- moving elements: `shaping`, `boxes` and `updates` (places that are known), `windows` and `spans` (places that only the run tells), `indexing`;
- sums and products: `reductions`, `recurrences`, `products`, `combinations`, `gathered`, `selections`;
- matrices: `matrices`, `linalg`, `cholesky`, `eigen`, `spectral`, `singular`; `fourier`; `sorting`;
- control flow: `control`; `checks`, `custom` (rules of the user), `tables` (numbers that passes put in);
- `declare` has the forms that most are declared in.
"""

from jitad.primitives import comparisons, arithmetic, complexes, transcendental, gamma, powers  # noqa: F401, I001
from jitad.primitives import shaping, boxes, updates, indexing, windows, recurrences, reductions, products, sorting, checks, custom, tables  # noqa: F401, I001
from jitad.primitives import linalg, cholesky, eigen, spectral, singular  # noqa: F401, I001
from jitad.primitives import bessel, elliptic, fourier, special  # noqa: F401
from jitad.primitives import control  # noqa: F401, I001
