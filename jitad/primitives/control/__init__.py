"""Control flow: `loop` (a number of trips), `while_`, `sweeps` (several bodies over the same trips), `cond`.

Further `replayed` and `replay`, loops that are run again, `checkpoint` and `recompute`, parts kept together. Their bodies are closed
Programs in the parameters.

In: which body or how often, constants, carried values. Out: the carried values at the end. Rules rewrite the bodies with the passes themselves
(`jitad.ir.passes`). Invariant: the inputs of a loop's body are the trip number, the constants, the carried values; its outputs are
the carried values, of unchanged types. An array that a body updates (`scatter`) is carried; one that it reads is a constant.

- the primitives: `loops`, `whiles`, `sweeps`, `branches`, `recomputation` (`checkpoint`), `replays`, `printing`, `undefined`;
- members of a batch that have nothing to do: `idle`;
- `bodies`: what their rules have in common;
- reverse mode: `lasting` (what can be read again after a loop), `confinement` (residuals that are zero in part), `pulled` (a trip of a transposed
  loop), `reversal` (the transpose of `sweeps`), `schedules` and `online` (snapshots);
- versions of a loop that cost less: `delays`, `invariants`, `rows`; `affine` tells of places in arrays.
"""

from jitad.primitives.control.branches import cond
from jitad.primitives.control.loops import loop
from jitad.primitives.control.printing import print_
from jitad.primitives.control.recomputation import checkpoint, recompute
from jitad.primitives.control.replays import replay, replayed
from jitad.primitives.control.reversal import transpose_sweeps  # noqa: F401
from jitad.primitives.control.sweeps import sweeps
from jitad.primitives.control.undefined import empty
from jitad.primitives.control.whiles import while_

__all__ = ["checkpoint", "cond", "empty", "loop", "print_", "recompute", "replay", "replayed", "sweeps", "while_"]
