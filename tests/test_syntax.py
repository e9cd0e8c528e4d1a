"""Rewritten functions mean what the originals mean, and a trace knows all that it read from outside."""

from __future__ import annotations

import functools
import gc
import importlib
import inspect
import linecache
import re
import traceback
import types

import numpy as np
import pytest
from rewritten import (
    MODEL,
    PARAMETERS,
    WEIGHTS,
    Model,
    Trial,
    changed,
    comprehensions,
    concrete,
    containers,
    decorated,
    defaults,
    defined,
    defines_class,
    formatted,
    frames,
    generator,
    imports,
    in_place,
    instances,
    integers,
    jitted,
    loop_closures,
    matching,
    memory,
    methods,
    nested,
    operators,
    plain,
    pythons_functions,
    recursion,
    starred,
    statements,
    uses_generator,
    walrus,
    with_numba,
    writes_global,
)

from jitad.frontend.hooks.calls import rewrite
from jitad.frontend.source.functions import is_rewritten, rewritten_code
from jitad.ir import errors

CASES = [
    plain, defaults, nested, loop_closures, comprehensions, walrus, starred, statements, matching, formatted, writes_global, recursion,
    containers, methods, operators, instances, in_place, integers, concrete, pythons_functions, decorated, with_numba, memory,
    uses_generator, imports, frames, MODEL, MODEL.loss, functools.partial(defaults, k=WEIGHTS), (lambda x: x * WEIGHTS), jitted,
]  # fmt: skip


@pytest.mark.parametrize("function", CASES, ids=lambda function: getattr(function, "__name__", type(function).__name__))
def test_same_meaning(function):
    x = np.array([0.5, 0.25, -1.5])
    expected = function(x)
    np.testing.assert_allclose(rewrite(function)(x), expected, rtol=1e-14)
    trial = Trial(function, x)
    np.testing.assert_allclose(trial.value(), expected, rtol=1e-13)
    assert trial.valid()


@pytest.mark.parametrize("function", [plain, nested, loop_closures, containers, methods, operators, recursion])
def test_captured_arrays_are_read_at_each_call(function):
    x = np.array([0.5, 0.25, -1.5])
    trial = Trial(function, x)
    arrays = [WEIGHTS, PARAMETERS["w"], *PARAMETERS["layers"]]
    before = [array.copy() for array in arrays]
    for array in arrays:
        array += 0.75
    assert trial.valid()
    np.testing.assert_allclose(trial.value(), function(x), rtol=1e-13)
    for array, values in zip(arrays, before):
        array[...] = values


# --- looks ------------------------------------------------------------------------------------------------------------------------


def test_rewritten_function_looks_like_the_original():
    for function in (defaults, Model.scaled, nested):
        copy = rewrite(function)
        for name in ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__", "__globals__", "__dict__"):
            assert getattr(copy, name) == getattr(function, name)
        assert copy.__globals__ is function.__globals__
        assert copy.__closure__ == function.__closure__
        assert copy.__code__.co_filename == function.__code__.co_filename and copy.__code__.co_firstlineno == function.__code__.co_firstlineno
        assert (copy.__code__.co_flags ^ function.__code__.co_flags) in (0, inspect.CO_NESTED)
        assert copy.__code__.co_varnames == function.__code__.co_varnames
    assert rewrite(nested)(1.0).shape == (3,)
    assert rewrite(defines_class)().__qualname__ == "defines_class.<locals>.Inner"
    assert rewrite(Model.own_name)(MODEL, 1) == 2.0
    inner = next(const for const in rewrite(nested).__code__.co_consts if isinstance(const, types.CodeType))
    assert inner.co_qualname == "nested.<locals>.inner"


def test_closures_share_their_cells():
    def make():
        total = 0

        def add(x):
            nonlocal total
            total += x
            return total

        return add, lambda: total

    add, get = make()
    assert rewrite(add)(3) == 3 and get() == 3
    add(4)
    assert rewrite(get)() == 7


def test_lambdas_on_one_line():
    first, second, third = (lambda x: x + 1), (lambda x: x + 2), (lambda x: (lambda y: y + 3)(x))  # fmt: skip
    assert [rewrite(f)(0) for f in (first, second, third)] == [1, 2, 3]
    same = [lambda x: x * WEIGHTS, lambda x: x * WEIGHTS]
    columns = [next(c for *_, c, _ in rewrite(f).__code__.co_positions() if c) for f in same]
    assert columns == [next(c for *_, c, _ in f.__code__.co_positions() if c) for f in same]


def test_future_flags_are_kept():
    source = "from __future__ import annotations\ndef f(x):\n    def g(y: NoSuchName): return y\n    return g(x), g.__annotations__\n"
    f = defined("f", source)
    assert rewrite(f)(1) == (1, {"y": "NoSuchName"})


def test_cells_of_a_notebook():
    f = defined("f", "def f(x):\n    return np.sin(c) * x\n", np=np, c=WEIGHTS)
    trial = Trial(f, 2.0)
    assert trial.primitives() == ["sin", "mul"]
    with changed(trial, f.__globals__, "c", WEIGHTS * 2):
        pass


def test_code_that_does_not_come_from_its_file():
    source = "def f(x):\n    return x + 1\n"
    f = defined("f", source)
    linecache.cache[f.__code__.co_filename] = len(source), None, source.replace("1", "2").splitlines(True), f.__code__.co_filename
    assert rewrite(f)(1) == 2


def test_modules_that_are_edited_and_imported_again(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "edited_module.py"
    file.write_text("def f(x):\n    return x + 1\n")
    module = importlib.import_module("edited_module")
    assert rewrite(module.f)(1) == 2 and is_rewritten(rewrite(module.f).__code__)
    old = module.f
    file.write_text("# a comment in front\n\ndef f(x):\n    return x + 20\n")
    assert rewrite(importlib.reload(module).f)(1) == 21 and is_rewritten(rewrite(module.f).__code__)
    rewritten_code.entries.clear()
    assert rewrite(old)(1) == 2 and not is_rewritten(rewrite(old).__code__)


def test_deeply_nested_expressions():
    f = defined("f", f"def f(x):\n    return {' + '.join(['x'] * 2000)}\n")
    assert rewrite(f)(1) == 2000


# --- where errors are -------------------------------------------------------------------------------------------------------------


def failing(x):
    y = x * 2
    return helper_that_fails(
        y)


def helper_that_fails(y):
    z = [y]
    return z[3]


def test_tracebacks_show_the_users_lines():
    for run in (lambda: rewrite(failing)(1.0), lambda: Trial(failing, 1.0)):
        with pytest.raises(IndexError) as caught:
            run()
        lines = [(entry.name, entry.line) for entry in traceback.extract_tb(caught.value.__traceback__) if entry.filename == __file__]
        assert lines[-2][0] == "failing" and lines[-2][1].startswith("return helper_that_fails(")
        assert lines[-1] == ("helper_that_fails", "return z[3]")


def test_decisions_of_code_that_cannot_be_rewritten_are_refused_with_the_line():
    def decides_by_name(x):
        return [x, -x][bool(vars())] if x[0] > 0 else -x

    with pytest.raises(errors.ConcreteValueError, match="np.where") as caught:
        Trial(decides_by_name, np.ones(2))
    assert "if x[0] > 0" in str(caught.value) and re.search(r"test_syntax\.py:\d+", str(caught.value))


@pytest.mark.parametrize("source", ["return x if x > 0 else -x", "return x > 0 and x", "return not x", "assert x"])
def test_every_kind_of_decision(source):
    f = defined("f", f"def f(x):\n    {source}\n")
    assert Trial(f, 1.0).value() == f(1.0)


def test_what_cannot_be_traced():
    async def coroutine(x):
        return x

    for function, kind in ((generator, "generator"), (coroutine, "coroutine")):
        with pytest.raises(TypeError, match=f"{kind} function"):
            rewrite(function)
    with pytest.raises(TypeError, match="a function is needed"):
        rewrite(3)


# --- without source ---------------------------------------------------------------------------------------------------------------


def executed(source, **names):
    exec(source, names)
    return names["f"]


def test_functions_without_source():
    offset = np.array([1.0, 1.0, 1.0])
    f = executed("def f(x):\n    return np.sin(c) * x + helper(x) + sum(parts)", np=np, c=WEIGHTS, helper=plain, parts=[offset])
    x = np.array([1.0, 2.0, 3.0])
    trial = Trial(f, x)
    offset += 1
    np.testing.assert_allclose(trial.value(), f(x))
    with changed(trial, f.__globals__, "c", offset):
        pass
    g = executed("def outer(c):\n    def g(x):\n        return x * c\n    return g\nf = outer(c)", c=WEIGHTS)
    trial = Trial(g, x)
    np.testing.assert_allclose(trial.value(), g(x))
    assert len(trial.traced.captured) == 1
    h = executed("def f(x):\n    global n\n    n = n + 1\n    return x * n", n=1)
    Trial(h, x)
    assert h.__globals__["n"] == 2


def test_errors_say_that_the_source_is_missing():
    with pytest.raises(errors.ConcreteValueError) as caught:
        Trial(executed("def f(x):\n    return x if x > 0 else -x"), 1.0)
    assert any("traced without its source" in note for note in caught.value.__notes__)


# --- cost -------------------------------------------------------------------------------------------------------------------------


def test_code_is_rewritten_once_and_forgotten_with_its_function():
    rewritten_code.entries.clear()
    f = defined("f", "def f(x):\n    return x + 1\n")
    assert rewrite(f).__code__.co_consts and len(rewritten_code.entries) == 1
    rewrite(f)
    rewrite(types.FunctionType(f.__code__, {}))
    assert len(rewritten_code.entries) == 1
    del f
    gc.collect()
    assert len(rewritten_code.entries) == 0


@pytest.mark.parametrize("name", [__name__, "asyncio.base_events", "csv", "fractions", "numpy.ma.core", "statistics", "typing", "zipfile"])
def test_source_of_every_function_is_found(name):
    module = importlib.import_module(name)
    places = [vars(module), *[vars(cls) for cls in vars(module).values() if isinstance(cls, type) and cls.__module__ == name]]
    functions = [x for place in places for x in place.values() if isinstance(x, types.FunctionType)]
    # Python 3.14 writes functions of its own for annotations.
    functions = [function for function in functions if function.__code__.co_filename == module.__file__ and function.__name__ != "__annotate__"]
    assert len(functions) > 5
    for function in functions:
        assert isinstance(rewritten_code(function.__code__, function.__globals__), types.CodeType), function
