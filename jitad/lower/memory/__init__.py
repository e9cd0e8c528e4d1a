"""Where the buffers of loops lie.

- which share memory: `reuse` (a value takes the memory of the one it replaces), `lifetimes`, `workspace` (one block for all others);
- how arrays lie in it: `layout` (points), `padding` (rows), `alignment` (cache lines);
- `filled`: how much memory a Program will take, before there are loops.
"""
