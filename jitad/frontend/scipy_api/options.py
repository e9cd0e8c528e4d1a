"""Options of SciPy's functions that jitad does not know."""

from __future__ import annotations

from jitad.ir import errors


def refuse(function: str, advice: str = "leave it out", **options) -> None:
    """Refuse options that are not what they are by default: ``refuse("ndimage.zoom", prefilter=(prefilter, True))``."""
    for name, (given, usual) in options.items():
        if given is not usual and not (isinstance(given, type(usual)) and given == usual):
            raise errors.NotImplementedError(f"scipy.{function} of traced arrays: jitad does not know {name}={given!r}; {advice}")
