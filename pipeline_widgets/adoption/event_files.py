"""Scalars of TensorBoard event files, by TensorBoard's own reader."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any

from pipeline_widgets.domain.adoption import Adoption, ReadMetric
from pipeline_widgets.errors import ExecutionError

ORIGIN = "TensorBoard"
_PATTERN = "*tfevents*"


def read(path: Path) -> Adoption | None:
    """Return the scalars of a folder of event files, or of one of them; None where there is none.

    The scalars of folders below it have the path of their folder before their name.

    Raises:
        ExecutionError: TensorBoard is not installed.
    """
    is_file = path.is_file() and "tfevents" in path.name
    folders = (
        [path] if is_file else sorted({each.parent for each in path.rglob(_PATTERN)}) if path.is_dir() else []
    )
    if not folders:
        return None
    try:
        reader: Any = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    except ImportError as error:
        what = f"The event files in {path} cannot be read."
        fix = "Install it: pip install 'pipeline-widgets[adopt]'"
        raise ExecutionError(what, "TensorBoard, whose reader opens them, is not installed.", fix) from error
    found: list[ReadMetric] = []
    for folder in folders:
        prefix = "" if folder == path else f"{folder.relative_to(path).as_posix()}/"
        events = reader.EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
        events.Reload()
        tags = events.Tags()
        for tag in tags["scalars"]:
            found += [(int(each.step), prefix + tag, _finite(each.value)) for each in events.Scalars(tag)]
        for tag in tags["tensors"]:  # TensorFlow 2 keeps scalars as tensors of one number
            for each in events.Tensors(tag):
                proto = each.tensor_proto
                if not proto.tensor_shape.dim and proto.float_val:
                    found.append((int(each.step), prefix + tag, _finite(proto.float_val[0])))
    return Adoption(origin=ORIGIN, metrics=tuple(sorted(found, key=lambda each: each[0])))


def _finite(value: float) -> float:
    return float(value) if math.isfinite(value) else math.nan
