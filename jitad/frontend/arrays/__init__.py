"""The array that a traced function sees, with NumPy's aliasing, and what indexing it means.

- `array` is a view of a cell: `cells` (storage), `views` (the steps between), `memory_order` (where NumPy would have put the elements);
- `reshaping`; `indexing` by `keys`;
- bounds and places that only the run tells: `extents`, `open_slices`, `open_places`, `masks`, and `ragged` arrays, which come of them.
"""
