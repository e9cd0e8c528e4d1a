"""The intermediate representation: typed, pure Programs in SSA form, and what every folder needs to read and write them.

- `types`, `program` (the grammar, and Programs as text), `primitive` and `registry` (what an operation is), `lowering` (how a kernel
  evaluates one);
- building and rewriting: `recorder`; `passes`, by name, for rules that need one;
- questions: `dataflow` (what leads to a value), `facts` (what is certain of it), `intervals` (between which bounds integers lie), `effects` (what
  else a Program does), `content` (its digest);
- what stands in rules for what is not there: `symbolic`;
- `verifier`, `interpreter` (the reference meaning);
- the user's side: `source` (lines), `libraries` (files that are not the user's), `errors`, `lines` (what `print` writes).
"""
