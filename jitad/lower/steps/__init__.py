"""From equations to the steps of loops.

- `blocks` lowers a Program or the body of a loop or branch, `nests` builds the nests of a group of roots, `bodies` the elements in them;
- `splitting` of long bodies, `joining` of regions that do the same.
"""
