"""Where functions of kernels keep their variables while they call elementary functions."""

import re

import numpy as np
import pytest

import jitad
from jitad.codegen.elementary import STACK
from jitad.testing import check_grads

LAYERS = [(2.3, 100.0), (1.45 + 0.01j, 150.0), (2.3, 80.0)]
LENGTHS = np.linspace(400.0, 700.0, 7)


def reflected(substrate, angle):
    """Light of several wave lengths that a stack of thin layers reflects: more is alive across the calls than there are registers."""
    total = 0.0
    for length in LENGTHS:
        matrix = np.eye(2, dtype=complex)
        for index, depth in LAYERS:
            cosine = np.sqrt(1 - (np.sin(angle) / index) ** 2 + 0j)
            phase, admittance = 2 * np.pi * index * depth * cosine / length, index * cosine
            matrix = matrix @ np.array([[np.cos(phase), 1j * np.sin(phase) / admittance], [1j * admittance * np.sin(phase), np.cos(phase)]])
        b, c = matrix @ np.array([1, substrate * np.sqrt(1 - (np.sin(angle) / substrate) ** 2)])
        ratio = (np.cos(angle) * b - c) / (np.cos(angle) * b + c)
        total += (ratio * ratio.conjugate()).real
    return total


def bent(primals, tangents):
    return jitad.hvp(reflected, primals, tangents)


def test_vectors_survive_calls():
    check_grads(reflected, (1.52, 0.2), order=2)


@pytest.mark.skipif(STACK is None, reason="this processor keeps the frame pointer through calls of elementary functions")
def test_no_frame_pointer_is_saved_around_calls():
    text = jitad.show(bent, (1.52, 0.2), (1.0, 1.0), stage="asm")
    assert "callq" in text
    assert not re.search(r"pushq\t%rbp\n(\t\.cfi[^\n]*\n)*\tpushq\t%r[ab]x\n\t(\.cfi[^\n]*\n\t)*callq", text)
