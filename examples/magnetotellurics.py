"""Invert a measured magnetotelluric sounding for the resistivity of a layered earth.

The data come from an EDI file in the PyPI package `mt_metadata`: the impedance between the horizontal electric and magnetic fields at
the surface, over frequency. The forward model is Wait's recursion through homogeneous layers, in plain NumPy; jitad supplies
the gradient of the misfit, SciPy's L-BFGS-B the descent. The weight of the smoothness penalty is halved until the data are fitted to
their errors, and no further (the discrepancy principle).

    python examples/magnetotellurics.py [--output mt_inversion.png] [file.edi]

All quantities are in SI units; the time dependence is exp(+i omega t).

J. R. Wait, On the relation between telluric currents and the earth's magnetic field, Geophysics 19, 281-289 (1954).
F. Simpson and K. Bahr, Practical Magnetotellurics, Cambridge University Press (2005), chapter 2.
"""

import argparse
import time
from dataclasses import dataclass
from importlib import resources

import numpy as np
from edi import MU0, read_edi
from matplotlib.figure import Figure
from scipy.optimize import minimize

import jitad

MEASURED = resources.files("mt_metadata") / "data" / "transfer_functions" / "tf_edi_metronix.edi"
ERROR_FLOOR = 0.01  # of |Z|: what a layered earth cannot explain of a real one
FIRST_WEIGHT, LAST_WEIGHT = 1000.0, 0.01  # of the smoothness penalty
LEAST_GAIN = 0.03  # a weight that lowers the RMS by less than this fraction is the last


def impedance(ln_rho, thickness, omega):
    """Surface impedance E / H of a layered earth.

    Parameters
    ----------
    ln_rho : (layers,) ndarray
        Natural logarithms of the resistivities in Ohm m, from the top; the last is that of the half-space below.
    thickness : (layers - 1,) ndarray
        Thicknesses in m.
    omega : (n,) ndarray
        Angular frequencies in rad/s.

    Returns
    -------
    (n,) complex ndarray
        In Ohm.
    """
    rho = np.exp(ln_rho)[:, None]
    wavenumber = np.sqrt(1j * omega * MU0 / rho)
    intrinsic = wavenumber * rho
    decay = np.exp(-2 * wavenumber[:-1] * thickness[:, None])
    z = intrinsic[-1]
    for layer in reversed(range(len(thickness))):
        reflected = (intrinsic[layer] - z) / (intrinsic[layer] + z) * decay[layer]
        z = intrinsic[layer] * (1 - reflected) / (1 + reflected)
    return z


def apparent_resistivity(z, omega):
    """Resistivity in Ohm m of the half-space whose impedance has the modulus of `z`."""
    return np.abs(z) ** 2 / (omega * MU0)


@dataclass(frozen=True)
class Data:
    """What the misfit compares a model with: impedances `z` in Ohm at `omega` in rad/s, and the standard deviations of the real and
    imaginary parts of ln z, which are the relative error of the modulus and the error of the phase in radians."""

    omega: np.ndarray
    z: np.ndarray
    error: np.ndarray


def determinant(sounding):
    """The mean over all directions, sqrt(det Z), of a measured impedance tensor, as `Data`.

    Its errors follow to first order from the variances of the elements, taken as independent. `ERROR_FLOOR` replaces what is smaller
    or not known.
    """
    zxx, zxy, zyx, zyy = (sounding.impedance[:, i, j] for i in (0, 1) for j in (0, 1))
    z = np.sqrt(zxx * zyy - zxy * zyx)
    derivative = np.stack([zyy, -zyx, -zxy, zxx], axis=-1).reshape(-1, 2, 2) / (2 * z[:, None, None])
    variance = np.sum(np.abs(derivative) ** 2 * sounding.variance, axis=(1, 2))
    error = np.sqrt(variance / 2) / np.abs(z)
    return Data(omega=2 * np.pi * sounding.frequency, z=z, error=np.fmax(error, ERROR_FLOOR))


def layering(data, layers=40):
    """Thicknesses in m: interfaces in geometric progression from a tenth of the smallest skin depth in the data to the largest."""
    skin_depth = np.sqrt(2 * apparent_resistivity(data.z, data.omega) / (data.omega * MU0))
    return np.diff(np.geomspace(skin_depth.min() / 10, skin_depth.max(), layers - 1), prepend=0)


def residuals(ln_rho, thickness, data):
    """Errors of the model's ln Z in units of their standard deviations: real part for the modulus, imaginary part for the phase."""
    return np.log(impedance(ln_rho, thickness, data.omega) / data.z) / data.error


def roughness(ln_rho):
    """Sum of the squared steps between neighbouring layers."""
    return np.sum(np.diff(ln_rho) ** 2)


def misfit(ln_rho, weight, thickness, data):
    """Half of the squared residuals plus the weighted roughness."""
    return 0.5 * np.sum(np.abs(residuals(ln_rho, thickness, data)) ** 2) + 0.5 * weight * roughness(ln_rho)


misfit_and_gradient = jitad.value_and_grad(misfit)


def rms(ln_rho, thickness, data):
    """Root mean square of the residuals, 1 when the data are fitted to their errors."""
    return np.sqrt(np.mean(np.abs(residuals(ln_rho, thickness, data)) ** 2) / 2)


@dataclass(frozen=True)
class Fit:
    """A model, and how it came about."""

    ln_rho: np.ndarray
    weight: float
    rms: float


def invert(data, thickness, report=print, iterations=60):
    """The smoothest layered earths that fit the data ever better, from the first weight to the one that reaches RMS 1.

    Parameters
    ----------
    data : Data
    thickness : (layers - 1,) ndarray
        Thicknesses in m.
    report : callable
        Takes one line of text per iteration.
    iterations : int
        At most so many for each weight.

    Returns
    -------
    list of Fit
        One for each weight; the last is the result.
    """
    ln_rho = np.full(len(thickness) + 1, np.log(apparent_resistivity(data.z, data.omega)).mean())
    weight, fits, steps = FIRST_WEIGHT, [], 0
    report("iteration    weight      misfit       RMS  roughness")

    def progress(intermediate_result):
        nonlocal steps
        steps += 1
        x, value = intermediate_result.x, intermediate_result.fun
        report(f"{steps:9d} {weight:9.3f} {value:11.3f} {rms(x, thickness, data):9.3f} {roughness(x):10.3f}")

    while weight >= LAST_WEIGHT:
        ln_rho = minimize(
            misfit_and_gradient,
            ln_rho,
            args=(weight, thickness, data),
            jac=True,
            method="L-BFGS-B",
            callback=progress,
            options={"maxiter": iterations, "ftol": 1e-6},
        ).x
        fits.append(Fit(ln_rho, weight, rms(ln_rho, thickness, data)))
        stalled = len(fits) > 1 and fits[-1].rms > (1 - LEAST_GAIN) * fits[-2].rms
        if fits[-1].rms <= 1 or stalled:
            break
        weight /= 2
    return fits


def picture(station, data, thickness, fits):
    """Data and fit against period, and the models against depth, as a Matplotlib figure."""
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    axes = figure.subplot_mosaic([["rho", "model"], ["rho", "model"], ["phase", "model"]], width_ratios=[1.25, 1])
    period, best = 2 * np.pi / data.omega, fits[-1]
    fitted = impedance(best.ln_rho, thickness, data.omega)
    measured = {"fmt": "o", "ms": 3.5, "lw": 1, "color": "0.35", "label": "measured, ±1 standard deviation"}
    line = {"color": "C3", "lw": 1.8, "label": f"fitted, RMS {best.rms:.2f}"}

    rho = apparent_resistivity(data.z, data.omega)
    axes["rho"].errorbar(period, rho, 2 * data.error * rho, **measured)
    axes["rho"].plot(period, apparent_resistivity(fitted, data.omega), **line)
    axes["rho"].set(xscale="log", yscale="log", ylabel="apparent resistivity (Ω m)", title=f"Station {station}, determinant impedance")
    axes["rho"].tick_params(labelbottom=False)
    axes["rho"].legend(loc="lower right")

    axes["phase"].errorbar(period, np.angle(data.z, deg=True), np.rad2deg(data.error), **measured)
    axes["phase"].plot(period, np.angle(fitted, deg=True), **line)
    axes["phase"].set(xscale="log", xlabel="period (s)", ylabel="phase (°)", ylim=(0, 90), yticks=(0, 15, 30, 45, 60, 75, 90))

    interfaces = np.cumsum(thickness)
    edges = np.concatenate([[interfaces[0] / 2], interfaces, [interfaces[-1] * 2]])
    for fit, gray in zip(fits, np.linspace(0.8, 0.5, len(fits))):
        style = {"color": "C3", "lw": 2.2} if fit is best else {"color": str(gray), "lw": 1.2}
        label = f"weight {fit.weight:g}, RMS {fit.rms:.2f}"
        axes["model"].stairs(np.exp(fit.ln_rho), edges, orientation="horizontal", baseline=None, label=label, **style)
    axes["model"].set(
        xscale="log", yscale="log", xlabel="resistivity (Ω m)", ylabel="depth (m)", ylim=(edges[-1], edges[0]), title="Layered earth"
    )
    axes["model"].legend(loc="lower left")
    for panel in axes.values():
        panel.grid(True, which="major", color="0.9")
        panel.set_axisbelow(True)
    return figure


def main(arguments=None):
    """Read, invert, draw."""
    parser = argparse.ArgumentParser(description="Invert a magnetotelluric sounding for a layered earth.")
    parser.add_argument("file", nargs="?", default=MEASURED, help="EDI file with impedances (default: one from mt_metadata)")
    parser.add_argument("--output", default="mt_inversion.png", help="picture to write (default: %(default)s)")
    options = parser.parse_args(arguments)

    sounding = read_edi(options.file)
    data = determinant(sounding)
    thickness = layering(data)
    print(f"station {sounding.station}: {len(data.z)} frequencies, {sounding.frequency.min():g} to {sounding.frequency.max():g} Hz")
    start = time.perf_counter()
    fits = invert(data, thickness)
    elapsed = time.perf_counter() - start
    print(f"RMS {fits[-1].rms:.3f} with {len(thickness) + 1} layers and smoothness weight {fits[-1].weight:g}, after {elapsed:.1f} s")
    picture(sounding.station, data, thickness, fits).savefig(options.output, dpi=150)
    print(f"picture: {options.output}")


if __name__ == "__main__":
    main()
