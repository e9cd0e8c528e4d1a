"""Loops that threads share out, in LLVM IR.

- `tasks`: the function that runs some pieces of a loop, and what it is called with;
- `team`: the threads of the process; `fork_join`, how they share out the pieces of one loop; `life`, what one does from its start to its end.
"""
