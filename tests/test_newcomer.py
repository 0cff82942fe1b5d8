"""What a newcomer meets first: the demo in the terminal, the Makefile, the notebook."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import trainers

import pipeline_widgets as pw
from pipeline_widgets import demo
from pipeline_widgets.__main__ import main

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def a_demo(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the demo as a newcomer does."""
    command = [sys.executable, "-m", "pipeline_widgets", "demo", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=240)


def test_the_help_lists_the_commands_of_people(capsys: pytest.CaptureFixture[str]) -> None:
    """And none that only a launcher calls."""
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = re.findall(r"^    ([a-z-]+)\b", capsys.readouterr().out, re.MULTILINE)
    assert listed == ["run", "reconcile", "trust", "backup", "copy", "demo"]


@pytest.mark.spec("6.3", "7.3")
def test_the_demo_runs_the_chain_and_prints_a_table(tmp_path: Path) -> None:
    """Every stage succeeds, the score rises from stage to stage, and nothing is left behind."""
    done = a_demo(folder=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = re.findall(
        r"^ *(\S+) (?:Experiment|Deployment) Succeeded +[\d.]+ *([\d.]*) *$", done.stdout, re.MULTILINE
    )
    assert [name for name, _ in rows] == ["sft", "dpo", "grpo", "letters-agent"], done.stdout
    scores = [float(score) for _, score in rows[:3]]
    assert scores == sorted(scores)
    assert scores[-1] > 0.9
    assert '"dcba" -> "abcd"' in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.spec("6.8")
def test_the_demo_of_a_workspace_is_kept_and_run_again(tmp_path: Path) -> None:
    """With --url the same pipeline is there afterwards, and a second demo is a re-run of it."""
    url = f"sqlite:///{(tmp_path / 'lab.db').as_posix()}"
    for arguments in (["demo", "--url", url], ["--url", url, "demo"]):
        assert main(arguments) == 0
    ws = pw.Workspace(url)
    (pipe,) = ws.projects[demo.PROJECT].pipelines
    assert [run.number for run in pipe.stages["grpo"].runs] == [1, 2]
    assert [version.number for version in ws.agents[demo.AGENT].versions] == [1, 2]
    ws.agents[demo.AGENT].disconnect()  # its process would outlive this test
    ws.close()


@pytest.mark.spec("7.4")
def test_the_demo_fails_when_a_stage_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code tells, the table shows which one, and the reason is its traceback."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "CHAIN", (trainers.counter.spec.name, "SFT"))
    ws = pw.Workspace("sqlite:///lab.db")
    project = ws.create_project(demo.PROJECT, advanced_training=True)
    pipe = project.create_pipeline(demo.PIPELINE)
    config = {"steps": 2, "act": "raise"}
    pipe.add_experiment_stage(project.create_experiment("fails", algorithm=trainers.counter, config=config))
    pipe.add_deployment_stage(demo.AGENT, trigger="auto")
    ws.close()
    assert main(["demo", "--url", "sqlite:///lab.db"]) == 1
    told = capsys.readouterr()
    assert re.search(r"fails Experiment +Failed", told.out)
    assert "Stage 1 (fails) is Failed." in told.err
    assert "the loss is <b>not</b> a number" in told.err


def test_make_says_what_it_can_do() -> None:
    """The first target is the help, and every target that is promised in it is there."""
    targets = re.findall(r"^([a-z-]+):(?:.*## .+)$", MAKEFILE, re.MULTILINE)
    assert targets[0] == "help"
    assert {"lab", "demo", "test", "check", "bench", "clean"} <= set(targets)
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony is not None
    assert phony[1].split() == targets


@pytest.mark.parametrize(
    ("tests", "asks"),
    [
        ("tests notebooks", True),
        ("tests/browser/test_stand.py", True),
        ("tests/domain", False),
        ("tests --ignore=tests/browser notebooks", False),
    ],
)
def test_make_looks_for_a_browser_where_the_tests_need_one(tests: str, *, asks: bool) -> None:
    """Without a browser all other tests can be run."""
    # Called by make itself, as in `make test`, it would also say which folder it enters and leaves.
    command = ["make", "--no-print-directory", "--dry-run", "test", f"TESTS={tests}"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    assert ("tests/browser/chromium.py" in told) == asks
    runs = [line.rstrip() for line in told.splitlines() if " -m pytest " in line]
    wanted = [["notebooks"]] * ("notebooks" in tests) + [tests.replace(" notebooks", "").split()]
    assert [line.split()[-len(each) :] for line, each in zip(runs, wanted, strict=True)] == wanted


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_saved_with_what_it_shows_and_nothing_of_the_machine(path: Path) -> None:
    """Cells were run in order, none failed, and no path or version of whoever ran it is kept."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} <= {"execute_result", "display_data", "stream"}
    assert not re.search(r"/(home|root|tmp|work|Users|var)/|C:\\\\", json.dumps(outputs))
    assert notebook["metadata"].keys() == {"kernelspec", "language_info"}
    assert notebook["metadata"]["language_info"] == {"name": "python"}
