"""The passes that rules of primitives may need, by name, for primitives that hold Programs, and those that depend on the configuration.

Rules must not import passes; `jitad.transform` enters its own here when it is imported: ``batch(program, axes, size) -> Program``; so does
`jitad.pipeline`.
"""

from __future__ import annotations

from collections.abc import Callable

PASSES: dict[str, Callable] = {}
