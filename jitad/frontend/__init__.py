"""From Python functions to Programs: traced arrays, NumPy's functions on them, and the rewriting of source code.

- the source of a function: `sources` finds it, `scopes` and `buffers` look into it, `syntax` rewrites it, and `control`, what decides something in
  it; `functions` makes the function that runs;
- what rewritten code does: `staging` (names, attributes, items), `calls`, `operators`, `introspection`, `classes`, `own_code`, `seeds`;
- a trace: `trace`, `programs` (what comes out), `trees` (arguments and results), `captures` and `guards` (what is read from outside), `constants`,
  `concrete` (what Python asks the value of), `lists`, `printing`;
- an array: `array`, a view of a cell (`cells`, `views`, `memory_order`), with `reshaping`, `indexing`, `keys`, `open_slices`, `open_places` and
  `extents` (bounds and places that only the run tells), `ragged`, `masks`;
- its operations: `ufuncs`, `ufunc_methods`, `sequential` and `powers`, by the tables in `rules` and `special`; `promotion` says of what dtype;
- `numpy_api` and `scipy_api` say what library functions mean;
- values that are not numbers: `variants` (one of several), `undefined` (none on some path).
"""
