"""Kernels on disk: another process loads them, and whatever is wrong with them, the worst that happens is a compilation."""

import errno
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import jitad
from jitad import grad, jit
from jitad.codegen import machine
from jitad.runtime import disk, kernels

X = np.array([0.5, 1.5, 2.5])
counters = jitad.config.counters
SCRIPT = """
import numpy as np, jitad
def model(a, b, k):
    x = np.linalg.solve(a, b)
    for i in range(40):
        x = np.sin(x) * x[k] + a @ x
    return np.sum(x ** 2)
f = jitad.value_and_grad(model, (0, 1))
a, b = 0.1 * np.arange(9.0).reshape(3, 3) ** 2 + np.eye(3), np.ones(3)
value, (da, db) = f(a, b, 1)
assert np.isfinite(value)
for arguments, line in (((a, b, 7), 6), ((np.zeros((3, 3)), b, 1), 4)):
    try:
        f(*arguments)
    except jitad.JitadError as error:
        assert error.source.line == line, error
    else:
        raise AssertionError("nothing raised")
c = jitad.config.counters
print(c.compiles, c.loads, value.hex(), da.tobytes().hex(), db.tobytes().hex())
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return an empty cache, with nothing in memory."""
    cache = tmp_path / "cache"
    monkeypatch.setattr(jitad.config, "cache_dir", cache)
    kernels.clear()
    yield cache
    kernels.clear()


def outcome(function=lambda x: np.sum(np.exp(x) * 1.25)) -> tuple[int, int]:
    """Compile the gradient of a function as a new process would; return how many compilations and loads that took."""
    expected = (function(X + 1e-6) - function(X - 1e-6)) / 2e-6
    kernels.clear()
    before = counters.compiles, counters.loads
    np.testing.assert_allclose(np.sum(grad(function)(X)), expected, rtol=1e-6)
    return counters.compiles - before[0], counters.loads - before[1]


COMPILED, LOADED = (1, 0), (0, 1)


def script(tmp_path) -> Path:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return path


def start(path: Path, cache: Path, limit: int | None = None) -> subprocess.Popen:
    code = f"import resource, runpy; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); runpy.run_path({str(path)!r})"
    command = [sys.executable, str(path)] if limit is None else [sys.executable, "-c", code]
    return subprocess.Popen(command, env=os.environ | {"JITAD_CACHE_DIR": str(cache)}, stdout=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen) -> list[str]:
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return output.split()


# --- hits ---------------------------------------------------------------------------------------------------------------------------


def test_another_process_loads(tmp_path):
    """Results are the same to the last bit; calls of BLAS and errors with the user's line come back too."""
    path = script(tmp_path)
    compiles, loads, *first = finish(start(path, tmp_path / "cache"))
    assert (compiles, loads) == ("1", "0")
    compiles, loads, *second = finish(start(path, tmp_path / "cache"))
    assert (compiles, loads) == ("0", "1") and first == second
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700


def test_processes_at_once(tmp_path):
    path = script(tmp_path)
    results = {tuple(finish(process)[2:]) for process in [start(path, tmp_path / "cache") for _ in range(3)]}
    files = list((tmp_path / "cache").iterdir())  # the kernel, and what is done for rare arguments of its sine and cosine
    assert len(results) == 1 and [file.suffix for file in files] == [".kernel"] * 3
    assert finish(start(path, tmp_path / "cache"))[:2] == ["0", "1"]


def test_what_kernels_share_is_kept_too(folder, monkeypatch):
    assert disk.load_shared("part") is None
    assert machine.shared_code("part", lambda: "define i32 @part() {\n  ret i32 7\n}") == disk.load_shared("part")
    monkeypatch.setattr(machine, "direct_object_code", lambda text: b"other")
    assert machine.shared_code("part", lambda: "") == disk.load_shared("part") != b"other"
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    assert machine.shared_code("part", lambda: "") == b"other" == disk.load_shared("part")


def test_what_determines_the_code(folder, monkeypatch):
    assert outcome() == COMPILED and outcome() == LOADED
    assert outcome(lambda x: np.sum(np.exp(x) * 1.25)) == LOADED
    assert outcome(lambda x: np.sum(np.exp(x) * 1.250001)) == COMPILED
    monkeypatch.setattr(jitad.config, "strict", True)
    assert outcome() == COMPILED
    monkeypatch.setattr(jitad.config, "strict", False)
    assert outcome() == LOADED
    disk.fingerprint.cache_clear()
    monkeypatch.setattr(np, "__version__", "99")
    assert outcome() == COMPILED
    monkeypatch.undo()
    disk.fingerprint.cache_clear()


def test_lines_do_not_matter_but_are_right(folder):
    def pick(x, k):
        return x[k]

    def same(x, k):
        return x[k]

    for function, expected in ((pick, COMPILED), (same, LOADED)):
        kernels.clear()
        before = counters.compiles, counters.loads
        with pytest.raises(jitad.JitadError) as raised:
            jit(function)(X, np.array([3]))
        assert (counters.compiles - before[0], counters.loads - before[1]) == expected
        assert raised.value.source == (__file__, function.__code__.co_firstlineno + 1)


def test_functions_in_loops_and_rules_of_the_user(folder):
    @jitad.custom_jvp
    def square(x):
        return x * x

    square.defjvp(lambda primals, tangents: (primals[0] ** 2, 2 * primals[0] * tangents[0]))

    def total(x):
        for _ in range(50):
            x = np.cos(x) if np.sum(x) > 1 else np.sin(x)
        return np.sum(square(x))

    assert outcome(total) == COMPILED and outcome(total) == LOADED


# --- faults -------------------------------------------------------------------------------------------------------------------------


def the_entry(folder) -> Path:
    (path,) = folder.iterdir()
    return path


def damaged(content: bytes) -> list[bytes]:
    flipped = [content[:k] + bytes([content[k] ^ 1]) + content[k + 1 :] for k in (0, 10, 60, 300, len(content) - 1)]
    return [b"", content[:4], content[:50], content[: len(content) // 2], content[:-1], content + b"x", b"x" * len(content), *flipped]


def test_damaged_entries(folder):
    outcome()
    path = the_entry(folder)
    whole = path.read_bytes()
    for content in damaged(whole):
        path.write_bytes(content)
        assert outcome() == COMPILED
        assert the_entry(folder) == path and outcome() == LOADED


def test_an_entry_under_another_name(folder):
    outcome()
    path = the_entry(folder)
    content = path.read_bytes()
    path.unlink()
    outcome(lambda x: np.sum(np.cos(x)))
    the_entry(folder).write_bytes(content)
    assert outcome(lambda x: np.sum(np.cos(x))) == COMPILED


def test_what_a_crash_leaves(folder):
    folder.mkdir(mode=0o700)
    old, new = folder / "a.partial", folder / "b.partial"
    for path in (old, new):
        path.write_bytes(b"half of a ker")
    os.utime(old, (0, 0))
    assert outcome() == COMPILED and outcome() == LOADED
    assert not old.exists() and new.exists()


@pytest.mark.parametrize("name", ["mkstemp", "replace"])
def test_a_disk_that_refuses(folder, monkeypatch, name):
    def refuse(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    outcome(np.sum)
    monkeypatch.setattr({"mkstemp": disk.tempfile, "replace": disk.os}[name], name, refuse)
    assert outcome() == COMPILED and outcome() == COMPILED
    assert len(list(folder.iterdir())) == 1
    assert outcome(np.sum) == LOADED


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_disk_that_fills_up_while_writing(tmp_path):
    assert finish(start(script(tmp_path), tmp_path / "cache", limit=1000))[:2] == ["1", "0"]
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_folder_that_cannot_be_made(folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(jitad.config, "cache_dir", tmp_path / "file" / "cache")
    assert outcome() == COMPILED and outcome() == COMPILED and disk.usage() == (0, 0) and disk.clear() == 0


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="owners of POSIX")
def test_what_others_may_have_written_is_not_run(folder, monkeypatch):
    outcome()
    path = the_entry(folder)
    for place, mode in ((path, 0o622), (folder, 0o777)):
        before = place.stat().st_mode
        place.chmod(mode)
        assert outcome() == COMPILED
        (path if place is path else place).chmod(before)
        assert outcome() == LOADED
    path.rename(folder.parent / "elsewhere")
    path.symlink_to(folder.parent / "elsewhere")
    assert outcome() == COMPILED
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    assert outcome() == COMPILED


# --- size ---------------------------------------------------------------------------------------------------------------------------


def test_least_recently_used_go_first(folder, monkeypatch):
    functions = [np.sum, lambda x: np.sum(x) * 2, lambda x: np.sum(x) * 3]
    for function in functions[:2]:
        assert outcome(function) == COMPILED
    for path in folder.iterdir():
        os.utime(path, (time.time() - 1000,) * 2)
    assert outcome(functions[0]) == LOADED
    monkeypatch.setattr(jitad.config, "cache_megabytes", 2.5 * disk.usage()[1] / 2 / 2**20)
    assert outcome(functions[2]) == COMPILED
    assert disk.usage()[0] == 2 and [outcome(function) for function in (functions[0], functions[2], functions[1])] == [LOADED, LOADED, COMPILED]


def test_command_line(folder):
    outcome()
    env = os.environ | {"JITAD_CACHE_DIR": str(folder)}
    run = [subprocess.run([sys.executable, "-m", "jitad", *more], env=env, capture_output=True, text=True, check=True).stdout
           for more in ([], ["--clear-cache"], [])]
    assert f"{folder}: 1 kernel," in run[0] and "1 kernel" in run[1] and f"{folder}: 0 kernels" in run[2]
    assert list(folder.iterdir()) == []


def test_where_it_is(monkeypatch):
    from jitad.runtime.config import default_cache_dir

    monkeypatch.setenv("JITAD_CACHE_DIR", "/given")
    assert default_cache_dir() == "/given"
    monkeypatch.setenv("JITAD_CACHE_DIR", "")
    assert default_cache_dir() is None
    monkeypatch.delenv("JITAD_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(Path("/cache").absolute()))
    assert default_cache_dir() == str(Path("/cache/jitad").absolute())
