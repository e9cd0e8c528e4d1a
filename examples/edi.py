"""Read the impedance tensor from a magnetotelluric EDI file (SEG standard, Wight 1988).

In: the path of an EDI file with impedance blocks (`ZXXR`, `ZXXI`, `ZXX.VAR`, ...).
Out: a `Sounding` in SI units. Every impedance in it is finite; a variance that the file does not give, or gives as zero, is NaN.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MU0 = 4e-7 * np.pi  # magnetic permeability of vacuum, H/m
OHM_PER_FIELD_UNIT = 1e3 * MU0  # EDI files hold E/B in (mV/km)/nT = 1e3 m/s; Z = E/H = mu0 E/B

BLOCK = re.compile(r"^\s*>(\S+)([^\n]*)\n([^>]*)", re.MULTILINE)


@dataclass(frozen=True)
class Sounding:
    """What one station measured.

    Attributes
    ----------
    station : str
        Name of the station.
    frequency : (n,) ndarray
        Frequencies in Hz.
    impedance : (n, 2, 2) complex ndarray
        Impedance tensor Z in Ohm, (Ex, Ey) = Z (Hx, Hy), time dependence exp(+i omega t).
    variance : (n, 2, 2) ndarray
        Variance of each impedance, E|dZ|^2 in Ohm^2; NaN where it is not known.
    """

    station: str
    frequency: np.ndarray
    impedance: np.ndarray
    variance: np.ndarray


def read_edi(path):
    """Read the impedances of an EDI file; frequencies that lack one are left out.

    Parameters
    ----------
    path : str or path-like
        An EDI file.

    Returns
    -------
    Sounding
    """
    text = Path(path).read_text(encoding="latin-1")
    blocks = {keyword.upper(): (options, body) for keyword, options, body in BLOCK.findall(text)}
    head = dict(re.findall(r'^\s*(\w+)\s*=\s*"?([^"\n]*?)"?\s*$', blocks.get("HEAD", ("", ""))[1], re.MULTILINE))
    empty = float(head.get("EMPTY", 1e32))
    frequency = numbers(blocks, "FREQ", empty, path)

    def column(keyword):
        values = numbers(blocks, keyword, empty, path)
        if values.shape != frequency.shape:
            raise ValueError(f"{path}: block >{keyword} has {values.size} numbers for {frequency.size} frequencies")
        return values

    def tensor(component):
        return np.stack([component("XX"), component("XY"), component("YX"), component("YY")], axis=-1).reshape(-1, 2, 2)

    def variance_of(pair):
        keyword = f"Z{pair}.VAR"
        values = column(keyword) if keyword in blocks else np.full(frequency.size, np.nan)
        return np.where(values > 0, values, np.nan)

    impedance = tensor(lambda pair: column(f"Z{pair}R") + 1j * column(f"Z{pair}I"))
    variance = tensor(variance_of)
    measured = np.isfinite(frequency) & np.isfinite(impedance).all(axis=(1, 2))
    return Sounding(
        station=head.get("DATAID", Path(path).stem),
        frequency=frequency[measured],
        impedance=impedance[measured] * OHM_PER_FIELD_UNIT,
        variance=variance[measured] * OHM_PER_FIELD_UNIT**2,
    )


def numbers(blocks, keyword, empty, path):
    """The numbers in one block of the file, with NaN for its mark of a missing value."""
    if keyword not in blocks:
        raise ValueError(f"{path}: no block >{keyword}; impedances are needed (spectra and apparent resistivities are not read)")
    values = np.array(blocks[keyword][1].split(), dtype=float)
    return np.where(np.isclose(values, empty), np.nan, values)
