"""What trainings show, with real processes: kept with the run, whatever ends it (spec 9.4)."""

from __future__ import annotations

import os
import shutil
import signal
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benches import QUICK, Bench, end_all, until
from pydantic import BaseModel

import pipeline_widgets as pw

pytestmark = pytest.mark.spec("9.4")


def die(_: object) -> None:
    """End this process."""
    os.kill(os.getpid(), signal.SIGKILL)


class ShowConfig(BaseModel):
    """How long to train, and what happens at the second step."""

    steps: int = 3
    act: str = ""


@pw.algorithm("Shower", produces={"thing"}, config=ShowConfig)
def shower(ctx: pw.TrainContext) -> None:
    """Show samples, an image and a video at each step."""
    for step in range(1, ctx.config.steps + 1):
        ctx.report(step, total=ctx.config.steps, evaluation_score=float(step))
        ctx.show(step, samples=[("prompt", f"output {step}", step / 10)], caption=f"Step {step}")
        ctx.show(step, image=np.full((8, 8), step, np.uint8), prompt="grey")
        ctx.show(step, video=np.zeros((3, 8, 8, 3)), seed=7, fps=10)
        with ctx.checkpoint(step) as folder:
            (folder / "state.txt").write_text(str(step))
        if step == 2 and ctx.config.act == "too large":
            ctx.show(step, image=np.zeros((1, 10_000)))
        if step == 2 and ctx.config.act == "kill while writing":
            (ctx.folder / "shown" / f".writing-{'0' * 32}").mkdir()
            os.kill(os.getpid(), signal.SIGKILL)
        if step == 2 and ctx.config.act == "kill before the report":
            ctx._emit = die
            ctx.show(step, image=np.full((8, 8), 99, np.uint8))


def trained(bench: Bench, **config: Any) -> pw.Run:
    """Train in processes of its own, and wait for the end."""
    made = bench.project.create_experiment("shown", algorithm=shower, config=config)
    return made.train().wait(60)


def test_all_that_a_training_shows_is_kept(bench: Bench) -> None:
    """In the order of its steps, with texts and files that Python reads."""
    run = trained(bench)
    assert (run.status, run.error) == ("Succeeded", None)
    assert [(each.step, each.type) for each in run.shown_items] == [
        (step, kind) for step in (1, 2, 3) for kind in ("samples", "image", "video")
    ]
    samples, image, video = run.shown_items[:3]
    assert [(each.prompt, each.output, each.score) for each in samples.samples] == [
        ("prompt", "output 1", 0.1)
    ]
    assert (image.media_type, image.prompt, video.seed) == ("image/png", "grey", 7)
    assert image.read() == image.path.read_bytes()
    assert image.path.is_relative_to(bench.ws.artifacts)
    assert run.shown_items.df["samples"].tolist()[0] == 1
    assert run.samples["output"].tolist() == ["output 1", "output 2", "output 3"]
    assert "image/png" in image._repr_mimebundle_()
    assert "output 1" in samples._repr_mimebundle_()["text/html"]
    with pytest.raises(pw.NotFoundError, match="This item has no file"):
        samples.read()


def test_two_runs_are_compared_in_python(bench: Bench) -> None:
    """As the view does it; a step at which nothing was shown is an error that says where something was."""
    first = trained(bench)
    second = bench.project.experiments["shown"].train().wait(60)
    frame = first.compare_shown(second, 1)
    assert list(frame.columns) == ["subject", "left", "left_score", "right", "right_score"]
    assert frame["subject"].tolist() == ["prompt", "grey", "seed 7"]
    assert frame["left"].tolist()[0] == "output 1"
    assert frame["right"].tolist()[0] == "output 3"
    with pytest.raises(pw.NotFoundError, match=r"Nothing was shown at step 9\. It has at 1, 2, 3"):
        first.compare_shown(second, 9)


def test_what_cannot_be_shown_fails_with_its_reason(bench: Bench) -> None:
    """What was shown before stays."""
    run = trained(bench, act="too large")
    assert run.status == "Failed"
    assert "10,000 by 1 pixels. A side has 1 to 8,192." in (run.error or "")
    assert len(run.shown_items) == 6


@pytest.mark.parametrize("act", ["kill while writing", "kill before the report"])
def test_a_killed_training_leaves_no_row_without_its_file(bench: Bench, act: str) -> None:
    """Between file and row, or while it is written: rows have files, and the clean-up has the rest."""
    run = trained(bench, act=act)
    assert run.status == "Crashed"
    items = [each for each in run.shown_items if each.media_type]
    assert len(items) == 4
    assert all(each.path.is_file() for each in items)
    folder = items[0].path.parent.parent
    kept = {each.path.parent for each in items}
    assert not list(folder.glob(".writing-*"))
    left = set(folder.iterdir()) - kept
    assert len(left) == (act == "kill before the report")
    bench.project.gc(dry_run=False)
    assert set(folder.iterdir()) == kept


def test_a_killed_supervisor_leaves_no_row_without_its_file(quick: Bench) -> None:
    """What it had not written is lost, whole."""
    run = quick.project.create_experiment("shown", algorithm=shower, config={"steps": 100_000}).train()
    until(lambda: len(run.shown_items) > 3)
    os.kill(quick.supervisor(run).pid, signal.SIGKILL)
    until(lambda: run.status == "Crashed")
    assert all(each.path.is_file() for each in run.shown_items if each.media_type)


def test_what_is_at_a_url_is_brought_here(tmp_path: Path) -> None:
    """A machine that has lost all has the items nevertheless, whose rows came after their files."""
    remote = Bench(tmp_path, QUICK, artifacts=f"file://{tmp_path}/bucket")
    try:
        run = trained(remote)
        assert (run.status, run.error) == ("Succeeded", None)
        shutil.rmtree(remote.ws.artifacts / "runs")
        image = run.shown_items[1]
        assert image.read().startswith(b"\x89PNG")
        remote.project.gc(dry_run=False)
        shutil.rmtree(remote.ws.artifacts / "runs")
        assert image.read().startswith(b"\x89PNG")
    finally:
        end_all(remote)


SCRIPT = """
    import numpy as np
    from pipeline_widgets.client import run

    for step in (1, 2):
        assert run.show(step, samples=[("p", f"o {step}", float("nan"))], caption="From a script")
        assert run.show(step, image=np.full((4, 4), step, np.uint8), seed=step)
    assert run.show(3, video=np.zeros((3, 8, 8, 3)), fps=10)
    try:
        run.show(3, image=np.zeros(3))
    except Exception as error:
        run.log(type(error).__name__)
    with run.checkpoint(3) as folder:
        (folder / "state.txt").write_text("done")
"""


def test_a_script_shows_as_a_train_function_does(bench: Bench, tmp_path: Path) -> None:
    """Arrays become files in the script's process; nothing of that is left."""
    path = tmp_path / "train.py"
    path.write_text(textwrap.dedent(SCRIPT))
    algorithm = pw.script(path, name="Script", produces={"thing"}, config=ShowConfig)
    run = bench.project.create_experiment("script", algorithm=algorithm).train().wait(60)
    assert (run.status, run.error) == ("Succeeded", None)
    assert [(each.step, each.type) for each in run.shown_items] == [
        (1, "samples"), (1, "image"), (2, "samples"), (2, "image"), (3, "video"),
    ]  # fmt: skip
    assert run.samples["score"].isna().all()
    assert run.shown_items[1].read().startswith(b"\x89PNG")
    assert "ConfigError" in run.log
    folder = run.shown_items[1].path.parent.parent
    assert not list(folder.glob(".writing-*"))
