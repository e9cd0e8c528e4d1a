"""Functions of one element of each operand: a row each, with its partial derivatives.

- `comparisons` (with selections and extrema), `arithmetic`, `complexes` (with conversions), `transcendental`, `powers`, `gamma`;
- those that SciPy ships for compiled code (`foreign`): `bessel`, `elliptic`, `special`.
"""
