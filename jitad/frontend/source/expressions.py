"""Rewriting expressions that decide something: what may not be computed becomes a function.

In: the `flow.Flow` of a function, and an expression of it whose parts have been rewritten. Out: the expression in its place, as the module `flow`
lists them. Invariant: each part is computed as often as in the source, and where that computes it.
"""

from __future__ import annotations

import ast

from jitad.frontend.source.constructs import binds, compares, consumes, is_list, target_names, target_structure
from jitad.frontend.source.syntax import LOAD, constant, place, stage_call

COMPARISONS = {ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge", ast.Eq: "eq", ast.NotEq: "ne",
               ast.Is: "is_", ast.IsNot: "is_not", ast.In: "in_", ast.NotIn: "not_in"}  # fmt: skip


def name(flow, node):
    read = isinstance(node.ctx, ast.Load) and flow.statements and node.id in flow.unsure
    return stage_call(node, "bound", node) if read else node


def if_expression(flow, node):
    return stage_call(node, "choose", node.test, delay(node.body), delay(node.orelse))


def logical(flow, node):
    first, *others = node.values
    method = "all_of" if isinstance(node.op, ast.And) else "any_of"
    return stage_call(node, method, first, *map(delay, others))


def comparison(flow, node):
    if not compares(node):
        return node
    names = constant(node, tuple(COMPARISONS[type(op)] for op in node.ops))
    return stage_call(node, "chain", node.left, names, *map(delay, node.comparators))


def comprehension(flow, node):
    if not is_list(node):
        return node
    flow.lists += 1
    out = f"<list {flow.lists}>"
    result = stage_call(node, "collect", place(node, ast.Name(out, LOAD)), node.elt)
    for generator in reversed(node.generators):
        for test in reversed(generator.ifs):
            result = stage_call(test, "when", test, delay(result))
        names, structure = target_names(generator.target), constant(node, target_structure(generator.target))
        result = stage_call(node, "each", generator.iter, structure, lambda_of(names, result))
    return stage_call(node, "collected", lambda_of([out], result))


def call(flow, node):
    generator = node.args[0] if len(node.args) == 1 else None
    if isinstance(node.func, ast.Name) and node.func.id in ("any", "all") and isinstance(generator, ast.GeneratorExp) and binds(generator.elt):
        generator.elt = stage_call(generator.elt, "known", generator.elt)
    if consumes(node):
        node.args = [comprehension(flow, node.args[0])]
    return node


def negation(flow, node):
    return stage_call(node, "not_", node.operand) if isinstance(node.op, ast.Not) else node


RULES = {ast.Name: name, ast.IfExp: if_expression, ast.BoolOp: logical, ast.Compare: comparison, ast.UnaryOp: negation,
         ast.ListComp: comprehension, ast.Call: call}


def delay(node) -> ast.Lambda:
    return lambda_of([], node)


def lambda_of(names: list[str], node) -> ast.Lambda:
    args = ast.arguments(posonlyargs=[], args=[place(node, ast.arg(name)) for name in names], kwonlyargs=[], kw_defaults=[], defaults=[])
    return place(node, ast.Lambda(args, node))
