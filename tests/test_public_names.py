"""What `import pipeline_widgets` gives, and what it leaves alone."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path

import pytest

import pipeline_widgets as pw

ROOT = Path(__file__).parent.parent
DEAR = (
    "ipywidgets",
    "anywidget",
    "IPython",
    "traitlets",
    "numpy",
    "pandas",
    "sqlalchemy",
    "pydantic",
    "gymnasium",
)


def test_all_names_are_sorted_and_there() -> None:
    """Every public name can be imported, is listed once and in order, and shows up in completion."""
    assert list(pw.__all__) == sorted(set(pw.__all__))
    for name in pw.__all__:
        assert getattr(pw, name).__doc__, name
    assert set(pw.__all__) <= set(dir(pw))


def test_no_other_name_is_there() -> None:
    """A name that does not exist is an AttributeError that says whose."""
    with pytest.raises(AttributeError, match="module 'pipeline_widgets' has no attribute 'Pipelin'"):
        _ = pw.Pipelin


def test_the_names_of_the_contract_are_public() -> None:
    """What notebooks are written against cannot be lost."""
    contract = {"Workspace", "Project", "Experiment", "Pipeline", "Stage", "Run", "Checkpoint", "Agent"}
    assert contract | {"algorithm", "Port", "PipelineError", "StopTraining"} <= set(pw.__all__)


def loaded(statements: str) -> set[str]:
    """Return which dear packages a fresh interpreter has loaded after those statements."""
    program = f"{statements}\nimport sys; print(*(name for name in {DEAR!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_importing_the_package_imports_nothing_dear() -> None:
    """Neither widgets nor numbers nor the database are loaded by the bare import."""
    assert loaded("import pipeline_widgets") == set()


def test_errors_and_values_cost_nothing_either() -> None:
    """Catching our errors or naming a port needs none of the dear packages."""
    assert loaded("from pipeline_widgets import PipelineError, Port, Status, Plan, Timing") == set()


def test_a_workspace_needs_no_notebook_and_no_numbers() -> None:
    """Opening a workspace in a script loads the database, and no widget and no DataFrame."""
    assert loaded("from pipeline_widgets import Workspace") <= {"sqlalchemy"}


def test_the_version_is_that_of_the_distribution() -> None:
    """The version in the code is the version that is packaged."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == pw.__version__


def test_the_package_says_that_it_is_typed() -> None:
    """Type checkers of users read our annotations."""
    assert resources.files(pw).joinpath("py.typed").is_file()
