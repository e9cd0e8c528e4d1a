"""The run of a function on traced arrays.

In: a rewritten function and arguments. Out: a Program, and what it took from outside.

- `trace` is the state of the run, `programs` runs it; `trees` takes arguments and results apart;
- `captures` finds what is read from outside, `guards` tell whether that is still as it was, `constants` are arrays that nobody else can change;
- `concrete` is where Python asks for a value, `growable` are the lists that the function makes, `printing` shows values when the kernel runs.
"""
