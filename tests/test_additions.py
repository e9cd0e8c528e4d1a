"""The adjoint of a branch adds in its arm: an arm that is not taken costs nothing."""

import numpy as np

import jitad
from benchmarks.programs.shortest_paths import shortest_paths
from jitad.lower.grammar.loops import Choice
from jitad.lower.grammar.walk import children
from jitad.pipeline import to_loops


def choices(steps):
    for step in steps:
        if isinstance(step, Choice):
            yield step
        for inner in children(step):
            yield from choices(inner)


def test_arms_that_are_not_taken_write_nothing():
    lengths = np.random.default_rng(0).random((20, 20))
    found = list(choices(to_loops(jitad.trace(jitad.grad(shortest_paths))(lengths)).steps))
    assert found and all(any(not branch for branch in choice.branches) for choice in found)
