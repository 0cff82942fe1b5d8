"""The checkpoints that a clean-up frees and keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline_widgets.api.listing import Listing
from pipeline_widgets.domain.retention import RetentionDecision


class CheckpointFate:
    """The decision about a checkpoint."""

    def __init__(self, value: RetentionDecision) -> None:
        self._value = value

    def __repr__(self) -> str:
        done = "kept" if self.kept else "freed"
        return f"CheckpointFate({self._value.experiment!r}, run={self._value.run}, step={self.step}, {done})"

    @property
    def step(self) -> int:
        """The step of its training at which it was saved."""
        return self._value.checkpoint.step

    @property
    def size(self) -> int:
        """Bytes."""
        return self._value.checkpoint.size

    @property
    def path(self) -> str:
        """Its folder."""
        return self._value.checkpoint.path

    @property
    def kept(self) -> bool:
        """Whether it stays."""
        return self._value.is_kept

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it stays."""
        return self._value.reasons

    def summary(self) -> dict[str, Any]:
        """Its row in a listing."""
        return {
            "experiment": self._value.experiment,
            "run": self._value.run,
            "step": self.step,
            "size": self.size,
            "kept": self.kept,
            "why": "; ".join(self.reasons),
        }


class CleanUp(Listing[CheckpointFate]):
    """The checkpoints of a project, each with what becomes of it."""

    def __init__(
        self,
        found: Sequence[CheckpointFate],
        *,
        dry_run: bool,
        other_files: int = 0,
        frees_other_files: bool = False,
    ) -> None:
        super().__init__("checkpoint", found)
        self.dry_run = dry_run
        #: Bytes that ended trainings have left in their runs' folders beside checkpoints and log.
        self.other_files = other_files
        self._frees_other_files = frees_other_files

    @property
    def freed(self) -> int:
        """Bytes that are freed, or would be."""
        return sum(each.size for each in self if not each.kept)

    def __repr__(self) -> str:
        gone = [each for each in self if not each.kept]
        if not self.dry_run:
            return f"Freed {len(gone)} of {len(self)} checkpoints, {self.freed:,} bytes.{self._beside}"
        summary = (
            f"Would free {len(gone)} of {len(self)} checkpoints, {self.freed:,} bytes; nothing was deleted."
        )
        return f"{summary} project.gc(dry_run=False) does it.{self._beside}"

    @property
    def _beside(self) -> str:
        """Return the sentence about what is beside the checkpoints."""
        if not self.other_files:
            return ""
        if self._frees_other_files:
            verb = "Would free" if self.dry_run else "Freed"
            return f" {verb} {self.other_files:,} bytes that trainings have left beside their checkpoints."
        told = f" Trainings have left {self.other_files:,} bytes beside their checkpoints"
        return f"{told}: project.gc(other_files=True, dry_run=False) frees them."
