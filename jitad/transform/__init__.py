"""Passes that turn a Program into the Program of a derivative, or of a batch.

Forward mode is `jvp`. Reverse mode is `linearize`, which takes what `jvp` gives apart by `partition`, then `transpose`; `vjp` puts them together,
and `asking` says where the transpose has to know what selections left out. What the reverse sweep keeps is decided in `residuals`, what it runs
again in `snapshots` and, under a memory budget, in `budget`. `batch` is for `vmap`.
"""
