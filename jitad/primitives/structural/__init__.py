"""What moves elements and computes nothing: index maps when lowered, not copies.

- `shaping`: elements repeated and ordered;
- parts of arrays at places that are known: `boxes`, and `updates`, which write them;
- at places that only the run tells: `windows`, whose places along each axis are `spans`; `indexing` with arrays of integers.
"""
