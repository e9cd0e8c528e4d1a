"""Rewriting control flow: bodies become functions, which the stage runs or traces.

In: the syntax tree of a function. Out: the tree of the same function, with the same names and lines, in which

    if c: A else: B               ->  def then(): A; def otherwise(): B; STAGE.branch(c, then, otherwise, site)
    for x in xs: A else: B        ->  def body(item): x = item; A; STAGE.for_loop(xs, body, otherwise, site)
    while c: A else: B            ->  def body(): A; STAGE.while_loop(lambda: c, body, otherwise, site)
    try: A except X: B            ->  def body(): A; def handler(error): B; STAGE.attempt(body, ((lambda: X, handler, False),), None, None, site)
    a if c else b                 ->  STAGE.choose(c, lambda: a, lambda: b)
    a and b, a or b, not a        ->  STAGE.all_of(a, lambda: b), STAGE.any_of(a, lambda: b), STAGE.not_(a)
    a < b < c, a in b             ->  STAGE.chain(a, ("lt", "lt"), lambda: b, lambda: c), STAGE.chain(a, ("in_",), lambda: b)
    [a for x, y in xs if c]       ->  STAGE.collected(lambda out: STAGE.each(xs, (None, None), lambda x, y:
                                      STAGE.when(c, lambda: STAGE.collect(out, a))))
    sum(a for x in xs), ...       ->  sum([a for x in xs]), ...

The bodies declare the names that they bind as nonlocal. `break`, `continue` and `return` in a body return a signal from it; the
statements after one that may give a signal become a function as well, which is run if there is none. In the bodies of `try` statements, and in
functions that they call, statements that may raise an exception may give a signal (`STAGE.raised`). A *site* names what the trace has
to look at (`state.Site`). Functions without these statements stay as they are. Invariant: each name is bound and read as in the source.
"""

from __future__ import annotations

import ast

from jitad.frontend.source.assignment import Assignment
from jitad.frontend.source.constructs import (
    ESCAPES,
    LOOPS,
    always_leaves,
    binds,
    delayed,
    handles,
    is_bare_super,
    is_staged,
    keeps_names,
    leaves_loop,
    may_raise,
    own_nodes,
    reads_frame,
    root_name,
    simplified,
    suppresses,
    value_of,
)
from jitad.frontend.source.expressions import RULES, delay
from jitad.frontend.source.liveness import Liveness
from jitad.frontend.source.recursion import in_loop
from jitad.frontend.source.scopes import FUNCTIONS, Scope, parameters
from jitad.frontend.source.sources import shallow_copy
from jitad.frontend.source.syntax import LOAD, STORE, constant, mangle, place, stage_call, value_name

SUSPENDING = (ast.Yield, ast.YieldFrom, ast.Await, ast.AsyncFor, ast.AsyncWith)
SIGNAL = "<signal>"


def stage_flow(node, class_name: str | None, guarded: bool = False):
    """Return a function or lambda with its control flow, and that of the functions inside, rewritten.

    In a `guarded` one, each statement is left out that comes after an exception which a `try` statement handles.
    """
    if not guarded and not any(map(is_staged, ast.walk(node))):
        return node
    return Flow(node, class_name, guarded, guarded or any(handles(x) or suppresses(x) for x in ast.walk(node))).function()


class Flow:
    """The control flow of one function, which is `guarded` itself or has functions inside that are."""

    def __init__(self, node, class_name: str | None, guarded: bool = False, guarded_inside: bool = False):
        node = simplified(node)
        self.node = node
        self.class_name = class_name
        self.scope = Scope(node)
        self.inside = 0
        self.lists = 0
        own = list(own_nodes(node))
        self.guarded, self.guarded_inside = guarded, guarded_inside
        self.staged = not isinstance(node, ast.AsyncFunctionDef) and (guarded or any(map(is_staged, own))) and not any(
            isinstance(x, SUSPENDING) or reads_frame(x) for x in own)
        self.statements = self.staged and not isinstance(node, ast.Lambda) and (
            guarded or any(isinstance(x, (ast.If, ast.Assert, *LOOPS)) or handles(x) for x in own))
        if self.statements:
            self.live = Liveness(node.body, self.scope.declared)
            self.assured = Assignment(node).assured
            self.unsure = self.scope.bound - self.scope.declared - self.assured
        self.bound_in_bodies: set[str] = set()
        self.kept: list[ast.stmt] = []  # statements that were made here, since what is known of them goes by their id

    def function(self):
        node = shallow_copy(self.node)
        if not isinstance(node.body, list):
            node.body = self.expression(node.body)
            return node
        if not self.statements:
            node.body = [new for statement in node.body for new in (self.expression(statement), *self.recursive(statement))]
            return node
        body = self.block(self.node.body)
        documented = int(ast.get_docstring(self.node, clean=False) is not None)
        node.body = [*body[:documented], *self.bindings(), *body[documented:]]
        return node

    def bindings(self) -> list[ast.stmt]:
        """Return statements that bind nothing, but tell the compiler which names belong to the function."""
        names = sorted(self.bound_in_bodies - self.scope.declared)
        if not names:
            return []
        origin = self.node.body[0]
        assign = ast.Assign([place(origin, ast.Name(name, STORE)) for name in names], constant(origin, None))
        return [place(origin, ast.If(constant(origin, False), [place(origin, assign)], []))]

    # --- statements ------------------------------------------------------------------------------------------------------------

    def block(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        """Rewrite a block. Inside of bodies, all that leaves it returns a signal."""
        result: list[ast.stmt] = []
        for k, node in enumerate(statements):
            rest = statements[k + 1:]
            if self.guarded:
                node, rest = self.value_first(node, rest)
            if isinstance(node, ESCAPES):
                return [*result, self.escape(node)]
            if isinstance(node, ast.If):
                new, ended = self.branch(node, rest)
            elif isinstance(node, LOOPS):
                new, ended = self.loop(node, rest)
            elif isinstance(node, ast.Try) and (self.guarded or node.handlers):
                new, ended = self.attempt(node, rest)
            elif isinstance(node, (ast.With, ast.Try, ast.TryStar, ast.Match)):
                new, ended = self.compound(node, rest)
            elif rest and self.breaks_off(node):
                at = header(node)
                new, ended = [self.simple(node), *self.finish(node, at, constant(at, None), rest)], True
            else:
                new, ended = [self.simple(node), *self.recursive(node)], False
            result += new
            if ended:
                return result
        return result

    def recursive(self, node) -> list[ast.stmt]:
        """Return statements by which a function inside that calls itself can become a loop."""
        if not isinstance(node, ast.FunctionDef) or node.decorator_list or not any(
                isinstance(x, ast.Name) and x.id == node.name for x in own_nodes(node)):
            return []
        loop = in_loop(node)
        if loop is not None:
            loop.name = f"<{node.name} in a loop>"
        at = header(node)
        call = stage_call(at, "recursive", place(at, ast.Name(node.name, LOAD)), self.reference(at, loop))
        definition = [] if loop is None else [self.definition(loop)]
        return [*definition, place(at, ast.Assign([place(at, ast.Name(node.name, STORE))], call))]

    def value_first(self, node, rest: list[ast.stmt]) -> tuple[ast.stmt, list[ast.stmt]]:
        """Part a statement whose value may raise an exception into that of a name for the value, and the statement with that name."""
        field, value = value_of(node) or ("", None)
        if value is None or not may_raise(value):
            return node, rest
        target = getattr(node, "targets", [getattr(node, "target", None)])[0]
        name = value_name(target.id if isinstance(target, ast.Name) else "")
        first = place(value, ast.Assign([place(value, ast.Name(name, STORE))], value))
        then = shallow_copy(node)
        setattr(then, field, place(value, ast.Name(name, LOAD)))
        for known in (self.live.after, self.live.jumps, self.live.head):
            if id(node) in known:
                known[id(then)] = known[id(node)]
        self.live.after[id(first)], self.live.jumps[id(first)] = self.live.after[id(node)] | {name}, self.live.jumps[id(node)]
        self.kept += [first, then]
        return first, [then, *rest]

    def breaks_off(self, node) -> bool:
        """Return whether a statement may end with a signal: `break`, `continue`, `return`, or an exception that is handled."""
        return leaves_loop([node]) or self.guarded and may_raise(node)

    def simple(self, node):
        if self.inside and isinstance(node, ast.Global | ast.Nonlocal):
            return place(node, ast.Pass())
        if isinstance(node, ast.Assert):
            copy = self.expression(node)
            message = [] if copy.msg is None else [delay(copy.msg)]
            copy.test = stage_call(node, "assertion", copy.test, *message)
            return copy
        return self.expression(node)

    def escape(self, node):
        if not self.inside:
            return self.expression(node)
        if isinstance(node, ast.Return):
            value = constant(node, None) if node.value is None else self.expression(node.value)
            return place(node, ast.Return(stage_call(node, "returning", value)))
        return place(node, ast.Return(stage_call(node, "breaking" if isinstance(node, ast.Break) else "continuing")))

    def branch(self, node: ast.If, rest: list[ast.stmt]) -> tuple[list[ast.stmt], bool]:
        body, orelse, test = node.body, node.orelse, self.expression(node.test)
        escaping = self.breaks_off(node)
        if escaping and rest and always_leaves(body):
            orelse, rest = [*orelse, *rest], []
        elif escaping and rest and always_leaves(orelse):
            body, rest = [*body, *rest], []
        last = (orelse or body)[-1] if escaping else node
        at = header(node)
        arms = [self.body(at, "<if>", body), self.body(at, "<else>", orelse)]
        call = stage_call(at, "branch", test, *[self.reference(at, arm) for arm in arms],
                          self.site(at, [*body, *orelse], self.live_after(node, last, *body[-1:])))
        definitions = [arm for arm in arms if arm is not None]
        if escaping:
            return [*definitions, *self.finish(node, at, call, rest)], True
        return [*definitions, place(at, ast.Expr(call))], False

    def loop(self, node, rest: list[ast.stmt]) -> tuple[list[ast.stmt], bool]:
        at = header(node)
        head = self.live.head[id(node)] | self.live_after(node, node)
        if isinstance(node, ast.For):
            item = place(node.target, ast.Name("<item>", LOAD))
            assign = place(node.target, ast.Assign([node.target], item))
            body = self.body(at, "<for>", [assign, *node.body], ["<item>"])
            method, first = "for_loop", self.expression(node.iter)
            inside = [assign, *node.body]
        else:
            body = self.body(at, "<while>", node.body)
            method, first = "while_loop", delay(self.expression(node.test))
            inside = node.body
        orelse = self.body(at, "<else>", node.orelse)
        call = stage_call(at, method, first, self.reference(at, body), self.reference(at, orelse),
                          self.site(at, inside, head), self.site(at, node.orelse, self.live_after(node, node)))
        definitions = [x for x in (body, orelse) if x is not None]
        if self.breaks_off(node):
            return [*definitions, *self.finish(node, at, call, rest)], True
        return [*definitions, place(at, ast.Expr(call))], False

    def compound(self, node, rest: list[ast.stmt]) -> tuple[list[ast.stmt], bool]:
        """A statement with blocks that run as in plain Python. Where these may leave, they give their signals to a variable."""
        escaping = self.breaks_off(node)
        copy = shallow_copy(node)
        for field in node._fields:
            value = getattr(node, field)
            if field in ("body", "orelse", "finalbody"):
                setattr(copy, field, self.signalling(node, value) if escaping else self.block(value))
            elif field in ("handlers", "cases"):
                setattr(copy, field, [self.clause(node, clause, escaping) for clause in value])
            else:
                setattr(copy, field, self.expression(value))
        if not escaping:
            return [copy], False
        at = header(node)
        clear = place(at, ast.Assign([place(at, ast.Name(SIGNAL, STORE))], constant(at, None)))
        return [clear, copy, *self.finish(node, at, place(at, ast.Name(SIGNAL, LOAD)), rest)], True

    def attempt(self, node: ast.Try, rest: list[ast.stmt]) -> tuple[list[ast.stmt], bool]:
        at = header(node)
        around, self.guarded = self.guarded, self.guarded or bool(node.handlers)
        body = self.body(at, "<try>", node.body)
        self.guarded = around
        handlers, definitions = [], [body]
        for k, handler in enumerate(node.handlers):
            types = constant(handler, BaseException.__name__) if handler.type is None else self.expression(handler.type)
            types = place(handler, ast.Name(types.value, LOAD)) if handler.type is None else types
            error = place(handler, ast.Name("<error>", LOAD))
            named = [] if handler.name is None else [place(handler, ast.Assign([place(handler, ast.Name(handler.name, STORE))], error))]
            definitions.append(self.body(header(handler), f"<except {k}>", [*named, *handler.body], ["<error>"]))
            looks = handler.name is not None or any(isinstance(x, ast.Raise) and x.exc is None for y in handler.body for x in ast.walk(y))
            parts = [delay(types), self.reference(handler, definitions[-1]), constant(handler, looks)]
            handlers.append(place(handler, ast.Tuple(parts, LOAD)))
        final = self.body(at, "<finally>", node.finalbody)
        orelse = self.body(at, "<else>", node.orelse)
        clauses = [*node.orelse, *node.finalbody, *[statement for handler in node.handlers for statement in handler.body]]
        call = stage_call(at, "attempt", self.reference(at, body), place(at, ast.Tuple(handlers, LOAD)), self.reference(at, orelse),
                          self.reference(at, final), self.site(at, [*node.body, *clauses], self.live_after(node, node)))
        definitions += [x for x in (orelse, final) if x is not None]
        if self.breaks_off(node):
            return [*definitions, *self.finish(node, at, call, rest)], True
        return [*definitions, place(at, ast.Expr(call))], False

    def clause(self, node, clause, escaping: bool):
        copy = shallow_copy(clause)
        copy.body = self.signalling(node, clause.body) if escaping else self.block(clause.body)
        for field in ("type", "guard"):
            if getattr(clause, field, None) is not None:
                setattr(copy, field, self.expression(getattr(clause, field)))
        return copy

    def signalling(self, node, statements: list[ast.stmt]) -> list[ast.stmt]:
        if not any(map(self.breaks_off, statements)):
            return self.block(statements)
        at = header(node)
        body = self.body(at, "<block>", statements)
        call = place(at, ast.Call(self.reference(at, body), [], []))
        return [body, place(at, ast.Assign([place(at, ast.Name(SIGNAL, STORE))], call))]

    def finish(self, node, at, call: ast.expr, rest: list[ast.stmt]) -> list[ast.stmt]:
        """Leave the block with the signal that `call` gives; if it gives none, go on with `rest`."""
        definitions = []
        if self.guarded:
            call = stage_call(at, "raised", call)
        if rest:
            following = self.body(at, "<rest>", rest)
            definitions.append(following)
            live = self.live.after[id(rest[-1])] | self.live.jumps[id(node)]
            call = stage_call(at, "after", call, self.reference(at, following), self.site(at, rest, live))
        value = call if self.inside else stage_call(at, "result", call)
        return [*definitions, place(at, ast.Return(value))]

    # --- bodies ------------------------------------------------------------------------------------------------------------------

    def body(self, origin, name: str, statements: list[ast.stmt], parameters: list[str] | None = None) -> ast.FunctionDef | None:
        """Return the definition of a function that does `statements`, None for none."""
        if not statements:
            return None
        bound = Scope(ast.Module(statements, [])).bound | Scope(ast.Module(statements, [])).declared & self.scope.declared
        self.bound_in_bodies |= bound
        outermost = sorted(bound & self.scope.outermost)
        enclosing = sorted(bound - self.scope.outermost)
        self.inside += 1
        block = self.block(statements)
        self.inside -= 1
        declarations = [place(statements[0], kind(names)) for kind, names in ((ast.Global, outermost), (ast.Nonlocal, enclosing)) if names]
        args = ast.arguments(posonlyargs=[], args=[place(origin, ast.arg(p)) for p in parameters or ()], kwonlyargs=[], kw_defaults=[],
                             defaults=[])
        return place(origin, ast.FunctionDef(name, args=args, body=[*declarations, *block], decorator_list=[], type_params=[]))

    def reference(self, origin, definition: ast.FunctionDef | None) -> ast.expr:
        return constant(origin, None) if definition is None else place(origin, ast.Name(definition.name, LOAD))

    def live_after(self, node, *ends) -> set[str]:
        """Return the names that are live where control may be after a statement that ends with one of `ends`."""
        return frozenset().union(self.live.jumps[id(node)], *[self.live.after[id(end)] for end in (node, *ends)])

    def site(self, origin, statements: list[ast.stmt], live) -> ast.Constant:
        """Return the constant fields of the `state.Site` of a body."""
        scope = Scope(ast.Module(statements, []))
        bound = scope.bound | scope.declared & self.scope.declared
        own = [x for statement in statements for x in (statement, *own_nodes(statement))]
        changed = {root_name(x) for x in own if isinstance(x, ast.Subscript | ast.Attribute) and not isinstance(x.ctx, ast.Load)}
        added = {x.target.id for x in own if isinstance(x, ast.AugAssign) and isinstance(x.target, ast.Name)}
        targets = [x.target for x in own if isinstance(x, ast.AugAssign)]
        assigned = {x.id for x in own if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store) and x not in targets}
        names = (bound & set(live)) - self.scope.outermost
        fields = names, (names & added) - assigned, (changed | added) - {None}, bound & self.scope.outermost, bound - names, bound & self.assured
        return constant(origin, tuple(tuple(sorted(mangle(self.class_name, name) for name in field)) for field in fields))

    # --- expressions ---------------------------------------------------------------------------------------------------------------

    def expression(self, node):
        """Rewrite an expression, or a statement without control flow of its own."""
        if isinstance(node, list):
            return [self.expression(child) for child in node]
        if not isinstance(node, ast.AST) or not node._fields:
            return node
        if isinstance(node, FUNCTIONS):
            return self.definition(node)
        if isinstance(node, ast.ClassDef):
            return self.class_definition(node)
        copy = shallow_copy(node)
        for field in node._fields:
            value = getattr(node, field, None)
            if isinstance(value, ast.AST | list):
                setattr(copy, field, self.expression(value))
        if self.staged and isinstance(node, ast.Call) and is_bare_super(node) and self.class_name is not None:
            return self.full_super(copy)
        rule = RULES.get(type(node)) if self.staged and not any(map(binds, delayed(node))) and not keeps_names(node) else None
        return copy if rule is None else rule(self, copy)

    def definition(self, node):
        copy = Flow(node, self.class_name, self.guarded_inside, self.guarded_inside).function()
        copy.args = shallow_copy(node.args)
        copy.args.defaults, copy.args.kw_defaults = self.expression(node.args.defaults), self.expression(node.args.kw_defaults)
        if not isinstance(node, ast.Lambda):
            copy.decorator_list = self.expression(node.decorator_list)
        return copy

    def class_definition(self, node):
        copy = shallow_copy(node)
        copy.body = [Flow(x, node.name, self.guarded_inside, self.guarded_inside).function() if isinstance(x, FUNCTIONS) else x for x in node.body]
        return copy

    def full_super(self, copy: ast.Call):
        first = parameters(self.node.args)
        if first:
            copy.args = [place(copy, ast.Name("__class__", LOAD)), place(copy, ast.Name(first[0].arg, LOAD))]
        return copy


def header(node: ast.stmt) -> ast.stmt:
    """Return a place on the line where a statement begins."""
    return ast.Pass(lineno=node.lineno, end_lineno=node.lineno, col_offset=node.col_offset, end_col_offset=node.col_offset)
