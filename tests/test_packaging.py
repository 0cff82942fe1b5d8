"""What is in the wheel that users install."""

from __future__ import annotations

import configparser
import json
import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "pipeline_widgets"
GROUP = "pipeline_widgets.algorithms"

OF_NUMPY = {"SFT", "DPO", "GRPO", "PPO", "DQN", "Supervised", "LatentPPO"}
OF_TRL = {"TRL SFT", "TRL Reward", "TRL DPO", "TRL GRPO"}
OF_SB3 = {"SB3 PPO", "SB3 A2C", "SB3 DQN", "SB3 SAC", "SB3 TD3"}
OF_AGILERL = {"AgileRL PPO", "AgileRL DQN"}
OURS = OF_NUMPY | OF_TRL | OF_SB3 | OF_AGILERL


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built offline with the backend that pyproject.toml names."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (made,) = folder.glob("*.whl")
    return made


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    """Migrations with their template, the mark of a typed package: all but what Python caches."""
    ours = {path.relative_to(ROOT).as_posix() for path in PACKAGE.rglob("*") if path.is_file()}
    held = set(ZipFile(wheel).namelist())
    assert {name for name in ours if "__pycache__" not in name} <= held
    assert "pipeline_widgets/persistence/migrations/script.py.mako" in held
    assert "pipeline_widgets/persistence/migrations/env.py" in held
    assert any(name.startswith("pipeline_widgets/persistence/migrations/versions/0001") for name in held)
    assert not any(
        name.startswith(("tests/", "tests_trainers/", "benchmarks/", "notebooks/")) for name in held
    )


@pytest.mark.spec("7.1")
def test_the_wheel_announces_its_algorithms_and_its_command(wheel: Path) -> None:
    """Ours are found by the entry-point group that anybody else's use."""
    points = configparser.ConfigParser()
    points.optionxform = str  # pyright: ignore[reportAttributeAccessIssue]  names keep their case
    with ZipFile(wheel) as files:
        (name,) = (name for name in files.namelist() if name.endswith(".dist-info/entry_points.txt"))
        points.read_string(files.read(name).decode())
    assert set(points[GROUP]) == OURS
    assert points["console_scripts"]["pipeline-widgets"] == "pipeline_widgets.__main__:main"


@pytest.mark.spec("7.1")
def test_what_the_wheel_announces_is_there(wheel: Path, tmp_path: Path) -> None:
    """From the unpacked wheel alone every algorithm loads, and a workspace gets its tables."""
    ZipFile(wheel).extractall(tmp_path / "installed")
    program = (
        "from importlib.metadata import distribution\n"
        "import pipeline_widgets as pw\n"
        "assert 'installed' in pw.__file__, pw.__file__\n"
        "points = distribution('pipeline-widgets').entry_points.select(group='pipeline_widgets.algorithms')\n"
        "assert all(isinstance(point.load(), pw.Algorithm) for point in points)\n"
        "ws = pw.Workspace('sqlite:///lab.db')\n"
        "ws.create_project('Installed', advanced_training=True)\n"
        "print(len(points), len(ws.projects))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(len(OURS)), "1"]


def test_the_tools_of_the_front_end_say_nothing_of_other_folders() -> None:
    """A module type in the root would hold for .venv as well, and JupyterLab's own scripts would not run."""
    assert "type" not in json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
