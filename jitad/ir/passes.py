"""The passes that rules of primitives may need, by name, for primitives that hold Programs.

Rules must not import passes; `jitad.transform` enters its own here when it is imported: ``batch(program, axes, size) -> Program``.
"""

from __future__ import annotations

from collections.abc import Callable

PASSES: dict[str, Callable] = {}
