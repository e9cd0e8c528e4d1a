"""Passes that make a Program cheaper without changing what it means. `jitad.pipeline` has them in their order.

- less to compute: `dce`, `simplify`, `bodies` (what loops and branches need not carry), `sums`, `invariants`, `lookups`;
- what differentiation has left over: `expand`, `additions`, `contraction`;
- which memory is read and written: `writes`, `registers`, `scattered`;
- what processors run side by side: `grids` (loops that are operations on whole arrays), `lanes`, of loops that `independence` finds to be so, and
  `distribution`; `trip_numbers` are what both reckon with.
"""
