"""From a Program to loops: which equations share a loop nest, where values live, what one element costs.

In: an optimized Program. Out: `Loops`, whose grammar is in `grammar`. Every folder builds on those before it:

- `grammar`: loops, the scalars and indices in them, and how they are shown, checked and compared;
- `fusion`: which values are stored, which equations share a nest, which products are calls;
- `preparation`: a Program as loops want it;
- `steps`: from equations to nests and loops;
- `memory`: where buffers lie and which share memory;
- `schedule`: how loops run: by strips, trailing one another, by threads.

`lowering` goes through them in this order.
"""
