"""Index arithmetic: integer expressions that are affine in loop variables wherever they can be.

An `Index` is ``const + sum(coefficient * term)``; a term is a loop dimension (an int) or an int64 scalar expression computed in
the kernel. Invariant: terms are sorted and coefficients non-zero, so equal indices compare equal. Ranges of the loop variables
prove guards true or false and simplify divisions.
"""

from __future__ import annotations

from collections.abc import Sequence

Range = tuple[int, int]  # lowest and highest value, both included


class Index:
    """``const + sum(coefficient * term)``"""

    __slots__ = ("terms", "const", "_hash")

    def __init__(self, terms: tuple = (), const: int = 0):
        self.terms = terms
        self.const = const
        self._hash = hash((terms, const))

    def __eq__(self, other) -> bool:
        return isinstance(other, Index) and self.const == other.const and self.terms == other.terms

    def __hash__(self) -> int:
        return self._hash

    def __add__(self, other: Index | int) -> Index:
        if isinstance(other, int):
            return Index(self.terms, self.const + other) if other else self
        if not other.terms:
            return self + other.const
        if not self.terms:
            return other + self.const
        total = dict(self.terms)
        for term, coefficient in other.terms:
            total[term] = total.get(term, 0) + coefficient
        terms = sorted(((t, c) for t, c in total.items() if c), key=order)
        return Index(tuple(terms), self.const + other.const)

    __radd__ = __add__

    def __mul__(self, factor: int) -> Index:
        if factor == 1:
            return self
        if factor == 0:
            return ZERO
        return Index(tuple([(t, c * factor) for t, c in self.terms]), self.const * factor)

    __rmul__ = __mul__

    def __neg__(self) -> Index:
        return self * -1

    def __sub__(self, other: Index | int) -> Index:
        return self + (-other)

    def __rsub__(self, other: int) -> Index:
        return -self + other

    def __repr__(self) -> str:
        parts = [("" if c == 1 else "-" if c == -1 else f"{c}*") + (f"i{t}" if isinstance(t, int) else repr(t)) for t, c in self.terms]
        if self.const or not parts:
            parts.append(str(self.const))
        return " + ".join(parts).replace("+ -", "- ")

    def range(self, ranges: Sequence[Range]) -> Range | None:
        """Return the lowest and highest value over a box, or None if a term is computed without known range."""
        low = high = self.const
        for term, coefficient in self.terms:
            bounds = ranges[term] if isinstance(term, int) else term.bounds
            if bounds is None:
                return None
            a, b = bounds[0] * coefficient, bounds[1] * coefficient
            low, high = low + min(a, b), high + max(a, b)
        return low, high

    def loop_terms(self) -> list[tuple[int, int]]:
        """Return (dimension, coefficient) for each loop variable."""
        return [(term, c) for term, c in self.terms if isinstance(term, int)]

    def loop_term(self) -> tuple[int, int] | None:
        """Return (dimension, coefficient) if the index depends on exactly one loop variable and on nothing else."""
        if len(self.terms) == 1 and isinstance(self.terms[0][0], int):
            return self.terms[0]
        return None


def structure(x):
    """Return a key that is equal for indices, and scalars in them, of equal structure, whichever builder made them."""
    if isinstance(x, Index):
        return frozenset((structure(term), c) for term, c in x.terms), x.const
    return (x.op, x.dtype, *map(structure, x.args)) if hasattr(x, "op") else x


def is_invariant(x) -> bool:
    """Return whether an index, or a scalar, is the same in all iterations."""
    if isinstance(x, Index):
        return all(is_invariant(term) for term, _ in x.terms)
    return not isinstance(x, int) and all(map(is_invariant, operands_of(x)))


def operands_of(x) -> list:
    """Return the indices and scalars that a scalar is computed from."""
    return [arg for arg in x.args if isinstance(arg, Index) or hasattr(arg, "op")]


def order(term):
    key = term[0]
    return (0, key) if isinstance(key, int) else (1, key.number)


ZERO = Index()


def loop_variable(dim: int) -> Index:
    return Index(((dim, 1),))


def linear(index: Sequence[Index], shape: Sequence[int]) -> Index:
    """Return the position of `index` in a C-contiguous array of `shape`."""
    position, stride = ZERO, 1
    for i, extent in zip(reversed(index), reversed(shape), strict=True):
        position = position + i * stride
        stride *= extent
    return position
