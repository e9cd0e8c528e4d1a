"""Control flow of the user's function: what `if`, `for` and `while` of rewritten code do.

In: bodies as functions, in the order that the source has them. Out: their effects, if what decides is known while tracing; else
equations `cond`, `loop`, `while` and new values of what the bodies change.

- statements: `branches`, `speculation` (arms that both run), `statements` (loops), `loops` (staged ones), `handlers` (`try`), `raising`,
  `comprehensions`; `subprograms` (a part of a function as one equation);
- a body that is traced: `bodies`, `state` (the places that it may change), `signals` (how it ends), `catching` (exceptions in it), `equations`;
- what a loop carries: `carries`, `sharing` and `exchanges` (arrays with several names), `iterables` (what it runs over);
- what a branch gives: `merging`, `choices` (arrays that may be the same), `names` (that only one arm binds), `templates` (one structure for values
  of several);
- values taken apart into atoms: `pictures`; values that are one of several: `trials`;
- `lists` that grow in loops and branches, and elements by a traced number;
- functions of Python's and NumPy's that decide something: `comparisons`, `orders`, `vectorize`.
"""
