"""The messages between a supervisor and its worker; plain values that can be pickled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.code_record import CodeRecord
from pipeline_widgets.domain.compatibility import STOP_WITHIN
from pipeline_widgets.domain.failure import Failure
from pipeline_widgets.domain.run import RunKind, Status
from pipeline_widgets.domain.run_record import RunCode

if TYPE_CHECKING:
    from pipeline_widgets.domain.evaluator import EvaluatorSpec
    from pipeline_widgets.domain.shown_item import ItemKind, Sample


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedFolder:
    """A published folder."""

    path: Path
    #: Bytes of all files.
    size: int
    #: SHA-256 over the relative names and the bytes of all files; the same content has the same digest.
    digest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FreezeRequest:
    """Copy the best checkpoint below `parent`, for an agent, once the work is done."""

    parent: str
    #: None for a Deployment, which has its checkpoint already.
    name: str | None = None
    higher_is_better: bool = True
    #: Patterns of files that the copy leaves out.
    training_only: tuple[str, ...] = ()
    #: What the runs that this one resumes had saved.
    inherited: tuple[Checkpoint, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreTarget:
    """A checkpoint that an evaluator is to score."""

    checkpoint: Checkpoint
    #: How a sentence names it, as in "step 600 of run 2 of 'sft'".
    label: str
    #: The algorithm that made it, whose `predict` opens it; None in the job that has trained it.
    reference: AlgorithmReference | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreRequest:
    """Score checkpoints by an evaluator: those of an evaluation, or of a training once that has returned."""

    spec: EvaluatorSpec
    reference: AlgorithmReference
    targets: tuple[ScoreTarget, ...] = ()
    #: The scores that it has given before, by the id of the checkpoint.
    known: Mapping[int, float] = field(default_factory=dict[int, float])


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A run, as the process that carries it out needs it."""

    run_id: int
    project_id: int
    kind: RunKind
    #: Proves that its holder may write; another holder makes it worthless.
    token: str
    #: The run's own folder.
    folder: str
    #: The URL below which artifacts are kept; None where they are in the folder alone.
    remote: str | None = None
    reference: AlgorithmReference | None = None
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    seed: int = 0
    signature: Mapping[str, Any] = field(default_factory=dict[str, Any])
    start: Checkpoint | None = None
    start_role: str | None = None
    #: Folders outside of the workspace that it may read.
    adopted: frozenset[str] = frozenset()
    freeze: FreezeRequest | None = None
    scoring: ScoreRequest | None = None
    #: Where it was triggered, and which code it is expected to have.
    code: RunCode = field(default_factory=RunCode)
    #: Seconds without progress of a save after which it is ended when it was asked to stop.
    stop_within: float = STOP_WITHIN
    #: Where it was launched; None on the machine itself.
    launcher: str | None = None
    #: The GPUs that it was given, counted from 0; None where the workspace does not limit GPUs.
    gpus: tuple[int, ...] | None = None
    #: Whether its success will start the next stage.
    starts_next_stage: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricReport:
    """The train function has come to `step`, and these are its metrics."""

    step: int
    total: int | None
    metrics: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedCheckpoint:
    """A checkpoint folder was published. A second one for the same step replaces the first."""

    step: int
    folder: PublishedFolder
    training_score: float | None
    evaluation_score: float | None
    signature: Mapping[str, Any]
    evaluation_spread: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ShowReport:
    """The train function has shown samples, an image or a video; a file was published before."""

    step: int
    kind: ItemKind
    caption: str
    prompt: str | None
    seed: int | None
    samples: tuple[Sample, ...] = ()
    #: The folder of an image or a video, with what is known of the file in it.
    folder: PublishedFolder | None = None
    media_type: str | None = None
    width: int | None = None
    height: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreReport:
    """An evaluator has scored a checkpoint."""

    #: The id of the checkpoint; None for what the same run has saved at that step.
    checkpoint_id: int | None
    step: int
    evaluator: str
    value: float
    spread: float
    metrics: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedCode:
    """The code that the process of a run has loaded."""

    record: CodeRecord


#: What a worker tells its supervisor while it works.
Report: TypeAlias = MetricReport | SavedCheckpoint | ShowReport | ScoreReport | LoadedCode


@dataclass(frozen=True, kw_only=True, slots=True)
class FrozenCopy:
    """A copy was made for an agent of that name, of the checkpoint at `step`."""

    name: str
    step: int
    #: Of the checkpoint.
    digest: str
    path: str
    #: Of the copy, which may leave out files; None where it is the whole checkpoint.
    copy_digest: str | None = None
    copy_size: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The end of a run."""

    status: Status
    error: str | None = None
    #: Of an error that the code has raised.
    failure: Failure | None = None
    frozen: FrozenCopy | None = None
