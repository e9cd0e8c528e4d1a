"""The programs: each module has the NumPy function, the gradient by hand, and ``make(*sizes)``."""

from collections.abc import Iterator

from benchmarks.benchmark import Benchmark
from benchmarks.programs import (
    acoustic,
    acoustic_second_order,
    adi,
    binned,
    bundle,
    burgers,
    cross_entropy,
    distances,
    factorisation,
    gauss_seidel,
    gray_scott,
    huber,
    layer_norm,
    lstm,
    mixture,
    perceptron,
    predators,
    recursive_filter,
    rosenbrock,
    shallow_water,
    shortest_paths,
    upwind,
)

SIZES = {
    rosenbrock: [(2,), (1000,), (1_000_000,)],
    perceptron: [(64, 1000, 100, 10)],
    mixture: [(1000, 10, 25)],
    bundle: [(30_000, 49, 7500)],
    cross_entropy: [(1000, 100)],
    layer_norm: [(1000, 256)],
    distances: [(500,)],
    huber: [(10_000, 50)],
    binned: [(100_000, 1000)],
    gauss_seidel: [(200, 20)],
    recursive_filter: [(1500, 1000)],
    shortest_paths: [(120,)],
    factorisation: [(300,)],
    adi: [(200, 20)],
    lstm: [(14, 1024)],
    predators: [(500,)],
    acoustic: [(200, 300, 100)],
    acoustic_second_order: [(200, 300, 100)],
    shallow_water: [(200, 200)],
    burgers: [(200, 150)],
    gray_scott: [(200, 150)],
    upwind: [(200, 200)],
}

SMALL = {  # for tests
    rosenbrock: (7,),
    perceptron: (5, 8, 4, 3),
    mixture: (11, 3, 4),
    bundle: (40, 3, 10),
    cross_entropy: (6, 5),
    layer_norm: (5, 8),
    distances: (9,),
    huber: (30, 4),
    binned: (30, 4),
    gauss_seidel: (8, 3),
    recursive_filter: (6, 7),
    shortest_paths: (7,),
    factorisation: (9,),
    adi: (7, 2),
    lstm: (3, 5),
    predators: (7,),
    acoustic: (14, 12, 3),
    acoustic_second_order: (14, 12, 3),
    shallow_water: (12, 9),
    burgers: (12, 9),
    gray_scott: (12, 9),
    upwind: (12, 9),
}


def suite() -> Iterator[Benchmark]:
    """Make the benchmarks, one after another."""
    for program, sizes in SIZES.items():
        for size in sizes:
            yield program.make(*size)
