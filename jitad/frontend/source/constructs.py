"""What is asked about the source of a function before its control flow is rewritten, and the forms that are replaced by simpler ones.

In: nodes of the syntax tree. Out: answers, and in `simplified` a tree with the same meaning. Invariant: the tree asked about is not touched.
"""

from __future__ import annotations

import ast
import copy

from jitad.frontend.source.scopes import FUNCTIONS
from jitad.frontend.source.syntax import FRAME_READERS, constant, place

ESCAPES = (ast.Return, ast.Break, ast.Continue)
LOOPS = (ast.For, ast.While)
STAGED = (ast.If, *LOOPS, ast.IfExp, ast.BoolOp, ast.Assert)
DIVIDING = (ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
HARMLESS = frozenset(["abs", "enumerate", "float", "isinstance", "len", "list", "max", "min", "print", "range", "reversed", "tuple", "zip"])
NUMPY = frozenset(["np", "numpy"])
CHECKING = frozenset(["choose", "errstate", "put", "ravel_multi_index", "take", "take_along_axis", "unravel_index"])  # of NumPy's functions
CONSUMERS = frozenset(["sum", "max", "min", "list", "tuple", "sorted", "fsum", "prod"])


def is_staged(node) -> bool:
    """Return whether a node decides something."""
    if handles(node) or suppresses(node) or is_plain_match(node):
        return True
    return isinstance(node, STAGED) or isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not) or (
        isinstance(node, ast.Compare) and compares(node)) or is_list(node) or consumes(node)


def handles(node) -> bool:
    """Return whether a node is a `try` statement with handlers."""
    return isinstance(node, ast.Try) and bool(node.handlers)


def may_raise(node) -> bool:
    """Return whether a statement or expression may raise an exception when the compiled function runs."""
    return not isinstance(node, (*FUNCTIONS, ast.ClassDef)) and any(map(raises, (node, *own_nodes(node))))


def raises(node) -> bool:
    if isinstance(node, ast.Call):
        root = node.func.id if isinstance(node.func, ast.Name) else root_name(node.func)
        return not (node.func.id in HARMLESS if isinstance(node.func, ast.Name) else root in NUMPY and node.func.attr not in CHECKING
                    and not isinstance(node.func.value, ast.Attribute))
    if isinstance(node, ast.Subscript):
        return not isinstance(node.slice, ast.Constant)
    if isinstance(node, ast.BinOp | ast.AugAssign):
        return isinstance(node.op, DIVIDING)
    return isinstance(node, ast.Raise | ast.Assert)


def calls(test: ast.expr) -> bool:
    """Return whether a condition calls what may raise an exception."""
    return any(isinstance(x, ast.Call) and raises(x) for x in ast.walk(test))


def value_of(node) -> tuple[str, ast.expr] | None:
    """Return the field of a statement with what is computed before it takes effect, and that expression."""
    field = {ast.Assign: "value", ast.AugAssign: "value", ast.AnnAssign: "value", ast.If: "test", ast.For: "iter"}.get(type(node))
    value = field and getattr(node, field)
    return None if value is None else (field, value)


def compares(node) -> bool:
    """Return whether a comparison is one of several terms or of tuples, looks for an element in a container, or asks for identity."""
    several = len(node.ops) > 1 or any(isinstance(x, ast.Tuple | ast.List) for x in (node.left, *node.comparators))
    return several or isinstance(node.ops[0], ast.In | ast.NotIn | ast.Is | ast.IsNot)


def is_list(node) -> bool:
    """Return whether a node is a comprehension that can be a loop."""
    return isinstance(node, ast.ListComp | ast.GeneratorExp) and all(
        not generator.is_async and target_names(generator.target) is not None for generator in node.generators)


def consumes(node) -> bool:
    """Return whether a node is a call that uses up a generator, of which it is given nothing else."""
    if not isinstance(node, ast.Call) or len(node.args) != 1 or any(
            keyword.arg not in ("default", "key") for keyword in node.keywords) or not isinstance(node.args[0], ast.GeneratorExp):
        return False
    return is_list(node.args[0]) and getattr(node.func, "id", getattr(node.func, "attr", None)) in CONSUMERS


def target_names(target) -> list[str] | None:
    """Return the names in a target from left to right, None if there is something else in it, or a name twice."""
    if isinstance(target, ast.Name):
        return [target.id]
    found = [target_names(element) for element in target.elts] if isinstance(target, ast.Tuple | ast.List) else [None]
    names = None if None in found else [name for part in found for name in part]
    return names if names is not None and len(set(names)) == len(names) else None


def target_structure(target) -> tuple | None:
    return None if isinstance(target, ast.Name) else tuple(map(target_structure, target.elts))


def own_nodes(node):
    """Yield the nodes of a function that are not those of functions or classes inside it."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, (*FUNCTIONS, ast.ClassDef)):
            yield from own_nodes(child)


def leaves_loop(statements: list[ast.stmt], in_loop: bool = False) -> bool:
    """Return whether statements may return, or break or continue a loop that is around them."""
    for node in statements:
        if isinstance(node, ast.Return) or (isinstance(node, ESCAPES) and not in_loop):
            return True
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, field, None)
            inside = in_loop or (isinstance(node, LOOPS) and field == "body")
            if isinstance(inner, list) and not isinstance(node, (*FUNCTIONS, ast.ClassDef)) and leaves_loop(inner, inside):
                return True
    return False


def always_leaves(statements: list[ast.stmt]) -> bool:
    """Return whether control never reaches the end of a block."""
    if not statements:
        return False
    last = statements[-1]
    if isinstance(last, ast.If):
        return always_leaves(last.body) and always_leaves(last.orelse)
    return isinstance(last, (*ESCAPES, ast.Raise))


def binds(node) -> bool:
    """Return whether an expression binds a name."""
    return any(isinstance(x, ast.NamedExpr) for x in ast.walk(node))


def keeps_names(node) -> bool:
    """Return whether a comprehension makes functions or generators, which look its names up when they are run."""
    if not isinstance(node, ast.ListComp) and not consumes(node):
        return False
    used_up = [call.args[0] for call in ast.walk(node) if consumes(call)]
    outside = set(ast.walk((node if isinstance(node, ast.ListComp) else node.args[0]).generators[0].iter))  # which does not see the names
    inside = [x for x in ast.walk(node) if x not in outside]
    return any(isinstance(x, FUNCTIONS) or isinstance(x, ast.GeneratorExp) and x not in used_up for x in inside)


def delayed(node) -> list[ast.expr]:
    """Return the operands of an expression that become functions."""
    if isinstance(node, ast.IfExp):
        return [node.body, node.orelse]
    if isinstance(node, ast.ListComp) or consumes(node):
        return [node]
    return node.values[1:] if isinstance(node, ast.BoolOp) else node.comparators if isinstance(node, ast.Compare) else []


def root_name(node) -> str | None:
    """Return the name that a chain of attributes and items begins with."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def is_bare_super(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == "super" and not node.args


def reads_frame(node) -> bool:
    """Return whether a node is a call that looks at the names of its frame, and so must stay in it."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FRAME_READERS - {"super", "globals"}


# --- simpler forms -------------------------------------------------------------------------------------------------------------------


def simplified(node):
    """Return a function, or a copy of it in which conditions that bind names, and changes of what a condition chooses, are statements.

    Names of the function are not annotated in the copy, which they could not be in functions inside it.
    """
    own = list(own_nodes(node))
    if any(map(annotates_name, own)):
        node = WithoutAnnotations().visit(copy.deepcopy(node))
    guards = any(map(handles, own))
    if any(isinstance(x, ast.While) and (binds(x.test) or guards and calls(x.test)) for x in own):
        node = ConditionsInside(guards).visit(copy.deepcopy(node))
    if any(map(is_plain_match, own)):
        node = BranchesForMatch().visit(copy.deepcopy(node))
    if any(map(suppresses, own)):
        node = HandlersForSuppress().visit(copy.deepcopy(node))
    if any(choice_of_target(x) is not None for x in own):
        node = TargetsChosen().visit(copy.deepcopy(node))
    return node


def annotates_name(node) -> bool:
    return isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)


class WithoutAnnotations(ast.NodeTransformer):
    """Leaves out the annotations of local names, which Python does not evaluate: ``y: float = x`` becomes ``y = x``."""

    def visit_AnnAssign(self, node):
        if not annotates_name(node):
            return node
        if node.value is None:
            return place(node, ast.Pass())
        return place(node, ast.Assign([node.target], node.value))

    def visit_ClassDef(self, node):
        return node


class ConditionsInside(ast.NodeTransformer):
    """Moves conditions of `while` that bind names, or may raise what is handled, into the body: ``while True: if not c: break; ...``."""

    def __init__(self, guards: bool):
        self.guards = guards

    def visit_While(self, node):
        self.generic_visit(node)
        if binds(node.test) or self.guards and calls(node.test):
            leave = place(node.test, ast.If(place(node.test, ast.UnaryOp(ast.Not(), node.test)),
                                            [*node.orelse, place(node.test, ast.Break())], []))
            node.test, node.body, node.orelse = constant(node.test, True), [leave, *node.body], []
        return node


def suppresses(node) -> bool:
    """Return whether a node is ``with suppress(...):``."""
    if not isinstance(node, ast.With) or len(node.items) != 1 or node.items[0].optional_vars is not None:
        return False
    call = node.items[0].context_expr
    return isinstance(call, ast.Call) and getattr(call.func, "attr", getattr(call.func, "id", None)) == "suppress" and not call.keywords


class HandlersForSuppress(ast.NodeTransformer):
    """Writes ``with suppress(X, Y): ...`` of contextlib as ``try: ... except (X, Y): pass``."""

    def visit_With(self, node):
        self.generic_visit(node)
        if not suppresses(node):
            return node
        call = node.items[0].context_expr
        types = place(call, ast.Tuple(call.args, ast.Load()))
        return place(node, ast.Try(node.body, [place(node, ast.ExceptHandler(types, None, [place(node, ast.Pass())]))], [], []))


def is_plain_match(node) -> bool:
    """Return whether a node is a `match` whose patterns are values to compare with."""
    return isinstance(node, ast.Match) and all(is_plain_pattern(case.pattern) for case in node.cases)


def is_plain_pattern(pattern) -> bool:
    if isinstance(pattern, ast.MatchOr):
        return all(map(is_plain_pattern, pattern.patterns))
    return isinstance(pattern, ast.MatchValue | ast.MatchSingleton) or isinstance(pattern, ast.MatchAs) and pattern.name is None


class BranchesForMatch(ast.NodeTransformer):
    """Writes ``match x: case 0: ...`` as ``if x == 0: ...``."""

    def __init__(self):
        self.count = 0

    def visit_Match(self, node):
        self.generic_visit(node)
        if not is_plain_match(node):
            return node
        self.count += 1
        name = f"<subject {self.count}>"
        rest: list[ast.stmt] = []
        for case in reversed(node.cases):
            test = pattern_test(case.pattern, name)
            tests = [x for x in (test, case.guard) if x is not None]
            if not tests:
                rest = case.body
            else:
                both = tests[0] if len(tests) == 1 else place(case.pattern, ast.BoolOp(ast.And(), tests))
                rest = [place(case.body[0], ast.If(both, case.body, rest))]
        return [place(node, ast.Assign([place(node.subject, ast.Name(name, ast.Store()))], node.subject)), *rest]


def pattern_test(pattern, name: str) -> ast.expr | None:
    """Return the test of a pattern, None for one that everything matches."""
    subject = place(pattern, ast.Name(name, ast.Load()))
    if isinstance(pattern, ast.MatchValue):
        return place(pattern, ast.Compare(subject, [ast.Eq()], [pattern.value]))
    if isinstance(pattern, ast.MatchSingleton):
        return place(pattern, ast.Compare(subject, [ast.Is()], [constant(pattern, pattern.value)]))
    if isinstance(pattern, ast.MatchOr):
        tests = [pattern_test(one, name) for one in pattern.patterns]
        return None if None in tests else place(pattern, ast.BoolOp(ast.Or(), tests))
    return None


class TargetsChosen(ast.NodeTransformer):
    """Lets a branch choose what is changed: ``(a if c else b).append(x)`` becomes ``if c: a.append(x)``, ``else: b.append(x)``."""

    def visit(self, node):
        self.generic_visit(node)
        choice = choice_of_target(node)
        if choice is None:
            return node
        arms = []
        for chosen in (choice.body, choice.orelse):
            arm = copy.deepcopy(node)
            put_in_place(arm, chosen)
            arms.append([self.visit(arm)])
        return place(node, ast.If(choice.test, *arms))


def choice_of_target(node) -> ast.IfExp | None:
    """Return the choice at the root of what a statement changes, None if there is none."""
    holder = holder_of_target(node)
    return holder.value if holder is not None and isinstance(holder.value, ast.IfExp) and not binds(holder.value) else None


def holder_of_target(node) -> ast.Attribute | ast.Subscript | None:
    """Return the last link of the chain of attributes and items that leads to what a statement changes."""
    link = None
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        link = node.value.func
    elif isinstance(node, ast.AugAssign):
        link = node.target
    elif isinstance(node, ast.Assign) and len(node.targets) == 1 and not any(isinstance(x, ast.Call) for x in ast.walk(node.value)):
        link = node.targets[0]
    while isinstance(link, ast.Attribute | ast.Subscript) and isinstance(link.value, ast.Attribute | ast.Subscript):
        link = link.value
    return link if isinstance(link, ast.Attribute | ast.Subscript) else None


def put_in_place(node, chosen: ast.expr) -> None:
    holder_of_target(node).value = chosen
