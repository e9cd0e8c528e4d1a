"""Full-waveform inversion in two dimensions: a velocity model from the pressure that surface receivers record.

The forward model is plain NumPy: a time loop with slices, in-place updates and a sponge at the edges. `jitad.value_and_grad` gives the
gradient of its misfit, and SciPy's L-BFGS-B inverts. Run ``python examples/acoustic.py``; it prints a line per iteration and saves a
picture.

References: J. Virieux and S. Operto, "An overview of full-waveform inversion in exploration geophysics", Geophysics 74 (2009) WCC1;
C. Cerjan et al., "A nonreflecting boundary condition for discrete acoustic and elastic wave equations", Geophysics 50 (1985) 705.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

import jitad

SMOOTHNESS = 3e-5  # weight of the squared differences of neighbours, in (km/s)**2


@dataclass(frozen=True)
class Survey:
    """A grid and an acquisition: `step` in m, `dt` in s, `frequency` in Hz; grid positions of sources and of receivers on row `depth`."""

    shape: tuple[int, int] = (60, 90)
    step: float = 10.0
    dt: float = 1.5e-3
    steps: int = 420
    frequency: float = 10.0
    sources: tuple[int, ...] = (10, 34, 56, 80)
    depth: int = 3
    edge: int = 12


def ricker(survey: Survey) -> np.ndarray:
    """Return the source's time function, a Ricker wavelet that starts at rest."""
    t = survey.dt * np.arange(survey.steps) - 1.2 / survey.frequency
    a = (np.pi * survey.frequency * t) ** 2
    return (1 - 2 * a) * np.exp(-a)


def sponge(survey: Survey) -> np.ndarray:
    """Return the factor by which each time step damps the wave field: 1 inside, falling towards the edges."""
    distance = [np.minimum(np.arange(n), n - 1 - np.arange(n)) for n in survey.shape]
    depth = np.clip(survey.edge - np.minimum(distance[0][:, None], distance[1]), 0, None)
    return np.exp(-((0.012 * depth) ** 2))


def record(velocity: np.ndarray, source: int, survey: Survey) -> np.ndarray:
    """Return the pressure (steps, columns) that receivers on every column record of a shot at column `source`.

    Second order in time, fourth in space; `velocity` in m/s. Stable for velocity * dt / step < 0.6.
    """
    rows, columns = survey.shape
    factor = (velocity * survey.dt / survey.step) ** 2
    wavelet, damping = ricker(survey), sponge(survey)
    before, now = np.zeros((rows, columns)), np.zeros((rows, columns))
    seismogram = np.zeros((survey.steps, columns))
    for k in range(survey.steps):
        following = np.zeros((rows, columns))
        c = now[2:-2, 2:-2]
        laplacian = (
            -5.0 * c
            + (4 / 3) * (now[1:-3, 2:-2] + now[3:-1, 2:-2] + now[2:-2, 1:-3] + now[2:-2, 3:-1])
            - (1 / 12) * (now[:-4, 2:-2] + now[4:, 2:-2] + now[2:-2, :-4] + now[2:-2, 4:])
        )
        following[2:-2, 2:-2] = 2 * c - before[2:-2, 2:-2] + factor[2:-2, 2:-2] * laplacian
        following[survey.depth, source] += wavelet[k]
        following *= damping
        now = now * damping
        seismogram[k] = following[survey.depth]
        before, now = now, following
    return seismogram


def true_model(survey: Survey) -> np.ndarray:
    """Return a layered velocity model with a fast lens, in m/s."""
    rows, columns = np.mgrid[: survey.shape[0], : survey.shape[1]]
    layers = np.where(rows > 40, 2400.0, 2000.0)
    lens = ((rows - 26) / 7) ** 2 + ((columns - survey.shape[1] / 2) / 14) ** 2 < 1
    return np.where(lens, 2250.0, layers)


def first_model(survey: Survey) -> np.ndarray:
    """Return what is known beforehand, say from refraction: the layers without the lens, blurred."""
    rows = np.arange(survey.shape[0])[:, None] + np.zeros(survey.shape[1])
    return 2000.0 + 400.0 / (1 + np.exp(-(rows - 40.5) / 3))


def invert(survey: Survey, iterations: int):
    """Return the true and the recovered model, and the misfit before and after."""
    true = true_model(survey)
    observed = [record(true, source, survey) for source in survey.sources]
    start = first_model(survey)
    scale = sum(np.sum(data**2) for data in observed)

    def misfit(x):
        velocity = x.reshape(survey.shape)
        total = 0.0
        for source, data in zip(survey.sources, observed, strict=True):
            total = total + 0.5 * np.sum((record(velocity, source, survey) - data) ** 2)
        change = (velocity - start) / 1000
        roughness = np.sum(np.diff(change, axis=0) ** 2) + np.sum(np.diff(change, axis=1) ** 2)
        return total / scale + SMOOTHNESS * roughness

    value_and_gradient = jitad.value_and_grad(misfit)
    quiet = np.zeros(survey.shape)
    quiet[survey.depth + 5 :] = 1.0
    history: list[float] = []
    began = time.perf_counter()

    def scaled(y):
        """The unknowns are km/s, and the rows next to the sources are kept."""
        value, gradient = value_and_gradient(1000.0 * y)
        history.append(float(value))
        return value, 1000.0 * gradient * quiet.ravel()

    def progress(y):
        elapsed = time.perf_counter() - began
        print(f"iteration {progress.count:3d}   misfit {min(history):.3e}   {len(history):3d} gradients   {elapsed:5.1f} s", flush=True)
        progress.count += 1

    progress.count = 1
    result = minimize(scaled, start.ravel() / 1000, jac=True, method="L-BFGS-B", bounds=[(1.5, 3.0)] * start.size, callback=progress,
                      options={"maxiter": iterations, "ftol": 0.0, "gtol": 0.0})
    return true, 1000.0 * result.x.reshape(survey.shape), history[0], float(result.fun)


def draw(true: np.ndarray, found: np.ndarray, survey: Survey, path: str) -> None:
    """Save the true and the recovered model side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.6), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    extent = (0, survey.step * survey.shape[1], survey.step * survey.shape[0], 0)
    for axis, model, title in zip(axes, (true, found), ("true model", "inverted from four shots"), strict=True):
        image = axis.imshow(model, extent=extent, vmin=1900, vmax=2450, cmap="viridis")
        axis.plot(survey.step * np.array(survey.sources), [survey.step * survey.depth] * len(survey.sources), "r*")
        axis.set(title=title, xlabel="distance (m)")
    axes[0].set_ylabel("depth (m)")
    figure.colorbar(image, ax=axes, label="velocity (m/s)")
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=40)
    parser.add_argument("--output", default="acoustic_inversion.png")
    options = parser.parse_args()
    survey = Survey()
    true, found, first, last = invert(survey, options.iterations)
    print(f"misfit {first:.3e} -> {last:.3e}; mean velocity error {np.mean(np.abs(found - true)):.0f} m/s")
    draw(true, found, survey, options.output)
    print(f"saved {options.output}")


if __name__ == "__main__":
    main()
