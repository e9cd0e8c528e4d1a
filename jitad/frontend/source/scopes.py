"""Which names a function binds.

In: the node of a function, lambda, comprehension or class. Out: the names that it binds and those that it declares global.
The rest, as far as no enclosing scope binds them, are captured: they belong to a closure, to the module, or to Python.
"""

from __future__ import annotations

import ast

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


class Scope(ast.NodeVisitor):
    """The names of one scope, not those of the scopes inside it.

    Attributes
    ----------
    bound
        Names that belong to this scope: parameters, targets, imports, definitions.
    declared
        Names declared ``global`` or ``nonlocal``.
    outermost
        Names declared ``global``.
    """

    def __init__(self, node: ast.AST):
        self.bound: set[str] = set()
        self.declared: set[str] = set()
        self.outermost: set[str] = set()
        self.is_class = isinstance(node, ast.ClassDef)
        if isinstance(node, COMPREHENSIONS):
            for generator in node.generators:
                self.visit(generator.target)
        else:
            if isinstance(node, FUNCTIONS):
                self.bound.update(parameter.arg for parameter in parameters(node.args))
            for statement in node.body if isinstance(node.body, list) else [node.body]:
                self.visit(statement)
        self.bound -= self.declared

    def visit_Name(self, node):
        if not isinstance(node.ctx, ast.Load):
            self.bound.add(node.id)

    def visit_Global(self, node):
        self.declared.update(node.names)
        self.outermost.update(node.names)

    def visit_Nonlocal(self, node):
        self.declared.update(node.names)

    def visit_FunctionDef(self, node):
        self.bound.add(node.name)
        self.visit_outside(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node):
        self.bound.add(node.name)
        for expression in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(expression)

    def visit_Lambda(self, node):
        self.visit_outside(node)

    def visit_outside(self, node):
        """Visit those parts of a function that are evaluated where it is defined."""
        defaults = [default for default in node.args.kw_defaults if default is not None]
        for expression in (*getattr(node, "decorator_list", ()), *node.args.defaults, *defaults):
            self.visit(expression)

    def visit_comprehension_scope(self, node):
        """A comprehension binds nothing here, except through ``:=``."""
        for inner in ast.walk(node):
            if isinstance(inner, ast.NamedExpr):
                self.bound.add(inner.target.id)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_comprehension_scope

    def visit_alias(self, node):
        self.bound.add(node.asname or node.name.partition(".")[0])

    def visit_binding(self, node):
        """A node whose `name` is bound, if it is not None: an ``except`` clause or a pattern of ``match``."""
        if node.name is not None:
            self.bound.add(node.name)
        self.generic_visit(node)

    visit_ExceptHandler = visit_MatchAs = visit_MatchStar = visit_binding

    def visit_MatchMapping(self, node):
        if node.rest is not None:
            self.bound.add(node.rest)
        self.generic_visit(node)

    def visit_TypeAlias(self, node):
        self.bound.add(node.name.id)


def parameters(args: ast.arguments) -> list[ast.arg]:
    """Return all parameters of a signature."""
    return [arg for arg in (*args.posonlyargs, *args.args, args.vararg, *args.kwonlyargs, args.kwarg) if arg is not None]
