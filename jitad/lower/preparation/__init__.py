"""A Program as loops want it: rewritten where the order of loops or of memory makes it cheaper.

- `prepare` goes through them;
- loops: `narrowing` (carry only what is read), `histories` (keep every carried value), `interchange`, `sinking` (into loops and branches);
- `samples` (few elements of what is never stored), `halos` (rims of zeros).
- `stacking`: what inner loops keep.
"""
