"""What the transformations do to a function while it is being traced.

In: a Python function and traced arguments. Out: traced results, recorded in the current trace. Each transformation runs the function in
a trace of its own, transforms the Program that comes out, and records the result where it was called: that is why they nest to any
depth, and why one that is nested costs no call.
"""
