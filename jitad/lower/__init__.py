"""From a Program to loops: which equations share a loop nest, where values live, what one element costs.

In: an optimized Program. Out: `Loops`, whose grammar is in `loops`. In the order in which `lowering` and `blocks` go through them:

- a Program as loops want it: `prepare`, with `narrowing`, `histories`, `interchange`, `stacking`, `sinking`, `samples`, `halos`, `order`;
- which Vars are stored, and which equations share a nest: `fusion`, with `reads`, `levels`, `rereading`; `products` says which products are calls;
- the steps: `blocks`, `nests`, `bodies`, of scalar expressions (`scalars`, `folding`, `complexes`) and indices (`index`, `regions`, `joining`,
  `splitting`);
- which buffers share memory: `reuse`, `lifetimes`;
- how loops and products run: `loop_order`, `strips`, `common_matrices`, `jamming`, `running_sums`, `streams`, `trailing`, `threads`, as far as
  `effort` finds them worth it (`counting`);
- where buffers lie: `layout`, `padding`, `alignment`, `workspace`.

`walk` goes through loops, `printer` shows them, `verifier` checks them, `likeness` compares them, `filled` says what they take before there are any.
"""
