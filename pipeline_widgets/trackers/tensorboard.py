"""Event files for TensorBoard, by `tensorboardX` or by PyTorch's own writer."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline_widgets.domain.tracking import TrackedCheckpoint, TrackedRun, make_path_part

FLUSH_EVERY = 2.0  # seconds, so that a board that is open shows a running training


class TensorBoard:
    """Writes a folder for each run: PROJECT/EXPERIMENT/run N.

    Args:
        location: The folder of the board; by default one of the workspace's.
        folder: The workspace's folder for it.
    """

    def __init__(self, location: str | None, folder: Path) -> None:
        self._root = Path(location).expanduser() if location else folder
        self._writer: Any = None
        self._last = 0
        self._flushed_at = time.monotonic()

    def begin(self, run: TrackedRun) -> None:
        """Open the event file of a run."""
        parts = (run.project, run.experiment, f"run {run.number}")
        self._last = run.begun
        self._writer = _open_writer(self._root.joinpath(*map(make_path_part, parts)))
        self._writer.add_text("run", _as_code(run.facts), run.begun)
        self._writer.add_text("config", _as_code(run.config), run.begun)
        self._writer.flush()

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        """Write scalars."""
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)
        self._last = max(self._last, step)
        if time.monotonic() - self._flushed_at > FLUSH_EVERY:
            self._flushed_at = time.monotonic()
            self._writer.flush()

    def checkpoint(self, saved: TrackedCheckpoint) -> None:
        """Write where a checkpoint is."""
        self._writer.add_text(
            "checkpoint", _as_code({"path": saved.path, "digest": saved.digest}), saved.step
        )

    def finish(self, status: str, error: str | None) -> None:
        """Write how the run has ended, and close the file."""
        self._writer.add_text("status", _as_code({"status": status, "error": error}), self._last)
        self._writer.close()


def _open_writer(folder: Path) -> Any:
    try:
        module = import_module("tensorboardX")
    except ImportError:
        module = import_module("torch.utils.tensorboard")
    return module.SummaryWriter(str(folder))


def _as_code(value: Mapping[str, Any]) -> str:
    """Return values as indented code: TensorBoard renders Markdown, and nothing of a text may become HTML."""
    lines = json.dumps(dict(value), indent=2, default=str, ensure_ascii=False).splitlines()
    return "\n".join(f"    {line}" for line in lines)
