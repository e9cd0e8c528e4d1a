"""Calls on whole arrays: of routines that SciPy and NumPy ship, and of some written here.

- `calls` is the table, from the name of a routine to what emits a call of it;
- `blas` (with LAPACK) and `fourier` find the routines and emit single calls; `eigenvalues`, and `stacks` of matrices, are made of them;
- written here: products of few rows (`inner_products`) and with few vectors (`matrix_vector`), `sorting`.
"""
