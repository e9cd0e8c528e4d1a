"""Methods of ufuncs that go through their operands one element after another, as one `loop`.

In: a ufunc of two operands and traced arrays. Out: what NumPy's ``accumulate``, ``reduce`` and ``at`` give, in its order of operations.
"""

from __future__ import annotations

import numpy as np

from jitad.frontend.arrays.cells import wrap
from jitad.frontend.operations.promotion import cast, to_atom
from jitad.frontend.operations.ufuncs import call, plan_of
from jitad.ir import errors
from jitad.ir.program import Atom, literal
from jitad.ir.recorder import build
from jitad.ir.types import COUNTER, INT
from jitad.primitives.control import loop
from jitad.primitives.structural.indexing import gather, scatter
from jitad.primitives.structural.shaping import broadcast, reshape


def apply(ufunc: np.ufunc, dtype: np.dtype, *operands: Atom) -> Atom:
    return cast(to_atom(call(ufunc, *[wrap(x, scalar=False) for x in operands])), dtype)


def accumulate_in_order(ufunc: np.ufunc, x, axis: int):
    """Return the running results along an axis: each is ``ufunc(the one before, element)``."""
    (dtype,) = plan_of(ufunc, (x.dtype, x.dtype)).outputs
    rows = cast(np.moveaxis(x, axis, 0).atom, dtype)

    def step(i: Atom, rows: Atom, out: Atom) -> list[Atom]:
        after = i + 1
        return [scatter(out, apply(ufunc, dtype, gather(out, i), gather(rows, after)), after, unique=True)]

    if rows.shape[0] == 0:
        return np.moveaxis(wrap(rows, scalar=False), 0, axis)
    body = build(step, [COUNTER, rows.type, rows.type])
    count = rows.shape[0] - 1
    (out,) = loop(literal(count, INT), rows, rows, body=body, length=count, consts=1, reverse=False)
    return np.moveaxis(wrap(out, scalar=False), 0, axis)


def change_in_order(ufunc: np.ufunc, a, indices, values) -> None:
    """``a[i] = ufunc(a[i], value)`` for one index after another; without `values` for ufuncs of one operand."""
    places = indices if isinstance(indices, tuple) else (indices,)
    arrays = [wrap(to_atom(np.asarray(i) if isinstance(i, list) else i), scalar=False) for i in places]
    if len(arrays) > a.ndim or any(i.dtype.kind not in "iu" for i in arrays):
        raise errors.NotImplementedError(f"np.{ufunc.__name__}.at takes integer arrays as indices here; write the loop out")
    shape = np.broadcast_shapes(*[i.shape for i in arrays])
    count = int(np.prod(shape, dtype=int))
    flat = [reshape(broadcast(cast(i.atom, INT), shape=shape), shape=(count,)) for i in arrays]
    rest = a.shape[len(arrays):]
    given: list[Atom] = []
    if values is not None:
        values = wrap(to_atom(values), scalar=False)
        given = [reshape(broadcast(values.atom, shape=(*shape, *rest)), shape=(count, *rest))]

    def step(k: Atom, *held: Atom) -> list[Atom]:
        *held, array = held
        where = [gather(i, k) for i in held[: len(flat)]]
        operands = [gather(x, k) for x in held[len(flat):]]
        return [scatter(array, apply(ufunc, a.dtype, gather(array, *where), *operands), *where, unique=True)]

    consts = [*flat, *given]
    body = build(step, [COUNTER, *[x.type for x in consts], a.type])
    (changed,) = loop(literal(count, INT), *consts, a.atom, body=body, length=count, consts=len(consts), reverse=False)
    a.assign(changed)
