"""Which values of a Program are stored, and which equations share a loop nest.

- `fusion` decides, by what `reads` says of each equation: over which box it runs, where it reads; `levels`: when nests can run;
- `order`: what is overwritten is read before; `rereading`: what is stored anyway is read;
- `products`: which products of matrices are calls.
"""
