"""Trees: what is a node, that structures are compared by value, and that putting together undoes taking apart."""

import copy
import pickle
from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitad.frontend.tracing.trees import LEAF, flatten, leaf_paths, unflatten
from jitad.ir import errors


class Point(NamedTuple):
    x: object
    y: object


@dataclass(frozen=True)
class Layer:
    w: object
    b: object = 0.0
    name: str = field(default="layer", init=False)


@dataclass(slots=True)
class Slotted:
    a: object


class Pair(tuple):
    """A subclass of tuple that is no NamedTuple."""


EXAMPLES = [
    (1, 2), [1, [2, (3,)]], {"w": 1, "b": [2, None]}, Point(1, (2, 3)), Layer(1, Point(2, 3)), Slotted({"k": 1}), None, 5, (), {},
    [None, ()], OrderedDict(b=1, a=2),
]  # fmt: skip


@pytest.mark.parametrize("tree", EXAMPLES, ids=repr)
def test_unflatten_undoes_flatten(tree):
    leaves, treedef = flatten(tree)
    back = unflatten(treedef, leaves)
    assert back == tree
    assert type(back) is type(tree)
    assert flatten(copy.deepcopy(tree))[1] is treedef
    assert pickle.loads(pickle.dumps(treedef)) is treedef


def test_leaves_come_from_left_to_right():
    leaves, treedef = flatten({"b": 1, "a": (2, [3, None]), "layer": Layer(4)})
    assert leaves == [1, 2, 3, 4, 0.0, "layer"]
    assert leaf_paths(treedef) == ["['b']", "['a'][0]", "['a'][1][0]", "['layer'].w", "['layer'].b", "['layer'].name"]
    assert leaf_paths(flatten(Point(1, [2]))[1]) == [".x", ".y[0]"]
    assert leaf_paths(LEAF) == [""]


@pytest.mark.parametrize("leaf", [3, 2.0, "text", np.ones(3), {1, 2}, range(3), Pair((1, 2)), defaultdict(int), len, Layer], ids=repr)
def test_everything_else_is_a_leaf(leaf):
    leaves, treedef = flatten(leaf)
    assert leaves[0] is leaf
    assert treedef is LEAF


def test_structures_tell_containers_and_keys_apart():
    trees = [(1, 2), [1, 2], (1, 2, 3), (1, (2,)), Point(1, 2), {"a": 1, "b": 2}, {"b": 2, "a": 1}, {0: 1, 1: 2}, (None, 1, 2), Layer(1, 2)]
    assert len({flatten(tree)[1] for tree in trees}) == len(trees)


def test_the_wrong_number_of_leaves_is_an_error():
    with pytest.raises(errors.InternalError):
        unflatten(flatten((1, 2))[1], [1])


def containers(inner):
    return (st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
            | st.builds(Point, inner, inner))  # fmt: skip


nested = st.recursive(st.integers() | st.none(), containers, max_leaves=12)


@given(nested)
def test_any_nesting(tree):
    leaves, treedef = flatten(tree)
    assert unflatten(treedef, leaves) == tree
    assert len(leaves) == treedef.size == len(leaf_paths(treedef))
