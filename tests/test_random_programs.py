"""Random programs: NumPy against the compiled function, the interpreter against compiled derivatives, reverse mode against forward mode."""

import pytest
from differential import (
    check_batch,
    check_compiled,
    check_compiled_derivatives,
    check_cost,
    check_derivatives,
    check_values,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_programs import programs


def profile(examples: int):
    """The same examples each time, whatever the machine."""
    return settings(max_examples=examples, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def few():
    return st.lists(programs(), min_size=3, max_size=3)


@profile(100)
@given(programs())
def test_values(drawn):
    check_values(drawn)


@profile(60)
@given(programs())
def test_derivatives(drawn):
    check_derivatives(drawn)


@profile(60)
@given(programs())
def test_batches(drawn):
    check_batch(drawn)


@profile(100)
@given(programs())
def test_gradients_are_cheap(drawn):
    check_cost(drawn)


@profile(12)
@given(few())
def test_compiled_values(drawn):
    check_compiled(drawn)


@profile(12)
@given(few())
def test_compiled_derivatives(drawn):
    check_compiled_derivatives(drawn)


@pytest.mark.slow
@pytest.mark.parametrize("check, strategy, examples", [
    (check_values, programs(30), 600), (check_derivatives, programs(30), 400), (check_batch, programs(30), 400),
    (check_cost, programs(30), 600), (check_compiled, few(), 60), (check_compiled_derivatives, few(), 60),
], ids=["values", "derivatives", "batches", "costs", "compiled values", "compiled derivatives"])  # fmt: skip
def test_many(check, strategy, examples):
    profile(examples)(given(strategy)(check))()
