"""Compare the time of a value together with its gradient with what a specialist, and other libraries, make of the same program.

    python -m benchmarks [--programs WORD ...] [--contenders NAME ...] [--rounds N] [--all-cores] [--output FILE]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

ONE_THREAD = {
    **dict.fromkeys(["JITAD_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "NPROC"], "1"),
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
}
CACHES = ["JITAD_CACHE_DIR", "NUMBA_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR"]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("--programs", nargs="+", metavar="WORD", default=[""], help="only programs with one of these words in their names")
    parser.add_argument("--contenders", nargs="+", metavar="NAME", help="only these, besides those by hand")
    parser.add_argument("--rounds", type=int, default=51, help="how many turns each contender gets (default: %(default)s)")
    parser.add_argument("--all-cores", action="store_true", help="as many threads as each library takes by itself; the clock counts")
    parser.add_argument("--output", type=Path, help="write the tables to this file too")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update({} if options.all_cores else ONE_THREAD, **{name: str(Path(folder, name.lower())) for name in CACHES})
        text = compare(options)
    print(text)
    if options.output:
        options.output.write_text(text, encoding="utf-8")


def compare(options: argparse.Namespace) -> str:
    """Return the report; nothing that starts threads may be imported before."""
    from benchmarks import contenders, report, runner
    from benchmarks.programs import rosenbrock, suite

    chosen = contenders.installed()
    if options.contenders:
        chosen = {name: prepare for name, prepare in chosen.items() if name in (*contenders.BY_HAND, *options.contenders)}
    runner.run(rosenbrock.make(3), chosen, rounds=1)  # what each library does once in a process belongs to no program
    results = {}
    for benchmark in suite():
        if any(word.lower() in benchmark.name.lower() for word in options.programs):
            print(benchmark.name, file=sys.stderr)
            able = {name: prepare for name, prepare in chosen.items() if contenders.takes(name, benchmark)}
            results[benchmark.name] = runner.run(benchmark, able, options.rounds, time.perf_counter if options.all_cores else time.process_time)
    return report.report(results, "all cores" if options.all_cores else "one thread")


if __name__ == "__main__":
    main(sys.argv[1:])
