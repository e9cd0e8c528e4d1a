"""Lists in staged control flow: those that grow there are kept in arrays, with as many elements as only the run tells.

- `access` is what traced code does with lists; `lookups` are elements by a number that only the run tells;
- `appended`: lists that loops and branches append to, with `extension` by another list; `growth` is what control flow does about them;
- `heaps`: priority queues; `searching`: places in lists, and lists that are sorted;
- `elements` go into `columns`, the arrays that hold them;
- `unchangeable`: lists and dicts of which a change could not be seen.
"""
