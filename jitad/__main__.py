"""``python -m jitad``: versions, CPU, settings."""

from __future__ import annotations

import argparse
import platform

import llvmlite
import llvmlite.binding as llvm
import numba
import numpy
import scipy

import jitad
from jitad.runtime.config import config


def report() -> str:
    """Return the facts that a bug report needs."""
    features = sorted(name for name, on in llvm.get_host_cpu_features().items() if on)
    wide = [name for name in ("sse4.2", "avx", "avx2", "fma", "avx512f", "neon", "sve") if name in features]
    lines = {
        "jitad": jitad.__version__,
        "python": f"{platform.python_version()} on {platform.platform()}",
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
        "numba": f"{numba.__version__}, llvmlite {llvmlite.__version__}, LLVM {'.'.join(map(str, llvm.llvm_version_info))}",
        "cpu": f"{llvm.get_host_cpu_name()}: {' '.join(wide)}",
        "settings": f"strict={config.strict} verify={config.verify} check_nan={config.check_nan} verbose={config.verbose}",
    }
    return "\n".join(f"{name:<9} {value}" for name, value in lines.items())


def main() -> None:
    argparse.ArgumentParser(prog="python -m jitad", description="Print versions, CPU features and settings.").parse_args()
    print(report())


if __name__ == "__main__":
    main()
