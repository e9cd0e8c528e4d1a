"""Loop IR: its grammar, scalar expressions and indices, and what only reads them.

- `loops` is the grammar: buffers, nests, sequential loops, calls;
- what stands in a nest: `scalars`, made simple by `folding`, with `complexes`, and by `builder` in the `regions` of its box; affine integers `index`;
- what reads loops: `walk` goes through them, `printer` shows them, `verifier` checks them, `forms` compares nests,
  `counting` says how much they do.
"""
