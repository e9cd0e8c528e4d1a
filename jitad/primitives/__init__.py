"""Every primitive, by family. Importing this package fills the registry.

- `elementwise`: arithmetic and functions of one element of each operand;
- `structural`: what moves elements, and computes nothing;
- sums and products: `reductions`, `recurrences`, `products`; `combinations`, `gathered` and `selections` are what makes them, and others, cheaper;
- `linalg`: matrices; `fourier`; `sorting`;
- `control`: loops and branches; `checks`, `custom` (rules of the user), `tables` (numbers that passes put in);
- `declare` has the forms that most are declared in.
"""

from jitad.primitives import checks, control, custom, fourier, products, recurrences, reductions, sorting, tables  # noqa: F401
from jitad.primitives.elementwise import arithmetic, bessel, comparisons, complexes, elliptic, gamma, powers, special, transcendental  # noqa: F401
from jitad.primitives.linalg import cholesky, eigen, singular, spectral, systems  # noqa: F401
from jitad.primitives.structural import boxes, indexing, shaping, updates, windows  # noqa: F401
