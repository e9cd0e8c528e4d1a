"""Einstein summation: parsed into labels, contracted in pairs, so that matrix products reach BLAS.

In: NumPy's two forms of arguments. Out: one `Array`. Invariant: between the steps, each operand has distinct labels, and a label
has the same extent wherever it stands.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from jitad.frontend.arrays.array import Array, promote, to_atom, wrap
from jitad.frontend.arrays.views import reshaped
from jitad.frontend.numpy_api.operands import asarray
from jitad.frontend.numpy_api.products import contract
from jitad.frontend.numpy_api.table import implements
from jitad.frontend.operations.promotion import cast
from jitad.ir import errors
from jitad.ir.program import Atom
from jitad.primitives.reductions import reduce_sum
from jitad.primitives.structural.shaping import transpose

LETTERS = string.ascii_uppercase + string.ascii_lowercase


@dataclass
class Term:
    """An operand and the labels of its axes."""

    value: Atom
    labels: tuple

    def extents(self) -> dict:
        return dict(zip(self.labels, self.value.shape, strict=True))

    def ordered(self, labels: Sequence) -> Term:
        if tuple(labels) == self.labels:
            return self
        return Term(transpose(self.value, axes=tuple(self.labels.index(label) for label in labels)), tuple(labels))

    def summed(self, keep) -> Term:
        """Sum over the labels that are not in `keep`."""
        axes = tuple(k for k, label in enumerate(self.labels) if label not in keep)
        return Term(reduce_sum(self.value, axes=axes), tuple(label for label in self.labels if label in keep)) if axes else self


# --- reading the arguments --------------------------------------------------------------------------------------------------


def read(args: Sequence) -> tuple[str, list]:
    """Return the subscripts as a string and the operands, from either form of arguments."""
    if isinstance(args[0], str):
        return args[0].replace(" ", ""), list(args[1:])
    arrays, lists = list(args[0:len(args) - len(args) % 2:2]), list(args[1::2])
    text = ",".join(map(spelled, lists))
    return (f"{text}->{spelled(args[-1])}" if len(args) % 2 else text), arrays


def spelled(labels: Iterable) -> str:
    return "".join("..." if label is Ellipsis else LETTERS[label] for label in labels)


def parse(subscripts: str, ndims: Sequence[int]) -> tuple[list[tuple], tuple]:
    """Return the labels of each operand and of the result; what an ellipsis stands for is labelled by position from the right."""
    left, arrow, right = subscripts.partition("->")
    texts = left.split(",")
    if len(texts) < len(ndims):
        raise errors.ValueError("fewer operands provided to einstein sum function than specified in the subscripts string")
    if len(texts) > len(ndims):
        raise errors.ValueError("more operands provided to einstein sum function than specified in the subscripts string")
    inputs = [labels_of(text, ndim, number) for number, (text, ndim) in enumerate(zip(texts, ndims, strict=True))]
    counts = Counter(label for labels in inputs for label in labels)
    hidden = sorted(label for label in counts if isinstance(label, int))
    if not arrow:
        if hidden and "..." not in left:
            hidden = []
        return inputs, (*hidden, *sorted(label for label, count in counts.items() if count == 1 and isinstance(label, str)))
    before, dots, after = right.partition("...")
    output = (*before, *(hidden if dots else ()), *after)
    for label in output:
        if label not in counts:
            raise errors.ValueError(f"einstein sum subscripts string included output subscript '{label}' which never appeared in an "
                                    "input")
        if output.count(label) > 1:
            raise errors.ValueError(f"einstein sum subscripts string includes output subscript '{label}' multiple times")
    if hidden and not dots:
        raise errors.ValueError("output has more dimensions than subscripts given in einstein sum, but no '...' ellipsis provided to "
                                "broadcast the extra dimensions.")
    return inputs, output


def labels_of(text: str, ndim: int, number: int) -> tuple:
    before, dots, after = text.partition("...")
    for letter in before + after:
        if letter not in LETTERS:
            raise errors.ValueError(f"invalid subscript '{letter}' in einstein sum subscripts string, subscripts must be letters")
    hidden = ndim - len(before) - len(after)
    if hidden < 0:
        raise errors.ValueError("einstein sum subscripts string contains too many subscripts for operand " + str(number))
    if hidden and not dots:
        raise errors.ValueError("operand has more dimensions than subscripts given in einstein sum, but no '...' ellipsis provided to "
                                "broadcast the extra dimensions.")
    return (*before, *range(-hidden, 0), *after)


def extents_of(inputs: Sequence[tuple], shapes: Sequence[tuple]) -> dict:
    """Return the extent of each label; an axis of extent 1 goes with any."""
    extents: dict = {}
    for number, (labels, shape) in enumerate(zip(inputs, shapes, strict=True)):
        for label, extent in zip(labels, shape, strict=True):
            first = shape[labels.index(label)]
            if first != extent:
                raise errors.ValueError(f"dimensions in single operand for collapsing index '{label}' don't match ({first} != "
                                        f"{extent})")
            known = extents.get(label, 1)
            if 1 not in (extent, known) and extent != known:
                if isinstance(label, int):
                    raise errors.ValueError("operands could not be broadcast together with remapped shapes")
                raise errors.ValueError(f"operands could not be broadcast together with remapped shapes [original->remapped]: operand "
                                        f"{number} has extent {extent} for subscript '{label}', another one has {known}")
            extents[label] = extent if known == 1 else known
    return extents


def tidy(value: Atom, labels: tuple, extents: dict) -> Term:
    """Take diagonals of repeated labels and drop axes that are broadcast."""
    array, labels = diagonals(wrap(value), labels)
    value = to_atom(array)
    kept = [k for k, label in enumerate(labels) if value.shape[k] == extents[label]]
    return Term(reshaped(value, tuple(value.shape[k] for k in kept)), tuple(labels[k] for k in kept))


def diagonals(array: Array, labels: tuple) -> tuple[Array, tuple]:
    """Return the view in which no label is repeated, and its labels."""
    for label in [label for label, count in Counter(labels).items() if count > 1]:
        while labels.count(label) > 1:
            i, j = [k for k, other in enumerate(labels) if other == label][:2]
            array = np.diagonal(array, 0, i, j)
            labels = (*[other for k, other in enumerate(labels) if k not in (i, j)], label)
    return array, labels


# --- contracting ------------------------------------------------------------------------------------------------------------


def contract_pair(x: Term, y: Term, keep) -> Term:
    """Multiply two terms and sum over the labels that nobody else needs."""
    x, y = x.summed({*keep, *y.labels}), y.summed({*keep, *x.labels})
    shared = [label for label in x.labels if label in y.labels]
    summed = [label for label in shared if label not in keep]
    if not summed:
        return multiply(x, y)
    batch = [label for label in shared if label in keep]
    places = [[term.labels.index(label) for label in labels] for labels in (summed, batch) for term in (x, y)]
    value = contract(x.value, y.value, *places)
    free = [label for term in (x, y) for label in term.labels if label not in shared]
    return Term(value, (*batch, *free))


def multiply(x: Term, y: Term) -> Term:
    labels = (*x.labels, *[label for label in y.labels if label not in x.labels])
    sizes = x.extents() | y.extents()

    def spread(term: Term) -> Array:
        term = term.ordered([label for label in labels if label in term.labels])
        return wrap(reshaped(term.value, tuple(sizes[label] if label in term.labels else 1 for label in labels)))

    return Term(to_atom(spread(x) * spread(y)), labels)


def path_for(inputs: Sequence[tuple], output: tuple, extents: dict, optimize) -> list[tuple[int, ...]]:
    """Return NumPy's order of contraction, as positions in the shrinking list of operands."""
    if len(inputs) < 3:
        return [tuple(range(len(inputs)))]
    names = dict(zip(extents, LETTERS, strict=False))
    text = ",".join("".join(names[label] for label in labels) for labels in inputs) + "->" + "".join(names[label] for label in output)
    stands_for = [np.broadcast_to(0.0, [extents[label] for label in labels]) for labels in inputs]
    path, _ = np.einsum_path(text, *stands_for, optimize="greedy" if optimize is False or optimize is True else optimize)
    return path[1:]


@implements(np.einsum)
def einsum(*args, out=None, dtype=None, order="K", casting="safe", optimize=False):
    subscripts, arrays = read(args)
    values = promote(*map(asarray, arrays)) if dtype is None else [cast(to_atom(asarray(a)), dtype) for a in arrays]
    inputs, output = parse(subscripts, [x.ndim for x in values])
    extents = extents_of(inputs, [x.shape for x in values])
    if len(arrays) == 1 and dtype is None and order == "K" and set(inputs[0]) == set(output):  # which NumPy gives a view for
        array, labels = diagonals(asarray(arrays[0]), inputs[0])
        return np.transpose(array[...], [labels.index(label) for label in output])
    terms = [tidy(value, labels, extents) for value, labels in zip(values, inputs, strict=True)]
    for positions in path_for([term.labels for term in terms], output, extents, optimize):
        group = [terms.pop(k) for k in sorted(positions, reverse=True)]
        result = group.pop()
        while group:
            other = group.pop()
            result = contract_pair(result, other, {*output, *[label for term in terms + group for label in term.labels]})
        terms.append(result)
    return wrap(terms[0].summed(output).ordered(output).value)
