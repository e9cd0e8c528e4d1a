"""The passes that rules of primitives may need, by name, for primitives that hold Programs, and those that depend on the configuration.

Rules must not import passes; `jitad.transform` and `jitad.pipeline` enter theirs here when they are imported:

- ``push_forward(program, inputs, tangents)`` and ``pull_back_body(body, flags, operands, cotangents, sums)``, forward and reverse mode;
- ``push_batch(program, inputs, axes, size)``, recorded where it is called, and ``batch(program, axes, size) -> Program``;
- ``depends(program, flags)``, ``partition(program, flags, ...)`` and ``economize(known, residuals, prices)``: what depends on unknown inputs, the
  Program cut in two, and what is kept for the second part;
- ``grids(program)``, of the pipeline.
"""

from __future__ import annotations

from collections.abc import Callable

PASSES: dict[str, Callable] = {}
