"""The example: its reader, its forward model against closed forms, its gradient against differences, and a run as users start it."""

import subprocess
import sys
from pathlib import Path

import acoustic
import magnetotellurics as mt
import numpy as np
import pytest
from edi import MU0, Sounding, read_edi

import jitad

EXAMPLES = Path(mt.__file__).parent
OMEGA = 2 * np.pi * np.geomspace(1e-4, 1e3, 29)

EDI = """>HEAD
  DATAID="A1"
  EMPTY=1.0E32
>!****FREQUENCIES****!
>FREQ //3
 10. 1.
 0.1
>ZXXR ROT=NORTH //3
 0 0 1.0E+32
>ZXXI //3
 0 0 0
>ZXYR //3
 50 15.811388300841896 5
>ZXYI //3
 50 15.811388300841896 5
>ZXY.VAR //3
 0 0.25 0.25
>ZYXR //3
 -50 -15.811388300841896 -5
>ZYXI //3
 -50 -15.811388300841896 -5
>ZYYR //3
 0 0 0
>ZYYI //3
 0 0 0
>END
"""


@pytest.fixture
def edi_file(tmp_path):
    path = tmp_path / "a1.edi"
    path.write_text(EDI)
    return path


def measured():
    data = mt.determinant(read_edi(mt.MEASURED))
    return data, mt.layering(data)


def test_reader_converts_field_units(edi_file):
    """In (mV/km)/nT the apparent resistivity is 0.2 |Z|^2 / f, here 100 Ohm m."""
    sounding = read_edi(edi_file)
    np.testing.assert_array_equal(sounding.frequency, [10, 1])
    assert sounding.station == "A1"
    rho = np.abs(sounding.impedance[:, 0, 1]) ** 2 / (2 * np.pi * sounding.frequency * MU0)
    np.testing.assert_allclose(rho, [100, 100], rtol=1e-9)
    assert np.isnan(sounding.variance[:, 0, 0]).all()
    np.testing.assert_allclose(sounding.variance[:, 0, 1], [np.nan, 0.25 * (1e3 * MU0) ** 2])


@pytest.mark.parametrize("old, new", [(">ZXYI", ">QXYI"), (" 50 15.811388300841896 5\n>ZXYI", " 50\n>ZXYI")])
def test_reader_names_the_block_at_fault(edi_file, old, new):
    edi_file.write_text(EDI.replace(old, new))
    with pytest.raises(ValueError, match=r">ZXY[RI]"):
        read_edi(edi_file)


def test_measured_file():
    sounding = read_edi(mt.MEASURED)
    assert sounding.station == "GEO858"
    assert sounding.impedance.shape == (73, 2, 2)
    data = mt.determinant(sounding)
    rho, phase = mt.apparent_resistivity(data.z, data.omega), np.angle(data.z, deg=True)
    assert (rho > 1).all() and (rho < 1e4).all()
    assert (phase > 0).all() and (phase < 90).all()
    assert (data.error >= mt.ERROR_FLOOR).all() and (data.error < 0.2).all()


def test_determinant_of_a_layered_earth_is_its_impedance():
    z = np.array([3 + 4j, 1 + 1j])
    tensor = np.zeros((2, 2, 2), complex)
    tensor[:, 0, 1], tensor[:, 1, 0] = z, -z
    angle = np.deg2rad(30)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    variance = np.full((2, 2, 2), 0.5)
    data = mt.determinant(Sounding("", np.array([1.0, 2.0]), rotation @ tensor @ rotation.T, variance))
    np.testing.assert_allclose(data.z, z, rtol=1e-12)
    np.testing.assert_allclose(data.error, np.sqrt(0.5) / 2 / np.abs(z), rtol=1e-12)


@pytest.mark.parametrize("layers", [1, 2, 30])
def test_half_space(layers):
    z = mt.impedance(np.full(layers, np.log(50.0)), np.full(layers - 1, 300.0), OMEGA)
    np.testing.assert_allclose(z, np.sqrt(1j * OMEGA * MU0 * 50), rtol=1e-12)
    np.testing.assert_allclose(np.angle(z, deg=True), 45, rtol=1e-12)
    np.testing.assert_allclose(mt.apparent_resistivity(z, OMEGA), 50, rtol=1e-12)


@pytest.mark.parametrize("rho", [(10.0, 1000.0), (1000.0, 10.0)])
@pytest.mark.parametrize("thickness", [1.0, 1e3, 1e5])
def test_two_layers(rho, thickness):
    top, bottom = (np.sqrt(1j * OMEGA * MU0 * r) for r in rho)
    tanh = np.tanh(np.sqrt(1j * OMEGA * MU0 / rho[0]) * thickness)
    expected = top * (bottom + top * tanh) / (top + bottom * tanh)
    z = mt.impedance(np.log(rho), np.array([thickness]), OMEGA)
    np.testing.assert_allclose(z, expected, rtol=1e-9)


def test_gradient_of_the_misfit():
    data, thickness = measured()
    rng = np.random.default_rng(0)
    ln_rho = 4 + rng.standard_normal(len(thickness) + 1)
    value, gradient = mt.misfit_and_gradient(ln_rho, 3.0, thickness, data)
    assert value == pytest.approx(mt.misfit(ln_rho, 3.0, thickness, data), rel=1e-12)
    steps = 1e-5 * np.eye(len(ln_rho))
    numerical = [(mt.misfit(ln_rho + h, 3.0, thickness, data) - mt.misfit(ln_rho - h, 3.0, thickness, data)) / 2e-5 for h in steps]
    np.testing.assert_allclose(gradient, numerical, rtol=1e-6, atol=1e-8 * np.abs(gradient).max())


def test_example_runs(tmp_path):
    """As the README has it: under a minute, the misfit falls at every iteration, the data are fitted."""
    output = tmp_path / "fit.png"
    command = [sys.executable, EXAMPLES / "magnetotellurics.py", "--output", output]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    rows = [line.split() for line in run.stdout.splitlines()]
    progress = np.array([row for row in rows if row[0].isdigit()], dtype=float)
    for weight in np.unique(progress[:, 1]):
        assert (np.diff(progress[progress[:, 1] == weight, 2]) <= 0).all()
    assert progress[-1, 3] <= 1 < progress[0, 3] / 10
    assert output.read_bytes().startswith(b"\x89PNG")


def test_gradient_of_the_waveform_misfit():
    survey = acoustic.Survey(shape=(28, 30), steps=60, sources=(12,), edge=4, frequency=25.0)
    velocity = acoustic.first_model(survey)

    def energy(velocity):
        return np.sum(acoustic.record(velocity, 12, survey) ** 2)

    jitad.testing.check_grads(energy, (velocity,), modes=("rev",))
    direction = np.random.default_rng(0).standard_normal(velocity.shape)
    along = np.sum(jitad.grad(energy)(velocity) * direction)
    slope = (energy(velocity + 1e-3 * direction) - energy(velocity - 1e-3 * direction)) / 2e-3
    assert abs(along - slope) < 1e-6 * abs(slope)
