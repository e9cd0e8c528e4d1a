"""Rewriting the source of a user's function, so that what it reads and calls passes through `jitad.frontend.hooks.staging`.

In: the syntax tree of a function. Out: the tree of the same function, with the same names and lines, in which

    name, cell                ->  STAGE.name(name, "name"), STAGE.cell(cell, "cell")    where the function itself does not bind them
    a.b, a[i]                 ->  STAGE.attribute(a, "b"), STAGE.item(a, i)
    such a chain, as a whole  ->  STAGE.contents(...)
    f(...), a.f(...)          ->  STAGE.callee(f)(...), STAGE.method(a, "f")(...)
    a + b, -a, a += b         ->  STAGE.add(a, b), STAGE.neg(a), a = STAGE.iadd(a, b)
    a.b += v, a[i] += v       ->  STAGE.attribute_place(a, "b").update("iadd", v), ...
    for x in a                ->  for x in STAGE.iterable(a)
    [a, b], [a for b in c]    ->  STAGE.listed([a, b]), STAGE.listed([a for b in STAGE.iterable(c)])
    a = f(...)                ->  a = STAGE.made(...), a = STAGE.buffer(...)    where an array may be written into as `a`

STAGE is a constant of the code, the `staging.Stage` of the function. Calls are made by the user's frame, at the user's line.
Control flow is left as it is. Invariant: outside of a trace, the rewritten function does what the original does.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Set

from jitad.frontend.source.scopes import Scope
from jitad.frontend.source.sources import shallow_copy

STAGE = "<the stage of jitad>"
FRAME_READERS = frozenset(["super", "locals", "globals", "vars", "dir", "eval", "exec", "breakpoint"])
OPERATORS = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv", ast.FloorDiv: "floordiv", ast.Mod: "mod", ast.Pow: "pow",
    ast.MatMult: "matmul", ast.LShift: "lshift", ast.RShift: "rshift", ast.BitOr: "or_", ast.BitXor: "xor", ast.BitAnd: "and_",
    ast.USub: "neg", ast.UAdd: "pos", ast.Invert: "invert",
}  # fmt: skip
LOAD, STORE = ast.Load(), ast.Store()


class Rewriter:
    """Rewrites functions node by node. It never changes a node of the source: the result is a new tree.

    Parameters
    ----------
    free
        The free variables of the outermost function: captured names that are not among them are global.
    class_name
        The class around it, for names such as ``__x``.
    buffers, stores
        The names under which arrays may be written into, and those under which elements are assigned to.
    """

    def __init__(self, free: Iterable[str], class_name: str | None, buffers: Set[str] = frozenset(), stores: Set[str] = frozenset()):
        self.free = frozenset(free)
        self.class_name = class_name
        self.buffers = buffers
        self.stores = stores
        self.scopes: list[Scope] = []

    def function(self, node):
        """Rewrite the body of a function or lambda. What is evaluated where it is defined is left out."""
        node = shallow_copy(node)
        node.body = self.inside(node, node.body)
        return node

    def inside(self, scope_node, part):
        self.scopes.append(Scope(scope_node))
        try:
            return self.visit(part)
        finally:
            self.scopes.pop()

    def visit(self, node):
        """Rewrite a node, a list of nodes, or a constant of the grammar."""
        if isinstance(node, list):
            return [new for child in node for new in as_list(self.visit(child))]
        if not isinstance(node, ast.AST) or not node._fields:
            return node
        rule = getattr(self, node.__class__.__name__, None)
        return self.generic(node) if rule is None else rule(node)

    def generic(self, node, skip: tuple[str, ...] = ()):
        copy = shallow_copy(node)
        for field in node._fields:
            value = getattr(node, field, None)
            if isinstance(value, ast.AST | list) and field not in skip:
                setattr(copy, field, self.visit(value))
        return copy

    def List(self, node):
        copy = self.generic(node)
        return stage_call(node, "listed", copy) if isinstance(node.ctx, ast.Load) else copy

    # --- captured names, and what is reached from them -------------------------------------------------------------------------

    def mangled(self, name: str) -> str:
        """Return the name that the compiler makes of a private one."""
        return mangle(self.class_name, name)

    def captured(self, name: str) -> str | None:
        """Return the method of the stage through which a name is read, None for names of the function itself."""
        for depth, scope in enumerate(reversed(self.scopes)):
            if name in scope.outermost:
                return "name"
            if name in scope.bound and (depth == 0 or not scope.is_class):
                return None
        return "cell" if self.mangled(name) in self.free else "name"

    def link(self, node):
        """Rewrite a link of a chain of names, attributes and items: containers along the way stay what they are."""
        if isinstance(node, ast.Name):
            kind = self.captured(node.id)
            return node if kind is None else stage_call(node, kind, node, constant(node, self.mangled(node.id)))
        if isinstance(node, ast.Attribute):
            return stage_call(node, "attribute", self.link(node.value), constant(node, self.mangled(node.attr)))
        if isinstance(node, ast.Subscript):
            return stage_call(node, "item", self.link(node.value), self.key(node.slice))
        return self.visit(node)

    def key(self, node):
        """Rewrite what stands in brackets as an ordinary expression."""
        if isinstance(node, ast.Slice):
            bounds = [constant(node, None) if bound is None else self.visit(bound) for bound in (node.lower, node.upper, node.step)]
            return stage_call(node, "slice", *bounds)
        if isinstance(node, ast.Tuple):
            copy = shallow_copy(node)
            copy.elts = [self.key(element) for element in node.elts]
            return copy
        return self.visit(node)

    def Name(self, node):
        if not isinstance(node.ctx, ast.Load) or self.captured(node.id) is None:
            return node
        return stage_call(node, "contents", self.link(node))

    def Attribute(self, node):
        if isinstance(node.ctx, ast.Load):
            return stage_call(node, "contents", self.link(node))
        copy = shallow_copy(node)
        copy.value = self.link(node.value)
        return copy

    def Subscript(self, node):
        if isinstance(node.ctx, ast.Load):
            return stage_call(node, "contents", self.link(node))
        copy = shallow_copy(node)
        copy.value, copy.slice = self.link(node.value), self.visit(node.slice)
        return copy

    def ImportFrom(self, node):
        """What a function imports is captured as well."""
        names = [alias.asname or alias.name for alias in node.names]
        values = [stage_call(node, "imported", place(node, ast.Name(name, LOAD))) for name in names]
        return [node, *[place(node, ast.Assign([place(node, ast.Name(name, STORE))], value)) for name, value in zip(names, values)]]

    # --- calls -----------------------------------------------------------------------------------------------------------------

    def Call(self, node):
        copy = self.generic(node, skip=("func",))
        if is_stage_call(node):
            return copy
        if transposes(node):
            return stage_call(node, "transposed", self.link(node.func), copy.args[0].value)
        copy.func = self.callee(node.func)
        return copy

    def callee(self, func):
        if isinstance(func, ast.Name) and func.id in FRAME_READERS and self.captured(func.id) == "name":
            return func
        if isinstance(func, ast.Attribute):
            return stage_call(func, "method", self.link(func.value), constant(func, self.mangled(func.attr)))
        return stage_call(func, "callee", self.link(func))

    # --- operators -------------------------------------------------------------------------------------------------------------

    def BinOp(self, node):
        if is_constant(node):
            return node
        return stage_call(node, OPERATORS[type(node.op)], self.visit(node.left), self.visit(node.right))

    def UnaryOp(self, node):
        if isinstance(node.op, ast.Not) or is_constant(node):
            return self.generic(node)
        return stage_call(node, OPERATORS[type(node.op)], self.visit(node.operand))

    def AugAssign(self, node):
        target, operation = node.target, f"i{OPERATORS[type(node.op)].rstrip('_')}"
        if isinstance(target, ast.Name):
            read = place(target, ast.Name(target.id, LOAD))
            kind = self.captured(target.id)
            if kind is None:
                return place(node, ast.Assign([target], stage_call(node, operation, read, self.visit(node.value))))
            holder = stage_call(target, f"{kind}_place", read, constant(target, self.mangled(target.id)))
        elif isinstance(target, ast.Attribute):
            holder = stage_call(target, "attribute_place", self.link(target.value), constant(target, self.mangled(target.attr)))
        else:
            holder = stage_call(target, "item_place", self.link(target.value), self.key(target.slice))
        update = place(node, ast.Attribute(holder, "update", LOAD))
        value = place(node, ast.Call(update, [constant(node, operation), self.visit(node.value)], []))
        return place(node, ast.Assign([target], value) if isinstance(target, ast.Name) else ast.Expr(value))

    # --- statements ------------------------------------------------------------------------------------------------------------

    def For(self, node):
        return self.loop(node, self.iterable(node))

    def loop(self, node, iterable):
        copy = self.generic(node, skip=("iter",))
        copy.iter = iterable
        return copy

    def iterable(self, node):
        """Rewrite what a ``for`` runs over."""
        value = self.visit(node.iter)
        return value if getattr(node, "is_async", False) else stage_call(node.iter, "iterable", value)

    def Assign(self, node):
        copy = self.generic(node, skip=("value",))
        copy.value = self.assigned(node.targets, node.value)
        return copy

    def AnnAssign(self, node):
        copy = self.generic(node, skip=("annotation", "value"))
        copy.value = self.assigned([node.target], node.value)
        return copy

    def assigned(self, targets, value):
        """Rewrite a value that is assigned to targets."""
        if not any(may_lead_to(target, self.buffers) for target in targets):
            return self.visit(value)
        return self.made(value, "buffer" if any(may_lead_to(target, self.stores) for target in targets) else "made")

    def made(self, node, method: str):
        """Rewrite an expression whose value is written into, as far as it makes arrays."""
        if is_stage_call(node) and node.func.attr == "collected":
            copy = self.visit(node)
            if makes(collect_call(node).args[1]):
                call = collect_call(copy)
                call.args[1] = stage_call(call, method, call.args[1])
            return copy
        if makes(node):
            return stage_call(node, method, self.visit(node))
        copy = shallow_copy(node)
        if isinstance(node, ast.ListComp) and makes(node.elt):
            copy = self.comprehension_scope(node)
            copy.elt = stage_call(node.elt, method, copy.elt)
            return stage_call(node, "listed", copy)
        elif isinstance(node, ast.Tuple | ast.List):
            copy.elts = [self.made(element, method) for element in node.elts]
            return copy if isinstance(node, ast.Tuple) else stage_call(node, "listed", copy)
        elif isinstance(node, ast.Starred):
            copy.value = self.made(node.value, method)
        elif isinstance(node, ast.Dict):
            copy.keys, copy.values = self.visit(node.keys), [self.made(value, method) for value in node.values]
        else:
            return self.visit(node)
        return copy

    # --- scopes ----------------------------------------------------------------------------------------------------------------

    def FunctionDef(self, node):
        copy = self.function(node)
        copy.decorator_list, copy.args = self.visit(node.decorator_list), self.signature(node.args)
        return copy

    AsyncFunctionDef = FunctionDef

    def Lambda(self, node):
        copy = self.function(node)
        copy.args = self.signature(node.args)
        return copy

    def signature(self, args):
        copy = shallow_copy(args)
        copy.defaults, copy.kw_defaults = self.visit(args.defaults), self.visit(args.kw_defaults)
        return copy

    def ClassDef(self, node):
        copy = shallow_copy(node)
        copy.decorator_list, copy.bases, copy.keywords = map(self.visit, (node.decorator_list, node.bases, node.keywords))
        around, self.class_name = self.class_name, node.name
        copy.body = self.inside(node, node.body)
        self.class_name = around
        return copy

    def comprehension_scope(self, node):
        """The first iterable is evaluated outside of the comprehension, the rest inside."""
        first, *others = node.generators
        outside = self.iterable(first)
        self.scopes.append(Scope(node))
        copy = self.generic(node, skip=("generators",))
        copy.generators = [self.loop(first, outside), *[self.loop(generator, self.iterable(generator)) for generator in others]]
        self.scopes.pop()
        return copy

    SetComp = DictComp = GeneratorExp = comprehension_scope

    def ListComp(self, node):
        return stage_call(node, "listed", self.comprehension_scope(node))

    def match_case(self, node):
        return self.generic(node, skip=("pattern",))

    def TypeAlias(self, node):
        return node


def mangle(class_name: str | None, name: str) -> str:
    """Return the name that the compiler makes of a private one inside a class."""
    if class_name is None or not name.startswith("__") or name.endswith("__") or "." in name:
        return name
    return f"_{class_name.lstrip('_')}{name}" if class_name.strip("_") else name


def collect_call(node: ast.Call) -> ast.Call:
    """Return that part of a comprehension which appends an element to the list."""
    out = node.args[0].args.args[0].arg
    return next(call for call in ast.walk(node) if is_stage_call(call) and call.func.attr == "collect" and call.args[0].id == out)


def is_stage_call(node: ast.AST) -> bool:
    func = getattr(node, "func", None)
    return isinstance(node, ast.Call) and isinstance(func, ast.Attribute) and isinstance(func.value, ast.Constant) and func.value.value == STAGE


def is_constant(node) -> bool:
    """Return whether an expression is one of literals, which the compiler evaluates."""
    if isinstance(node, ast.BinOp):
        return is_constant(node.left) and is_constant(node.right)
    return is_constant(node.operand) if isinstance(node, ast.UnaryOp) else isinstance(node, ast.Constant)


def may_lead_to(target, names: Set[str]) -> bool:
    """Return whether something is assigned to one of `names`, or to a place in a container or object."""
    if isinstance(target, ast.Tuple | ast.List):
        return any(may_lead_to(element, names) for element in target.elts)
    return not isinstance(target, ast.Name) or target.id in names or target.id in map(value_name, names)


def value_name(name: str) -> str:
    """Return the name for a value that is about to be assigned to one."""
    return f"<value of {name}>"


def transposes(node) -> bool:
    """Return whether a call may be ``zip(*rows)``."""
    return isinstance(node.func, ast.Name) and len(node.args) == 1 and isinstance(node.args[0], ast.Starred) and not node.keywords


def makes(node) -> bool:
    """Return whether the value of an expression may be a new array."""
    return isinstance(node, ast.Call | ast.BinOp | ast.UnaryOp | ast.Compare) and not is_constant(node)


def as_list(node) -> list:
    return node if isinstance(node, list) else [node]


def place(origin: ast.AST, node: ast.AST):
    """Put a new node where `origin` stands in the file."""
    return ast.copy_location(node, origin)


def constant(origin: ast.AST, value) -> ast.Constant:
    return place(origin, ast.Constant(value))


def stage_call(origin: ast.AST, method: str, *args: ast.AST) -> ast.Call:
    """Return the node of ``STAGE.method(*args)``, placed at `origin`."""
    function = place(origin, ast.Attribute(constant(origin, STAGE), method, LOAD))
    return place(origin, ast.Call(function, list(args), []))
