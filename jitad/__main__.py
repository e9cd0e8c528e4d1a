"""``python -m jitad``: versions, CPU, settings, the kernels on disk."""

from __future__ import annotations

import argparse
import platform
from importlib.metadata import version

import llvmlite.binding as llvm

import jitad
from jitad.codegen.threads import team
from jitad.runtime import disk
from jitad.runtime.config import config


def report() -> str:
    """Return the facts that a bug report needs."""
    features = sorted(name for name, on in llvm.get_host_cpu_features().items() if on)
    wide = [name for name in ("sse4.2", "avx", "avx2", "fma", "avx512f", "neon", "sve") if name in features]
    count, size = disk.usage()
    lines = {
        "jitad": jitad.__version__,
        "python": f"{platform.python_version()} on {platform.platform()}",
        "numpy": version("numpy"),
        "scipy": version("scipy"),
        "numba": f"{version('numba')}, llvmlite {version('llvmlite')}, LLVM {'.'.join(map(str, llvm.llvm_version_info))}",
        "cpu": f"{llvm.get_host_cpu_name()}: {' '.join(wide)}",
        "threads": f"{config.threads or team.cores()}{'' if config.threads else ', all CPUs of this process'}",
        "settings": f"strict={config.strict} verify={config.verify} check_nan={config.check_nan} verbose={config.verbose}",
        "cache": f"{config.cache_dir}: {kernels(count)}, {size / 2**20:.1f} of {config.cache_megabytes:g} MB" if config.cache_dir else "none",
    }
    return "\n".join(f"{name:<9} {value}" for name, value in lines.items())


def kernels(count: int) -> str:
    return f"{count} kernel{'s' * (count != 1)}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m jitad", description="Print versions, CPU features, settings and the cache of kernels.")
    parser.add_argument("--clear-cache", action="store_true", help="remove all kernels that are kept on disk")
    if parser.parse_args().clear_cache:
        print(f"removed {kernels(disk.clear())} from {config.cache_dir}")
    else:
        print(report())


if __name__ == "__main__":
    main()
