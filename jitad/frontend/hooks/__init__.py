"""What rewritten code calls in the place of Python's own operations, while a trace runs and when none does.

- `staging`: names, attributes and items, as they are read; `operators`, of the user's own classes; `calls`, in the place of a function;
- what is called differently: `introspection` and `classes` (builtins that look into objects), `seeds` (of random numbers);
- `own_code`: functions of jitad's own that are traced as the user's are.
"""
