"""What a name holds that only one arm of a branch gives a value.

Invariant: nothing computes with it. What has no lists and dicts in it is `PartlyBound`, which rewritten code looks into where it reads the name;
whether the name has a value there is checked when the compiled function runs. Whatever is done with the others is refused, in the user's terms.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from jitad.ir import errors


class Undefined:
    """The value of a name that only one arm of a branch gives a value."""

    def __init__(self, name: str, line: str):
        self.__dict__.update(name=name, line=line)

    def condition(self) -> str:
        return f"if one arm of the branch at {self.__dict__['line']} is taken, which"

    def refuse(self, *args, **kwargs):
        raise errors.UnboundError(f"{self.__dict__['name']} has a value only {self.condition()} is decided when the compiled function runs; "
                                  "give it a value in both arms, or before")

    __getattr__ = refuse


REFUSED = """
    add radd sub rsub mul rmul truediv rtruediv floordiv rfloordiv mod rmod pow rpow matmul rmatmul neg pos abs invert and rand or ror xor
    rxor lshift rlshift rshift rrshift eq ne lt le gt ge bool int float complex index len iter getitem setitem contains call array str
"""
for _name in REFUSED.split():
    setattr(Undefined, f"__{_name}__", Undefined.refuse)
Undefined.__hash__ = None


@dataclasses.dataclass(eq=False, repr=False)
class PartlyBound(Undefined):
    """The value of a name that has one only where a traced condition holds; zeros elsewhere."""

    value: Any
    given: Any
    name: str

    def condition(self) -> str:
        return "on some paths; which is taken"
