"""Kernels kept on disk, for other processes.

In and out: `Code`, by the `Content` of its Program, and what all kernels share. Invariants: whatever is wrong with the folder, an entry or the
disk, the worst that happens is that a kernel is compiled; code is run only if this user has written it, for this version of everything that takes
part in making it and for this CPU. An entry is written to a file of its own, which then takes its place in one step; a checksum tells what is whole.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import platform
import stat
import struct
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from jitad.codegen import machine
from jitad.codegen.failures import Failure
from jitad.codegen.kernel import Code
from jitad.ir.content import Content
from jitad.ir.source import Source
from jitad.runtime.config import config

SUFFIX, PARTIAL = ".kernel", ".partial"
MAGIC = b"jitad 1\n"
CHECKSUM = hashlib.sha256().digest_size
OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
LEFT_OVER = 3600.0  # seconds after which nobody writes to a partial file any more


# --- where ------------------------------------------------------------------------------------------------------------------------


@functools.cache
def fingerprint() -> str:
    """Return a digest of all that takes part in making code besides the Program and the settings."""
    root = os.path.dirname(os.path.dirname(__file__))
    digest = hashlib.sha256()
    for path in sorted(os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names if name.endswith(".py")):
        with open(path, "rb") as file:
            digest.update(os.path.relpath(path, root).replace(os.sep, "/").encode() + b"\0" + file.read())
    versions = (platform.python_implementation(), sys.version, np.__version__, struct.calcsize("P"), *machine.target())
    digest.update(repr(versions).encode())
    return digest.hexdigest()


def file_of(found: Content, folder: Path) -> Path:
    return folder / (hashlib.sha256(f"{found.digest} {fingerprint()}".encode()).hexdigest() + SUFFIX)


def own(status: os.stat_result) -> bool:
    """Return whether this user alone can have written something."""
    return not hasattr(os, "geteuid") or (status.st_uid == os.geteuid() and not status.st_mode & OTHERS_MAY_WRITE)


def trusted_folder(create: bool = False) -> Path | None:
    """Return the folder of the cache if it is there and nobody else can write to it."""
    folder = config.cache_dir and Path(config.cache_dir)
    if not folder:
        return None
    with contextlib.suppress(OSError):
        if create:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        if stat.S_ISDIR(status.st_mode) and own(status):
            return folder
    return None


def entries(folder: Path, suffix: str = SUFFIX) -> list[tuple[float, int, str]]:
    """Return when each entry was last used, its size and its path."""
    found = []
    with contextlib.suppress(OSError), os.scandir(folder) as files:
        for file in files:
            if file.name.endswith(suffix):
                with contextlib.suppress(OSError):
                    status = file.stat(follow_symlinks=False)
                    found.append((status.st_mtime, status.st_size, file.path))
    return found


# --- reading ----------------------------------------------------------------------------------------------------------------------


def load(found: Content) -> Code | None:
    """Return the code of a Program if it is there, whole, and this user's."""
    folder = trusted_folder()
    if folder is None:
        return None
    path = file_of(found, folder)
    try:
        content = read(path)
    except OSError:
        return None
    code = content and unpack(content, found)
    with contextlib.suppress(OSError):
        os.utime(path) if code else path.unlink()
    return code or None


def read(path: Path) -> bytes | None:
    """Return the content of a file that is this user's."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        return file.read() if stat.S_ISREG(status.st_mode) and own(status) else None


def unpack(content: bytes, found: Content) -> Code | None:
    """Return the code that an entry holds, None if it is damaged or another's."""
    start = len(MAGIC) + CHECKSUM
    if not content.startswith(MAGIC) or hashlib.sha256(content[start:]).digest() != content[len(MAGIC) : start]:
        return None
    head, _, machine_code = content[start:].partition(b"\n")
    facts = json.loads(head)
    if facts["digest"] != found.digest or facts["made by"] != fingerprint():
        return None
    failures = {number: Failure(exception, message, found.sources[place] if isinstance(place, int) else Source(*place))
                for number, exception, message, place in facts["failures"]}
    return Code(facts["name"], machine_code, tuple(facts["routines"]), facts["work_bytes"], failures)


# --- writing ----------------------------------------------------------------------------------------------------------------------


def store(code: Code, found: Content) -> None:
    """Keep code for other processes, if that is possible."""
    folder = trusted_folder(create=True)
    if folder is None:
        return
    with contextlib.suppress(OSError):
        content = pack(code, found)
        make_room(folder, len(content))
        write(file_of(found, folder), content)


def pack(code: Code, found: Content) -> bytes:
    places = {source: k for k, source in enumerate(found.sources)}
    failures = [(number, failure.exception, failure.message, places.get(failure.source, failure.source))
                for number, failure in code.failures.items()]
    facts = {"digest": found.digest, "made by": fingerprint(), "name": code.name, "routines": code.routines,
             "work_bytes": code.work_bytes, "failures": failures}
    content = json.dumps(facts).encode() + b"\n" + code.content
    return MAGIC + hashlib.sha256(content).digest() + content


def write(path: Path, content: bytes) -> None:
    """Write a file so that others see all of it or nothing."""
    descriptor, partial = tempfile.mkstemp(PARTIAL, dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        raise


def make_room(folder: Path, nbytes: int) -> None:
    """Remove the entries that have not been used for longest, so that with `nbytes` more the cache stays within its size."""
    left_over = [path for last, _, path in entries(folder, PARTIAL) if last < time.time() - LEFT_OVER]
    found = sorted(entries(folder))
    excess = sum(size for _, size, _ in found) + nbytes - config.cache_megabytes * 2**20
    for _, size, path in found:
        if excess <= 0:
            break
        left_over.append(path)
        excess -= size
    for path in left_over:
        with contextlib.suppress(OSError):
            os.unlink(path)


# --- what all kernels share -------------------------------------------------------------------------------------------------------


def load_shared(name: str) -> bytes | None:
    code = load(Content(f"shared: {name}", (), lasting=True))
    return code and code.content


def store_shared(name: str, content: bytes) -> None:
    store(Code(name, content, (), 0, {}), Content(f"shared: {name}", (), lasting=True))


machine.keep_in(load_shared, store_shared)

# --- for users --------------------------------------------------------------------------------------------------------------------


def usage() -> tuple[int, int]:
    """Return how many kernels are kept, and how many bytes they take."""
    folder = trusted_folder()
    found = entries(folder) if folder else []
    return len(found), sum(size for _, size, _ in found)


def clear() -> int:
    """Remove all entries and return how many there were."""
    folder = trusted_folder()
    if folder is None:
        return 0
    found = entries(folder)
    for _, _, path in [*found, *entries(folder, PARTIAL)]:
        with contextlib.suppress(OSError):
            os.unlink(path)
    return len(found)
