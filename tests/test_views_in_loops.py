"""Random reads and writes through random views in loops that are staged, at traced indices: values and derivatives against NumPy."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from staged import check

TRIPS = 19
TABLE = np.random.default_rng(2).integers(0, 60, TRIPS)
VIEWS = {
    "whole": lambda a: a, "transposed": lambda a: a.T, "reversed": lambda a: a[::-1], "inner": lambda a: a[1:-1], "odd": lambda a: a[1::2],
    "flat": lambda a: a.reshape(-1), "column": lambda a: a[..., 1], "row": lambda a: a[-1], "backwards": lambda a: a[..., ::-2],
    "new axis": lambda a: a[:, None], "halves": lambda a: a.reshape(2, -1), "swapped": lambda a: a.swapaxes(0, -1),
}  # fmt: skip
PLACES = {
    "counted": lambda n, k: k % n, "from the end": lambda n, k: -1 - k % n, "by table": lambda n, k: TABLE[k] % n, "fixed": lambda n, k: n // 2,
    "slice": lambda n, k: slice(None, None, 2), "all": lambda n, k: slice(None), "rows": lambda n, k: np.array([n - 1, 0, n // 2]),
    "moving rows": lambda n, k: (np.array([0, 1, 0]) + k) % n, "mask": lambda n, k: np.arange(n) % 3 != 1, "ellipsis": lambda n, k: ...,
}  # fmt: skip
UPDATES = {
    "set": lambda x, i, v: x.__setitem__(i, v), "add": lambda x, i, v: x.__setitem__(i, x[i] + v),
    "scale": lambda x, i, v: np.multiply(x, 0.9, out=x),
    "add at": lambda x, i, v: np.add.at(x, i, v), "fill": lambda x, i, v: x[i:i + 1].fill(v) if np.ndim(i) == 0 and isinstance(i, int) else None,
    "overlap": lambda x, i, v: x.__setitem__(slice(1, None), 0.5 * x[:-1] + v),
}  # fmt: skip


@st.composite
def chains(draw, shape):
    """Draw a view of a view of an array."""
    array, names = np.zeros(shape), []
    for name in draw(st.lists(st.sampled_from(sorted(VIEWS)), max_size=2)):
        try:
            view = VIEWS[name](array)
        except (ValueError, IndexError):
            continue
        if view.ndim and view.size and np.shares_memory(view, array):
            array = view
            names.append(name)
    return names


@st.composite
def bodies(draw):
    shape = draw(st.sampled_from([(12,), (4, 6), (5, 4), (2, 3, 4)]))
    steps = st.tuples(chains(shape), st.booleans(), st.sampled_from(sorted(PLACES)), st.sampled_from(sorted(UPDATES)), chains(shape),
                      st.sampled_from(["counted", "from the end", "by table", "fixed"]))
    return shape, draw(st.lists(steps, min_size=1, max_size=3))


def view_of(a, names):
    for name in names:
        a = VIEWS[name](a)
    return a


def program(steps):
    def run(x):
        a = x.copy()
        before = [view_of(a, names) for names, *_ in steps]
        for k in range(TRIPS):
            for (names, inside, place, update, source, at), view in zip(steps, before, strict=True):
                read = view_of(a, source)
                value = 0.3 * np.sin(np.mean(read[PLACES[at](read.shape[0], k)])) + x.reshape(-1)[k % x.size]
                target = view_of(a, names) if inside else view
                UPDATES[update](target, PLACES[place](target.shape[0], k), value)
        return a

    return run


@settings(max_examples=40, deadline=None)
@given(bodies())
def test_random_reads_and_writes_in_staged_loops(drawn):
    shape, steps = drawn
    check(program(steps), np.random.default_rng(1).uniform(0.1, 1.0, shape), rtol=1e-9)
