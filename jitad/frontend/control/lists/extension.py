"""Appending what another list holds, whose length may be known only when the compiled function runs."""

from __future__ import annotations

from jitad.frontend.hooks.own_code import traced_as_users


@traced_as_users
def append_each(x: list, values) -> None:
    for value in values:
        x.append(value)
