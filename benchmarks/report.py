"""Measurements as Markdown."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.contenders import BY_HAND
from benchmarks.runner import Measurement

Results = dict[str, dict[str, Measurement]]
PACKAGES = ("jitad", "numpy", "numba", "scipy", "jax", "torch", "autograd", "pytensor", "casadi", "devito")


def report(results: Results, threads: str = "one thread") -> str:
    """Return the tables: later calls with the ratio to the better one by hand, first calls, what failed, and where this was measured."""
    parts = [
        "## Value and gradient, median",
        "(×: relative to the faster of the two by hand)",
        table(results, later),
        "## First call, compilation included",
        table(results, first),
    ]
    kept = {program: row for program, row in results.items() if any(m.nbytes > 0 for m in row.values())}
    if kept:
        parts += ["## Memory that a call takes besides its arguments, results included", table(kept, memory)]
    failed = [(program, name, m.failure) for program, row in results.items() for name, m in row.items() if m.failure]
    if failed:
        parts += ["## Failures", "\n".join(f"- {program}, {name}: {failure.splitlines()[0]}" for program, name, failure in failed)]
    return "\n\n".join([*parts, environment(threads)]) + "\n"


def table(results: Results, cell) -> str:
    names = list(dict.fromkeys(name for row in results.values() for name in row))
    lines = [["program", *names], ["---", *["---:"] * len(names)]]
    lines += [[program, *[cell(row[name], row) if name in row else "" for name in names]] for program, row in results.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def later(measurement: Measurement, row: dict[str, Measurement]) -> str:
    reference = min((row[name].median for name in BY_HAND if name in row and not row[name].failure), default=float("nan"))
    return "failed" if measurement.failure else f"{duration(measurement.median)} ({ratio(measurement.median / reference)}×)"


def first(measurement: Measurement, row: dict[str, Measurement]) -> str:
    return "failed" if measurement.failure else duration(measurement.first)


def memory(measurement: Measurement, row: dict[str, Measurement]) -> str:
    if not measurement.nbytes > 0:
        return ""
    return f"{measurement.nbytes / 1e6:.4g} MB ({ratio(measurement.nbytes / row[BY_HAND[0]].nbytes)}×)"


def ratio(x: float) -> str:
    return f"{x:.0f}" if x >= 10 else f"{x:.2g}"


def duration(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"


def environment(threads: str) -> str:
    """Return the CPU, the versions and the commit, in a sentence."""
    packages = []
    for name in PACKAGES:
        try:
            packages.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return f"{processor()}, {threads}; Python {platform.python_version()}, {', '.join(packages)}; commit {commit()}."


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
