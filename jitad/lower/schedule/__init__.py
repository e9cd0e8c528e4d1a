"""How loops run: their order, and what is done together.

- `effort` says which nests are worth it;
- within a nest: `loop_order`, `jamming` (trips side by side); `running_sums` of loops without nests;
- nests with one another: `strips` (block by block), `trailing` (row by row); trips of a loop: `waves`, with what is `pinned` to a
  row; products: `common_matrices`;
- `streams` past the caches; `threads` that share trips out.
"""
