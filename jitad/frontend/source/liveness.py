"""Which names matter after a statement.

In: a function. Out: for each statement inside it, the names whose values may be read after it. Invariant: a name that is read is
never missing; some that are not read may be there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from jitad.frontend.source.scopes import COMPREHENSIONS, FUNCTIONS, Scope

Names = frozenset[str]


def loads(*nodes: ast.AST | None) -> set[str]:
    """Return the names that expressions or statements read, wherever in them."""
    return {node.id for root in nodes if root is not None for node in ast.walk(root)
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store)}


def stores(statement: ast.AST) -> set[str]:
    """Return the names that a simple statement binds."""
    return Scope(ast.Module([statement], [])).bound


class Liveness:
    """The live names of one function.

    Attributes
    ----------
    after
        For each statement, by its id: names that may be read after it.
    jumps
        For each statement: names that may be read where `break` and `continue` lead to.
    head
        For each loop: names that may be read at its next trip, or after it.
    """

    def __init__(self, body: list[ast.stmt], always: Iterable[str] = ()):
        self.after: dict[int, Names] = {}
        self.jumps: dict[int, Names] = {}
        self.head: dict[int, Names] = {}
        self.always = frozenset(always) | captured_inside(body)
        self.block(body, self.always, frozenset(), frozenset())

    def block(self, statements: list[ast.stmt], after: Names, breaks: Names, continues: Names) -> Names:
        """Return the names that are live before `statements`."""
        for statement in reversed(statements):
            self.after[id(statement)] = after
            self.jumps[id(statement)] = breaks | continues
            rule = getattr(self, statement.__class__.__name__, self.simple)
            after = frozenset(rule(statement, after, breaks, continues)) | self.always
        return after

    def simple(self, node, after, breaks, continues):
        bound = stores(node) if not isinstance(node, ast.AugAssign) else set()
        read = loads(node) | ({node.target.id} if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) else set())
        return after - bound | read

    def Return(self, node, after, breaks, continues):
        return loads(node.value)

    def Raise(self, node, after, breaks, continues):
        return after | loads(node)

    def Break(self, node, after, breaks, continues):
        return breaks

    def Continue(self, node, after, breaks, continues):
        return continues

    def If(self, node, after, breaks, continues):
        arms = [self.block(arm, after, breaks, continues) for arm in (node.body, node.orelse)]
        return arms[0] | arms[1] | loads(node.test)

    def While(self, node, after, breaks, continues):
        return self.loop(node, after, breaks, continues, loads(node.test), set())

    def For(self, node, after, breaks, continues):
        bound = {name.id for name in ast.walk(node.target) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)}
        return self.loop(node, after, breaks, continues, loads(node.target), bound) | loads(node.iter)

    def loop(self, node, after, breaks, continues, read: set[str], bound: set[str]) -> Names:
        head = self.block(node.orelse, after, breaks, continues) | after | read
        while True:
            found = head | self.block(node.body, head, after, head) - bound | read
            if found == head:
                self.head[id(node)] = head
                return head
            head = found

    def With(self, node, after, breaks, continues):
        return self.block(node.body, after, breaks, continues) | after | loads(*node.items)

    def Try(self, node, after, breaks, continues):
        """Any statement of the body may be the last one that runs."""
        end = self.block(node.finalbody, after, breaks, continues) | after
        caught = end | loads(node)
        for handler in node.handlers:
            caught |= self.block(handler.body, end, breaks | end, continues | end)
        orelse = self.block(node.orelse, caught, breaks | caught, continues | caught)
        around, self.always = self.always, self.always | caught
        before = self.block(node.body, caught | orelse, breaks | caught, continues | caught)
        self.always = around
        return before | caught

    TryStar = Try

    def Match(self, node, after, breaks, continues):
        result = after | loads(node.subject)
        for case in node.cases:
            result |= self.block(case.body, after, breaks, continues) | loads(case.pattern, case.guard)
        return result


def captured_inside(body: list[ast.stmt]) -> Names:
    """Return the names that functions and classes inside a body read: when they run is not known."""
    inner = [node for statement in body for node in ast.walk(statement) if isinstance(node, (*FUNCTIONS, ast.ClassDef))]
    lazy = [node for statement in body for node in ast.walk(statement) if isinstance(node, COMPREHENSIONS[3])]
    return frozenset(loads(*inner, *lazy))
