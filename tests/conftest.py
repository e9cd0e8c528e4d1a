"""All tests run with the internal checks between passes."""

import pytest

import jitad


@pytest.fixture(scope="session", autouse=True)
def verify_between_passes():
    jitad.config.verify = True
