"""Which names are sure to have a value wherever they are read.

In: a function. Out: those of its names that every path binds before it reads them. Invariant: a name that some path may read without a
value is not among them; of others, some may be missing.
"""

from __future__ import annotations

import ast

from jitad.frontend.source.scopes import Scope, parameters

Names = frozenset[str] | None  # the names bound where control is; None where it cannot be


def met(*states: Names) -> Names:
    """Return what is bound where paths meet."""
    reached = [state for state in states if state is not None]
    return frozenset.intersection(*reached) if reached else None


def bound_by(state: Names, names) -> Names:
    return None if state is None else state | names


class Assignment:
    """The assured names of one function.

    Attributes
    ----------
    assured
        The names.
    """

    def __init__(self, node: ast.AST):
        scope = Scope(node)
        self.unsure: set[str] = set(scope.declared)
        self.breaks: list[list[Names]] = []
        self.block(node.body, frozenset(parameter.arg for parameter in parameters(node.args)))
        self.assured = scope.bound - self.unsure

    def block(self, statements: list[ast.stmt], state: Names) -> Names:
        for statement in statements:
            state = getattr(self, statement.__class__.__name__, self.simple)(statement, state)
        return state

    def read(self, state: Names, *nodes: ast.AST | None) -> None:
        """Note what expressions or statements read, functions inside them included; what they bind on the way is unsure."""
        for root in nodes:
            for node in ast.walk(root) if root is not None and state is not None else ():
                if isinstance(node, ast.NamedExpr):
                    self.unsure.add(node.target.id)
                elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store) and node.id not in state:
                    self.unsure.add(node.id)

    def simple(self, node, state):
        self.read(state, node)
        if isinstance(node, ast.AugAssign):
            self.read(state, ast.Expr(ast.Name(getattr(node.target, "id", ""), ast.Load())))
        if isinstance(node, ast.Delete):
            self.unsure |= {x.id for x in ast.walk(node) if isinstance(x, ast.Name)}
        return bound_by(state, Scope(ast.Module([node], [])).bound)

    def leave(self, node, state):
        self.read(state, node)

    Return = Raise = leave

    def Continue(self, node, state):
        return None

    def Break(self, node, state):
        self.breaks[-1].append(state)

    def If(self, node, state):
        self.read(state, node.test)
        return met(self.block(node.body, state), self.block(node.orelse, state))

    def For(self, node, state):
        self.read(state, node.iter, node.target)
        targets = {x.id for x in ast.walk(node.target) if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store)}
        return self.loop(node, bound_by(state, targets), state)

    def While(self, node, state):
        self.read(state, node.test)
        endless = isinstance(node.test, ast.Constant) and bool(node.test.value)
        return self.loop(node, state, None if endless else state)

    def loop(self, node, entry: Names, exhausted: Names) -> Names:
        self.breaks.append([])
        self.block(node.body, entry)
        breaks = self.breaks.pop()
        return met(self.block(node.orelse, exhausted), *breaks)

    def With(self, node, state):
        self.read(state, *[item.context_expr for item in node.items])
        targets = {x.id for item in node.items if item.optional_vars for x in ast.walk(item.optional_vars) if isinstance(x, ast.Name)}
        return self.block(node.body, bound_by(state, targets))

    def Try(self, node, state):
        """Any statement of the body may be the last one that runs."""
        end = self.block(node.orelse, self.block(node.body, state))
        ends = [end]
        for handler in node.handlers:
            self.read(state, handler.type)
            self.unsure |= {handler.name} - {None}
            ends.append(self.block(handler.body, state))
        met_ends = met(*ends)
        final = self.block(node.finalbody, state)
        return None if met_ends is None or final is None else met_ends | final

    TryStar = Try

    def Match(self, node, state):
        self.unsure |= Scope(ast.Module([node], [])).bound & pattern_names(node)
        self.read(state, node.subject, *[case.guard for case in node.cases])
        return met(state, *[self.block(case.body, state) for case in node.cases])


def pattern_names(node: ast.Match) -> set[str]:
    """Return the names that the patterns of a `match` statement bind."""
    fields = [getattr(x, name, None) for case in node.cases for x in ast.walk(case.pattern) for name in ("name", "rest")]
    return {name for name in fields if name is not None}
