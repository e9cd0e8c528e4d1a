"""From loops to machine code: LLVM IR, optimized and compiled by llvmlite. The only folder that imports numba or llvmlite.

- a kernel: `kernel` (object code and what is called), `module` (the steps of a kernel), `parts` (in functions of their own), `machine` (LLVM itself);
- loop nests: `nests`, `iterations`, `accumulators`, `streaming`, of operations on scalars: `scalars`, `elementary`, `special_functions`;
- memory: `memory` (where buffers lie), `tapes` (whose size is only known when the kernel runs);
- `library`: calls on whole arrays; `threads`: loops that are shared out;
- ways in and out: `entry` (from Python), `embedding` (from Numba and C), `failures` (exceptions), `printing`;
- `emission` and `loop` are what they share.
"""
