"""From Python functions to Programs: traced arrays, NumPy's functions on them, and the rewriting of source code."""
