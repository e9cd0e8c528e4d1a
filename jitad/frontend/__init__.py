"""From Python functions to Programs: traced arrays, NumPy's functions on them, and the rewriting of source code.

- `source`: the source of a function is found and rewritten, so that what it reads, calls and decides passes through jitad;
- `hooks`: what the rewritten code does when it reads a name, calls a function or applies an operator;
- `control`: what its `if`, `for`, `while`, `try` and growing lists do;
- `tracing`: the run of a function on traced arrays: what goes in, what is read from outside, and the Program that comes out;
- `arrays`: the array that the function sees, a view of a cell; indexing it;
- `operations`: ufuncs on it, and NumPy's promotion of dtypes;
- `numpy_api` and `scipy_api`: what library functions mean;
- values that are not numbers: `variants` (one of several), `undefined` (none on some path).
"""
