"""Linear algebra of matrices and stacks of them, by LAPACK.

- `matrices` has what the others have in common;
- `systems` of equations (with LU factors and determinants), `cholesky`;
- `spectral` (eigenvalues of symmetric and Hermitian matrices), `eigen` (of general ones), `singular` (values, QR, pseudo-inverses).
"""
