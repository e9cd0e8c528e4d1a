"""Functions that call themselves, and do so until a condition holds that is only known when the compiled function runs.

In: the syntax tree of a function. Out: one that does the same in a loop: where its value is a sum of calls of itself with factors, and of other
terms, what is still to be computed is kept in a list. And what is called in the place of such a function, which takes to the loop when the calls
do not come to an end. Invariant: recursion that what is known while tracing ends is traced as it is.
"""

from __future__ import annotations

import ast
import copy
import types
from collections.abc import Callable
from pathlib import Path

from jitad.frontend.source.constructs import own_nodes
from jitad.frontend.source.scopes import FUNCTIONS, parameters
from jitad.frontend.source.syntax import constant, place
from jitad.frontend.tracing.trace import current_trace
from jitad.ir import errors
from jitad.ir.libraries import is_library
from jitad.ir.source import Source

STAGED = str(Path(__file__).parents[1] / "control" / "bodies.py")  # whose functions run while a branch or a loop is staged
DEEPEST = 10  # branches within branches, each of which decides about a call
TOTAL, WEIGHT, PENDING = "<total>", "<weight>", "<pending>"


class Recursed(BaseException):
    """A function calls itself again and again in branches that are staged."""

    def __init__(self, code: types.CodeType):
        super().__init__(f"{code.co_name} does not come to an end")
        self.code = code


def calls_itself(function: types.FunctionType) -> bool:
    code = function.__code__
    if code.co_name in code.co_freevars:
        return True
    named = function.__globals__.get(code.co_name) if code.co_name in code.co_names else None
    return getattr(getattr(named, "__wrapped__", named), "__code__", None) is code


def recursive(function: types.FunctionType, plain: Callable, in_loop: Callable[[], Callable | None]) -> Callable:
    """Return what is called in the place of a function that calls itself: `plain`, or what `in_loop` gives if that does not come to an end."""
    code = function.__code__

    def call(*args, **kwargs):
        trace = current_trace()
        if trace is None:
            return plain(*args, **kwargs)
        running = trace.home.calls.setdefault(code, [])
        if len(set(map(id, running))) > DEEPEST:
            raise Recursed(code)
        running.append(trace)
        try:
            return plain(*args, **kwargs)
        except Recursed as error:
            if error.code is not code or len(running) > 1:
                raise
        finally:
            running.pop()
        loop = in_loop()
        if loop is None:
            raise endless(function.__name__)
        try:
            return loop(*args, **kwargs)
        except TypeError as error:  # of values that cannot be added up, as lists
            if isinstance(error, errors.JitadError):
                raise
            raise endless(function.__name__) from error

    call.__name__, call.__qualname__ = function.__name__, function.__qualname__
    return call


def endless(name: str, *source: Source) -> errors.ControlFlowError:
    return errors.ControlFlowError(
        f"{name} calls itself until a condition holds that is decided when the compiled function runs; write a loop: while, with a list of what is "
        "still to be done if there are several calls", *source)


def explained(error: RecursionError) -> Exception:
    """Return what is to be said of recursion without end: in which of the user's functions, and where, if it goes through staged control flow."""
    found, staged, traceback = [], False, error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        staged = staged or code.co_filename == STAGED
        if not is_library(code.co_filename) and not code.co_name.startswith("<"):
            found.append((code.co_name, Source(code.co_filename, traceback.tb_lineno)))
        traceback = traceback.tb_next
    return endless(*max(found, key=found.count, default=("a function",))) if staged else error


# --- the same in a loop ---------------------------------------------------------------------------------------------------------------


class NotLinear(Exception):
    """A function is not the sum of calls of itself."""


def in_loop(node: ast.FunctionDef) -> ast.FunctionDef | None:
    """Return a function that does what one does that calls itself, in a loop; None if it cannot be written so."""
    try:
        return Loop(node).function()
    except NotLinear:
        return None


class Loop:
    """The loop of one function. Without a list if each call gives the value of the whole."""

    def __init__(self, node: ast.FunctionDef):
        self.node = node
        own = list(own_nodes(node))
        if not isinstance(node, ast.FunctionDef) or node.args.vararg or node.args.kwarg or any(map(forbids, own)):
            raise NotLinear
        self.names = [parameter.arg for parameter in parameters(node.args)]
        self.defaults = dict(zip([x.arg for x in (*node.args.posonlyargs, *node.args.args)][::-1], node.args.defaults[::-1], strict=False))
        self.defaults |= {x.arg: value for x, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if value is not None}
        calls = [x for x in own if self.is_call(x)]
        if not calls or len(calls) != sum(isinstance(x, ast.Name) and x.id == node.name for x in own):
            raise NotLinear
        bound = [self.arguments(call) for call in calls]
        stored = {x.id for x in own if isinstance(x, ast.Name) and not isinstance(x.ctx, ast.Load)}
        if any(isinstance(x, ast.AugAssign) and x.target.id in self.names for x in own):
            raise NotLinear
        self.changing = [name for name in self.names if name in stored or any(
            not (isinstance(found[name], ast.Name) and found[name].id == name) for found in bound)]
        self.tail = all(self.is_call(x.value) for x in own if isinstance(x, ast.Return) and x.value is not None and self.calls_in(x.value))
        self.tail &= all(isinstance(x, ast.Return) or not self.calls_in(x) or not isinstance(x, ast.IfExp) for x in own)

    def is_call(self, node) -> bool:
        return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == self.node.name

    def calls_in(self, node) -> bool:
        return any(map(self.is_call, ast.walk(node)))

    def arguments(self, call: ast.Call) -> dict[str, ast.expr]:
        """Return the arguments of a call by the names of the parameters."""
        found = dict(zip(self.names, call.args, strict=False)) | {keyword.arg: keyword.value for keyword in call.keywords}
        found = {name: found.get(name, self.defaults.get(name)) for name in self.names}
        if any(isinstance(x, ast.Starred) for x in call.args) or any(
                value is None or self.calls_in(value) or value is self.defaults.get(name) and not isinstance(value, ast.Constant)
                for name, value in found.items()):
            raise NotLinear
        return found

    def function(self) -> ast.FunctionDef:
        node = copy.copy(self.node)
        at = node.body[0]
        body = self.block(node.body)
        if self.tail:
            loop = [ast.While(constant(at, True), [*body, ast.Return(constant(at, None))], [])]
        else:
            first = ast.Tuple([constant(at, 1), *map(load, self.changing)], ast.Load())
            take = ast.Call(ast.Attribute(load(PENDING), "pop", ast.Load()), [], [])
            parts = ast.Tuple([store(name) for name in (WEIGHT, *self.changing)], ast.Store())
            loop = [ast.Assign([store(TOTAL)], constant(at, 0)), ast.Assign([store(PENDING)], ast.List([first], ast.Load())),
                    ast.While(load(PENDING), [ast.Assign([parts], take), *body], []), ast.Return(load(TOTAL))]
        node.body = [located(at, statement) for statement in loop]
        return node

    def block(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        result: list[ast.stmt] = []
        for node in statements:
            if isinstance(node, ast.Return):
                result += self.returned(node)
            elif isinstance(node, ast.If):
                if self.calls_in(node.test):
                    raise NotLinear
                result.append(place(node, ast.If(node.test, self.block(node.body), self.block(node.orelse))))
            elif self.calls_in(node) or not self.tail and any(isinstance(x, ast.Return) for x in ast.walk(node)):
                raise NotLinear
            else:
                result.append(node)
        return result

    def returned(self, node: ast.Return) -> list[ast.stmt]:
        value = node.value or constant(node, None)
        if isinstance(value, ast.IfExp):
            arms = [self.returned(place(node, ast.Return(part))) for part in (value.body, value.orelse)]
            return [place(node, ast.If(value.test, *arms))]
        if self.tail:
            if not self.is_call(value):
                return [node]
            found = self.arguments(value)
            targets = ast.Tuple([store(name) for name in self.changing], ast.Store())
            again = [ast.Assign([targets], ast.Tuple([found[name] for name in self.changing], ast.Load()))] if self.changing else []
            return [located(node, statement) for statement in (*again, ast.Continue())]
        rest, calls = self.terms(value, None)
        statements: list[ast.stmt] = []
        for term in rest:
            statements.append(ast.Assign([store(TOTAL)], ast.BinOp(load(TOTAL), ast.Add(), times(load(WEIGHT), term))))
        for factor, call in reversed(calls):
            found = self.arguments(call)
            item = ast.Tuple([times(load(WEIGHT), factor), *[found[name] for name in self.changing]], ast.Load())
            statements.append(ast.Expr(ast.Call(ast.Attribute(load(PENDING), "append", ast.Load()), [item], [])))
        return [located(node, statement) for statement in (*statements, ast.Continue())]

    def terms(self, value: ast.expr, factor: ast.expr | None) -> tuple[list, list]:
        """Return the terms of a sum, and those that are calls with their factors."""
        if not self.calls_in(value):
            return [times(value, factor)], []
        if self.is_call(value):
            return [], [(factor, value)]
        if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub):
            return self.terms(value.operand, times(ast.Constant(-1), factor))
        if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add | ast.Sub):
            first = self.terms(value.left, factor)
            second = self.terms(value.right, times(ast.Constant(-1), factor) if isinstance(value.op, ast.Sub) else factor)
            return first[0] + second[0], first[1] + second[1]
        if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult):
            for part, other in ((value.left, value.right), (value.right, value.left)):
                if not self.calls_in(other):
                    return self.terms(part, times(other, factor))
        if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Div) and not self.calls_in(value.right):
            return self.terms(value.left, times(ast.BinOp(ast.Constant(1), ast.Div(), value.right), factor))
        raise NotLinear


def forbids(node) -> bool:
    """Return whether a node does something that happens once in each call, or cannot be in a loop."""
    if isinstance(node, ast.Subscript | ast.Attribute):
        return not isinstance(node.ctx, ast.Load)
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant)
    return isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.Global, ast.Nonlocal, ast.Yield, ast.YieldFrom, ast.Await, ast.Try, ast.With, ast.Delete))


def times(x: ast.expr, y: ast.expr | None) -> ast.expr:
    return x if y is None else ast.BinOp(x, ast.Mult(), y)


def load(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def store(name: str) -> ast.Name:
    return ast.Name(name, ast.Store())


def located(origin: ast.AST, node: ast.AST) -> ast.AST:
    """Put new nodes where `origin` stands in the file; those of the source stay where they are."""
    for child in ast.walk(node):
        if not hasattr(child, "lineno"):
            ast.copy_location(child, origin)
    return node
