"""All tests run with the internal checks between passes, and keep no kernels on disk."""

import os

import pytest

import jitad
from jitad.frontend.control import statements


@pytest.fixture(scope="session", autouse=True)
def verify_between_passes():
    jitad.config.verify = True


@pytest.fixture(scope="session", autouse=True)
def no_cache_on_disk():
    jitad.config.cache_dir = None
    os.environ["JITAD_CACHE_DIR"] = ""


@pytest.fixture
def no_unrolling(monkeypatch):
    """A loop that cannot be staged fails, rather than being run trip by trip."""
    monkeypatch.setattr(statements, "FALLBACK", 0)
