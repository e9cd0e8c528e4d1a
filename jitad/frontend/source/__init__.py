"""The source of the user's functions: found, asked, rewritten, and compiled again.

In: a function. Out: one that calls `jitad.frontend.hooks` and `jitad.frontend.control` wherever it reads, calls or decides something.

- `sources` finds the syntax tree of a function and compiles the changed one; `functions` makes the function that runs;
- `syntax` rewrites what is read and called, `flow` and `expressions` what decides something, `recursion` functions that call themselves;
- `scopes`, `buffers`, `constructs`, `liveness` and `assignment` answer what these ask about names and statements.
"""
