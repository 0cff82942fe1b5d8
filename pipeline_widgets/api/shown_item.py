"""What a run has shown: samples, images and videos."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_widgets.api.frames import data_frame
from pipeline_widgets.api.handle import Handle
from pipeline_widgets.api.listing import Listing, select_columns
from pipeline_widgets.application import Services
from pipeline_widgets.domain import shown_item as values
from pipeline_widgets.domain.shown_item import Sample
from pipeline_widgets.errors import NotFoundError

if TYPE_CHECKING:
    import pandas as pd

_SAMPLE_COLUMNS = ["step", "prompt", "output", "score", "reference"]


class ShownItem(Handle):
    """What `ctx.show` was called with once: samples, an image or a video."""

    kind = "shown item"
    listed = "run.shown_items"

    def __init__(self, services: Services, value: values.ShownItem) -> None:
        super().__init__(services, value.id)
        self._value = value

    def __repr__(self) -> str:
        return f"ShownItem(step={self.step}, type={self.type!r}, caption={self.caption!r})"

    @property
    def step(self) -> int:
        """The step that it belongs to."""
        return self._value.step

    @property
    def type(self) -> str:
        """What it is: "samples", "image" or "video"."""
        return self._value.kind

    @property
    def caption(self) -> str:
        """What is to be seen; empty where none was given."""
        return self._value.caption

    @property
    def prompt(self) -> str | None:
        """What an image or a video was made from."""
        return self._value.prompt

    @property
    def seed(self) -> int | None:
        """The seed of an episode."""
        return self._value.seed

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Its samples, with prompt, output, score and reference each; none for an image or a video."""
        if self._value.sample_count and not self._value.samples:
            self._value = self._services.shown_items.get(self._id)
        return self._value.samples

    @property
    def media_type(self) -> str | None:
        """The type of its file, such as "image/png" or "video/mp4"; None for samples."""
        return self._value.media.media_type if self._value.media else None

    @property
    def size(self) -> int:
        """Bytes of its file, or characters of its samples."""
        return self._value.size

    @property
    def created_at(self) -> datetime:
        """The time at which it was shown, in UTC."""
        return self._value.created_at

    @property
    def path(self) -> Path:
        """Its file. Where artifacts are kept at a URL, it is brought to this machine first.

        Raises:
            NotFoundError: Samples have no file.
            CheckpointError: The file is gone.
            StorageError: It cannot be brought here.
        """
        return self._services.shown_items.find_file(self._value)

    def read(self) -> bytes:
        """Return the bytes of its file.

        Raises:
            NotFoundError: Samples have no file.
            CheckpointError: The file is gone.
            StorageError: It cannot be brought here.
        """
        return self.path.read_bytes()

    def summary(self) -> dict[str, Any]:
        """Its row in a listing."""
        columns = select_columns(self, "step", "type", "caption", "prompt", "seed")
        samples = self._value.sample_count or None
        return {**columns, "samples": samples, "media_type": self.media_type, "size": self.size}

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """Show an image, or the samples as a table."""
        shown: dict[str, Any] = {"text/plain": repr(self)}
        if self.samples:
            table = data_frame(_sample_rows([self._value]), columns=_SAMPLE_COLUMNS)
            return shown | {"text/html": table.to_html(index=False, notebook=True)}
        if self.media_type in {"image/png", "image/jpeg", "image/gif"}:
            return shown | {self.media_type: b64encode(self.read()).decode()}
        return shown


def shown_items(services: Services, run_id: int) -> Listing[ShownItem]:
    """Return a listing of what a run has shown, by step.

    Args:
        services: The workspace.
        run_id: The run.
    """
    return Listing(
        "shown item", (ShownItem(services, each) for each in services.shown_items.list_items(run_id))
    )


def samples_frame(services: Services, run_id: int) -> pd.DataFrame:
    """Return all samples that a run has shown.

    Args:
        services: The workspace.
        run_id: The run.
    """
    return data_frame(_sample_rows(services.shown_items.list_samples(run_id)), columns=_SAMPLE_COLUMNS)


def comparison_frame(
    services: Services, run_ids: tuple[int, int], steps: tuple[int | None, int | None]
) -> pd.DataFrame:
    """Return what two runs have shown, matched by prompt and seed.

    Args:
        services: The workspace.
        run_ids: The runs.
        steps: A step of each; None for the last one.

    Raises:
        NotFoundError: A run has shown nothing at that step.
    """
    left, right = (_place(services, *each) for each in zip(run_ids, steps, strict=True))
    found = services.shown_items.compare(*run_ids, left, right)
    columns = ["subject", "left", "left_score", "right", "right_score"]
    rows = [(pair.label, *_cells(pair.left), *_cells(pair.right)) for pair in found.pairs]
    return data_frame(rows, columns=columns)


def _cells(side: values.Comparable | None) -> tuple[str | None, float | None]:
    if side is None:
        return None, None
    if side.sample is not None:
        return side.sample.output, side.sample.score
    return side.item.description, None


def _place(services: Services, run_id: int, step: int | None) -> int:
    known = sorted({each.step for each in services.shown_items.list_items(run_id)})
    if not known or step not in {None, *known}:
        there = f"It has at {', '.join(map(str, known[:10]))}." if known else "It has shown nothing."
        raise NotFoundError(f"Nothing was shown at step {step}.", there, "Look into run.shown_items.")
    return len(known) - 1 if step is None else known.index(step)


def _sample_rows(items: list[values.ShownItem] | tuple[values.ShownItem, ...]) -> list[tuple[Any, ...]]:
    return [
        (item.step, each.prompt, each.output, each.score, each.reference)
        for item in items
        for each in item.samples
    ]
