"""The primitives by name. `Primitive` enters itself here when it is declared."""

from __future__ import annotations

REGISTRY: dict = {}
