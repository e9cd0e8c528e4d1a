"""Calls that raise: a helper of the tests of errors."""

import linecache
import re
import sys

import pytest

import jitad


def check(kind, message, function, *args, line=None):
    """Call a function that raises; the message names the line of the caller's file that holds the text `line` (default: the call's own)."""
    file = sys._getframe(1).f_code.co_filename
    with pytest.raises(jitad.JitadError, match=message) as caught:
        function(*args)
    error = caught.value
    assert isinstance(error, kind), type(error)
    text = str(error)
    place = re.search(rf"\n  at {re.escape(file)}:(\d+): (.*)$", text)
    assert place, text
    if line is not None:
        assert line in place[2], text
    assert linecache.getline(file, int(place[1])).strip() == place[2]
    assert "jitad/" not in text.replace(file, "") and "Traceback" not in text
    return error
