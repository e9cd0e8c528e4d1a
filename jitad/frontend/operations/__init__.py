"""NumPy's ufuncs on traced arrays: from operands of any kind to equations of primitives.

- `rules` and `special` are the tables from ufunc to what it means, `powers` and `faddeeva` the longest of their entries;
- `ufuncs` calls them, `ufunc_methods` are `reduce`, `accumulate`, `at` and others, `sequential` those that go element by element;
- `promotion` says of what dtype operands and results are.
"""
