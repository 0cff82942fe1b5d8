"""What real trackers have recorded of a chain, read back with their own readers (spec 11.4)."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from benches import Bench, until

import pipeline_widgets as pw


def chain(bench: Bench, tracker: str) -> pw.Pipeline:
    """Return a chain of two stages that has ended, and was tracked to its end."""
    bench.ws.trackers = [tracker]
    pipe = bench.chain({"steps": 5, "pause": 0.2}, {"steps": 3})
    pipe.stages[0].trigger()
    pipe.wait(120)
    until(lambda: not _is_tracking(bench), timeout=180)
    for stage in pipe.stages:
        run = stage.run
        assert run is not None
        assert run.status == "Succeeded"
        assert "has failed" not in run.log, run.log
    return pipe


def _is_tracking(bench: Bench) -> bool:
    for process in psutil.process_iter(["cmdline", "environ"]):
        environment: dict[str, str] = process.info["environ"] or {}
        ours = str(bench.folder) in environment.get("PIPELINE_WIDGETS_URL", "")
        if ours and "track" in (process.info["cmdline"] or []):
            return True
    return False


def read_tensorboard(folder: Path) -> tuple[dict[str, list[tuple[int, float]]], str]:
    """Return the scalars of an event file by name, and its texts."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    found.Reload()
    scalars = {
        name: [(each.step, each.value) for each in found.Scalars(name)] for name in found.Tags()["scalars"]
    }
    texts = [
        each.tensor_proto.string_val[0].decode()
        for name in found.Tags()["tensors"]
        for each in found.Tensors(name)
    ]
    return scalars, "\n".join(texts)


@pytest.mark.spec("11.4")
def test_tensorboard_has_the_scalars_of_every_run(bench: Bench) -> None:
    """A folder for each run, with metrics by step, config, checkpoints and status."""
    pipe = chain(bench, "tensorboard")
    folder = bench.ws.artifacts / "trackers" / "tensorboard" / "Bench"
    scalars, texts = read_tensorboard(folder / "e0" / "run 1")

    assert scalars["loss"] == [(step, pytest.approx(1 / step)) for step in range(1, 6)]
    assert scalars["evaluation_score"][-1] == (5, 5.0)
    first, second = (stage.run for stage in pipe.stages)
    assert first is not None
    assert second is not None
    assert '"steps": 5' in texts
    assert '"status": "Succeeded"' in texts
    assert str(first.checkpoints[-1].path) in texts
    _, texts = read_tensorboard(folder / "e1" / "run 1")
    assert '"parent": "e0, run 1"' in texts


@pytest.mark.spec("11.4")
@pytest.mark.parametrize("store", ["sqlite", "file"])
def test_mlflow_nests_a_stage_below_the_run_that_it_starts_from(
    bench: Bench, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its store has the project, runs, parameters, the history of metrics, checkpoints and the end."""
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # for the reader here
    uri = (bench.folder / "mlruns").as_uri()
    pipe = chain(bench, "mlflow" if store == "sqlite" else f"mlflow:{uri}")
    database = bench.ws.artifacts / "trackers" / "mlflow" / "mlflow.db"
    client = MlflowClient(tracking_uri=f"sqlite:///{database}" if store == "sqlite" else uri)
    experiment = client.get_experiment_by_name("Bench")
    assert experiment is not None
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    first, second = runs["e0, run 1"], runs["e1, run 1"]

    assert (first.info.status, second.info.status) == ("FINISHED", "FINISHED")
    assert (first.data.params["steps"], first.data.params["seed"]) == ("5", "0")
    history = client.get_metric_history(first.info.run_id, "loss")
    assert [(each.step, each.value) for each in history] == [(s, pytest.approx(1 / s)) for s in range(1, 6)]
    assert second.data.tags["mlflow.parentRunId"] == first.info.run_id
    run = pipe.stages[0].run
    assert run is not None
    assert first.data.tags["checkpoint.5"] == str(run.checkpoints[-1].path)


def read_records(file: Path) -> Iterator[bytes]:
    """Yield the records of a file of wandb: a log of LevelDB in blocks of 32 KiB, after 7 bytes of header."""
    content, at, whole = file.read_bytes(), 7, b""
    while at + 7 <= len(content):
        if (left := 32768 - at % 32768) < 7:
            at += left
            continue
        length, kind = struct.unpack("<HB", content[at + 4 : at + 7])
        whole += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in {1, 4}:  # whole, or the last part
            yield whole
            whole = b""


@pytest.mark.spec("11.4")
def test_wandb_writes_offline_runs(bench: Bench) -> None:
    """Nothing leaves the machine: a file for each run, which `wandb sync` sends later."""
    from wandb.proto.wandb_internal_pb2 import Record

    chain(bench, "wandb")
    files = sorted((bench.ws.artifacts / "trackers" / "wandb").rglob("*.wandb"))
    assert len(files) == 2
    told: dict[str, list[Any]] = {}
    for file in files:
        name, losses, code = "", [], None
        for data in read_records(file):
            record = Record()
            record.ParseFromString(data)
            if record.HasField("run"):
                name = record.run.display_name
            if record.HasField("exit"):
                code = record.exit.exit_code
            if record.HasField("history"):
                row = {
                    "/".join(item.nested_key) or item.key: json.loads(item.value_json)
                    for item in record.history.item
                }
                if "loss" in row:
                    losses.append((row["step"], row["loss"]))
        told[name] = [losses, code]

    assert told["e0, run 1"] == [[(step, pytest.approx(1 / step)) for step in range(1, 6)], 0]
    assert [step for step, _ in told["e1, run 1"][0]] == [1, 2, 3]


@pytest.mark.spec("11.4")
def test_trackio_has_the_metrics_of_every_run(bench: Bench) -> None:
    """Our own reader of its database, which `project.adopt` uses, finds them again."""
    from pipeline_widgets.adoption.trackio_database import read

    chain(bench, "trackio")
    found = read(bench.ws.artifacts / "trackers" / "trackio")
    assert found is not None
    metrics = [(step, name, value) for step, name, value in found.metrics if name.endswith("loss")]
    first = [(step, value) for step, name, value in metrics if "e0, run 1" in name]
    assert first == [(step, pytest.approx(1 / step)) for step in range(1, 6)]
