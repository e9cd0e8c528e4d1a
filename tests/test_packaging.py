"""What a user gets: the wheel's contents, the README's examples and commands, and CI running the second of these."""

import doctest
import os
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[1]
COMMANDS = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_wheel_holds_the_package_and_nothing_else(tmp_path):
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {name for name in names if not name.split("/")[0].endswith(".dist-info")}
    sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / "jitad").rglob("*.py")}
    assert package == sources | {"jitad/py.typed"}
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_every_folder_of_sources_is_a_package():
    folders = {path.parent for path in (ROOT / "jitad").rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_importing_is_light():
    """What takes long to import waits until it is needed, and nothing is compiled."""
    code = "import sys, numba; before = set(sys.modules); import jitad; print(*(set(sys.modules) - before)); print(jitad.config.counters.compiles)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules, compiles = run.stdout.splitlines()
    heavy = {name.partition(".")[0] for name in modules.split()} | {name for name in modules.split() if name.startswith("numba.np")}
    assert not heavy & {"scipy", "matplotlib", "numba.np.arrayobj"} and compiles == "0"


def test_readme_examples():
    failed, attempted = doctest.testfile(str(ROOT / "README.md"), module_relative=False, encoding="utf-8")
    assert attempted > 0 and failed == 0


def test_readme_has_two_commands():
    assert len(COMMANDS) == 2
    main_job, tests = COMMANDS
    assert ".[examples]" in main_job and "examples/magnetotellurics.py" in main_job
    assert ".[test]" in tests and "pytest" in tests


@pytest.mark.parametrize("failing", [None, "pip", "ruff", "python"])
def test_ci_runs_the_readme_command(tmp_path, failing):
    """On stand-ins that print how they were called, CI runs the README's second command and fails where a part of it does."""
    python3 = tmp_path / "python3"
    python3.write_text(
        '#!/bin/sh\ntest "$1 $2" = "-m venv" && mkdir "$3/bin" || exit 1\n'
        "for tool in pip ruff python; do\n"
        f'    printf \'#!/bin/sh\\necho %s "$@"\\ntest %s != {failing}\\n\' $tool $tool > "$3/bin/$tool"\n'
        '    chmod +x "$3/bin/$tool"\n'
        "done\n"
    )
    python3.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(["bash", ROOT / ".ci" / "run"], env=os.environ | {"PATH": path}, cwd=tmp_path, capture_output=True, text=True)
    assert (run.returncode == 0) == (failing is None), run.stderr
    expected = [" ".join(shlex.split(command)) for command in COMMANDS[1].strip().split(" && ")]
    called = run.stdout.splitlines()
    assert called == expected[: len(called)]
    assert failing is not None or len(called) == len(expected)
