"""Control flow of the user's function: what `if`, `for` and `while` of rewritten code do.

In: bodies as functions, in the order that the source has them. Out: their effects, if what decides is known while tracing; else
equations `cond`, `loop`, `while` and new values of what the bodies change. `liveness` and `flow` rewrite the source, the rest runs.
"""
