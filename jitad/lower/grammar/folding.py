"""Peephole rules for scalar expressions, and operations composed of simpler ones.

`fold` gives the simpler equal of an operation, or None. Invariant: a fold changes no finite result, nor an infinite or NaN one except
through a `zero` that is exact by construction.
"""

from __future__ import annotations

import operator

import numpy as np

from jitad.ir.types import BOOL

NUMERIC = {"add": operator.add, "sub": operator.sub, "mul": operator.mul, "neg": operator.neg}
COMPARE = {"eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge}


def is_number(x, value) -> bool:
    return (x.op == "const" and x.args[1] == value) or (value == 0 and x.op == "zero")


def fold(b, op: str, dtype, args):
    """Return the folded form of ``op(*args)``, or None."""
    if all(x.op in ("const", "zero") for x in args):
        result = fold_numbers(b, op, dtype, args)
        if result is not None:
            return result
    rule = RULES.get(op)
    return rule(b, dtype, *args) if rule else None


def fold_numbers(b, op, dtype, args):
    values = [x.dtype.type(0 if x.op == "zero" else x.args[1]) for x in args]
    if op in NUMERIC:
        if all(x.op == "zero" for x in args):
            return b.zero(dtype)
        with np.errstate(all="ignore"):
            return b.const(NUMERIC[op](*values), dtype)
    if op in COMPARE:
        return b.const(bool(COMPARE[op](*values)), BOOL)
    if op == "convert" and not (values[0].dtype.kind == "f" and dtype.kind in "iu"):
        return b.const(values[0], dtype)
    return None


def fold_add(b, dtype, x, y):
    return x if is_number(y, 0) else y if is_number(x, 0) else None


def fold_sub(b, dtype, x, y):
    return x if is_number(y, 0) else -y if x.op == "zero" else None


def fold_mul(b, dtype, x, y):
    if x.op == "zero" or y.op == "zero":
        return b.zero(dtype)
    return x if is_number(y, 1) else y if is_number(x, 1) else -x if is_number(y, -1) else -y if is_number(x, -1) else None


def fold_div(b, dtype, x, y):
    return b.zero(dtype) if x.op == "zero" else x if is_number(y, 1) else None


def fold_neg(b, dtype, x):
    return x if x.op == "zero" else x.args[0] if x.op == "neg" else None


def fold_select(b, dtype, condition, x, y):
    if condition.op == "const":
        return x if condition.args[1] else y
    if x is y or y.op == "unspecified":
        return x
    if condition.op == "not":
        return b.select(condition.args[0], y, x)
    if x.op == "select" and x.args[0] is condition:
        return b.select(condition, x.args[1], y)
    if y.op == "select" and y.args[0] is condition:
        return b.select(condition, x, y.args[2])
    if dtype == BOOL and x.op == y.op == "const":
        return condition if x.args[1] else b.op("not", BOOL, condition)
    return None


def fold_and(b, dtype, x, y):
    if x is y:
        return x
    for one, other in ((x, y), (y, x)):
        if one.op == "const" and dtype == BOOL:
            return other if one.args[1] else one
    return None


def fold_or(b, dtype, x, y):
    if x is y:
        return x
    for one, other in ((x, y), (y, x)):
        if one.op == "const" and dtype == BOOL:
            return one if one.args[1] else other
    return None


def fold_not(b, dtype, x):
    if x.op == "const" and dtype == BOOL:
        return b.const(not x.args[1], BOOL)
    return x.args[0] if x.op == "not" else None


def fold_ne(b, dtype, x, y):
    """A selection among numbers, compared with a number, is its condition or the opposite."""
    if x.op == "select" and y.op in ("const", "zero") and all(k.op in ("const", "zero") for k in x.args[1:]):
        taken, other = (b.call("ne", k, y) for k in x.args[1:])
        return b.select(x.args[0], taken, other)
    return None


RULES = {
    "add": fold_add, "sub": fold_sub, "mul": fold_mul, "div": fold_div, "neg": fold_neg, "select": fold_select,
    "and": fold_and, "or": fold_or, "not": fold_not, "ne": fold_ne,
}  # fmt: skip


def expit(b, x):
    """1 / (1 + exp(-x)), through exp(-|x|) so that nothing overflows."""
    one = b.const(1, x)
    small = b.call("exp", -b.call("abs", x))
    return b.select(b.call("lt", x, b.const(0, x)), small, one) / (one + small)


def logaddexp(b, x, y):
    """max + log1p(exp(-|x - y|)); equal operands (infinite ones too) give x + log 2."""
    return log_sum(b, x, y, lambda d: b.call("log1p", b.call("exp", d)), float(np.log(2.0)))


def logaddexp2(b, x, y):
    scale = b.const(float(1 / np.log(2.0)), x)
    return log_sum(b, x, y, lambda d: scale * b.call("log1p", b.call("exp2", d)), 1.0)


def log_sum(b, x, y, excess, at_equal):
    difference = x - y
    general = b.call("maximum", x, y) + excess(-b.call("abs", difference))
    return b.select(b.call("eq", x, y), x + b.const(at_equal, x), general)


def integer_extremum(compare):
    """Select for integers and booleans; floating point has instructions that propagate NaN."""

    def build(b, x, y):
        if x.dtype.kind == "f":
            return b.op("maximum" if compare == "gt" else "minimum", x.dtype, x, y)
        return b.select(b.call(compare, x, y), x, y)

    return build


def ignoring_nan(compare):
    def build(b, x, y):
        keep = b.call("or", b.call(compare, x, y), b.call("ne", y, y)) if x.dtype.kind == "f" else b.call(compare, x, y)
        return b.select(keep, x, y)

    return build


COMPOSED = {
    "expit": expit, "logaddexp": logaddexp, "logaddexp2": logaddexp2,
    "maximum": integer_extremum("gt"), "minimum": integer_extremum("lt"),
    "fmax": ignoring_nan("ge"), "fmin": ignoring_nan("le"),
}  # fmt: skip
