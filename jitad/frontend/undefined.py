"""What a name holds that only one arm of a branch gives a value. Whatever is done with it is refused, in the user's terms."""

from __future__ import annotations

from jitad.ir import errors


class Undefined:
    """The value of a name that only one arm of a branch gives a value."""

    def __init__(self, name: str, line: str):
        self.__dict__.update(name=name, line=line)

    def refuse(self, *args, **kwargs):
        raise errors.UnboundError(f"{self.__dict__['name']} has a value only if one arm of the branch at {self.__dict__['line']} is taken, "
                                  "which is decided when the compiled function runs; give it a value in both arms, or before")

    __getattr__ = refuse


REFUSED = """
    add radd sub rsub mul rmul truediv rtruediv floordiv rfloordiv mod rmod pow rpow matmul rmatmul neg pos abs invert and rand or ror xor
    rxor lshift rlshift rshift rrshift eq ne lt le gt ge bool int float complex index len iter getitem setitem contains call array str
"""
for _name in REFUSED.split():
    setattr(Undefined, f"__{_name}__", Undefined.refuse)
Undefined.__hash__ = None
