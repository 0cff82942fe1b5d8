"""The callback that reports, saves and stops a training of any `transformers.Trainer`."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_widgets.algorithms.context import StopTraining, TrainContext
from pipeline_widgets.domain.handover import Handover
from pipeline_widgets.errors import CheckpointError
from pipeline_widgets.trainers.trl import models
from pipeline_widgets.trainers.trl.evaluation import Evaluate, RowEvaluation, score_with
from pipeline_widgets.trainers.trl.samples import show_answers

if TYPE_CHECKING:

    class TrainerCallback:
        """Stands for the class of transformers, which is not there where types are checked."""

else:
    from transformers import TrainerCallback

EVALUATIONS = 4  # of a run, where nobody says more
#: What is no part of a model folder among what a Trainer saves.
_STATE = (
    "optimizer.*",
    "scheduler.*",
    "scaler.*",
    "rng_state*",
    "trainer_state.json",
    "adapter_*",
    "README.md",
)
#: What opening would run code of, and nothing needs.
_DROPPED = ("training_args.bin", "README.md")


class Callback(TrainerCallback):
    """Report to a run, save its checkpoints and heed a stop, in any `transformers.Trainer(callbacks=[...])`.

    Every `every` updates, and at the end, it scores the model, reports that, and saves a checkpoint with all
    that a resumed run needs. A stop saves what there is and ends the training after the update at hand. It
    decides when to save and what is best: `save_strategy` and `load_best_model_at_end` have no effect, since
    a best adapter that the library loads again may be another one than that was scored (transformers#24103).
    What the library writes goes into the run's own folder, whatever `output_dir` says.

    Args:
        ctx: What the train function got.
        evaluate: Called with model and tokenizer: a score, a score with its standard error, or scores of
        rows. every: Updates between two checkpoints; 0 saves four times a run.
        handover: What to do where a start checkpoint does not score what it scored when it was saved.
    """

    def __init__(
        self,
        ctx: TrainContext,
        *,
        evaluate: Evaluate | None = None,
        every: int = 0,
        handover: Handover = "check",
    ) -> None:
        self._ctx = ctx
        self._evaluate = evaluate
        self._every = every
        self._handover: Handover = handover
        self._total: int | None = None
        self._saved: int | None = None
        self._stopping = False

    def on_init_end(self, args: Any, *_: Any, **__: Any) -> None:
        """Take over when to save, and where to."""
        empty = Path(args.output_dir)
        args.output_dir = str(models.scratch_folder(self._ctx))
        args.save_strategy, args.save_total_limit, args.load_best_model_at_end = "no", None, False
        args.save_only_model, args.push_to_hub = False, False
        with suppress(OSError):  # the library has made it, and it is not empty where it was there before
            empty.rmdir()

    def on_train_begin(self, args: Any, state: Any, *_: Any, **kept: Any) -> None:
        """Check that a resumed run goes on where it was, and that a start is what it was."""
        self._total = state.max_steps
        self._every = self._every or max(1, state.max_steps // EVALUATIONS)
        rounds = int(getattr(args, "num_iterations", 1)) * int(
            (getattr(args, "steps_per_generation", None) or 1) / args.gradient_accumulation_steps
        )
        # The answers of a round are not saved: a checkpoint between two rounds goes on exactly.
        self._every = -(-self._every // max(rounds, 1)) * max(rounds, 1)
        start = self._ctx.start
        if start is not None and start.role == "resume" and state.global_step != start.step:
            why = (
                f"The trainer begins at step {state.global_step}, and the checkpoint is of step {start.step}."
            )
            fix = "Write trainer.train(resume_from_checkpoint=trl.resume(ctx))."
            raise CheckpointError("A run that is resumed would start over.", why, fix)
        if self._evaluate is not None and self._handover != "off" and self._ctx.can_check_handover:
            score, spread = score_with(self._evaluate, kept["model"], kept["processing_class"])
            self._ctx.check_handover(score, spread, mode=self._handover)

    def on_log(
        self, _args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any
    ) -> None:
        """Report what the library logs, as far as it is numbers."""
        numbers = {
            name: number for name, value in (logs or {}).items() if (number := _number(value)) is not None
        }
        self._report(control, state.global_step, numbers)

    def on_step_end(self, _args: Any, state: Any, control: Any, **_: Any) -> None:
        """Decide whether to save, and stop where that was asked for."""
        step = state.global_step
        if self._ctx.should_stop:
            self._stop(control)
        elif step % self._every == 0 or step == state.max_steps:
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **kept: Any) -> None:
        """Score what was just saved, and publish it as a checkpoint."""
        step = state.global_step
        written = Path(args.output_dir) / f"checkpoint-{step}"
        if self._saved == step or not state.is_world_process_zero:
            shutil.rmtree(written, ignore_errors=True)
            return
        model, tokenizer = kept["model"], kept["processing_class"]
        if self._evaluate is not None and not self._stopping:  # a stop has little time
            score, spread = score_with(self._evaluate, model, tokenizer)
            scores = {"evaluation_score": score} | ({} if spread is None else {"evaluation_spread": spread})
            self._report(control, step, scores)
            if isinstance(self._evaluate, RowEvaluation):
                show_answers(self._ctx, step, model, tokenizer, self._evaluate.rows)
        began = models.started(self._ctx)
        prepared = Path(args.output_dir) / f"prepared-{step}"
        prepared.mkdir()
        found = prepare(prepared, written, model, tokenizer, began, reference=_needs_reference(args))
        with self._ctx.checkpoint(step, signature=found) as folder:
            models.move_into(prepared, folder)
        self._saved = step

    def on_train_end(self, args: Any, *_: Any, **__: Any) -> None:
        """Remove what the library has written elsewhere, and tell that the run was stopped."""
        shutil.rmtree(args.output_dir, ignore_errors=True)
        if self._stopping:
            raise StopTraining

    def _report(self, control: Any, step: int, metrics: Mapping[str, float]) -> None:
        try:
            self._ctx.report(step, metrics, total=self._total)
        except StopTraining:
            self._stop(control)

    def _stop(self, control: Any) -> None:
        """End after this update, with a checkpoint."""
        self._stopping = True
        control.should_training_stop = control.should_save = True


def prepare(
    folder: Path, written: Path, model: Any, tokenizer: Any, began: models.Started | None, *, reference: bool
) -> dict[str, Any]:
    """Make the content of a checkpoint of what a Trainer has saved, and return its facets.

    Args:
        folder: An empty folder beside what was saved.
        written: The folder `checkpoint-N` of the Trainer; it is moved.
        model: The model in training.
        tokenizer: Its tokenizer.
        began: What `start` has begun the run with; None where the train function loads models itself.
        reference: Whether a resumed run needs the model at the start of the stage.
    """
    state = folder / models.TRAINER
    written.rename(state)
    for pattern in _DROPPED:
        for file in state.glob(pattern):
            file.unlink()
    if models.base_of(model) is model:
        place = folder / models.MODEL
        place.mkdir()
        for file in state.iterdir():
            if file.is_file() and not any(file.match(pattern) for pattern in _STATE):
                os.link(file, place / file.name)  # one file under two names: nothing is copied
        found = models.saved_facets(place)
    else:
        found = models.write(folder / models.MODEL, model, tokenizer)
    if began is None:
        return found
    if reference or began.lora:
        source = folder / models.REFERENCE
        shutil.copytree(began.source, source, ignore=shutil.ignore_patterns(models.ADAPTER, "*.bin"))
        if began.source_adapter is not None:
            (source / models.ADAPTER).mkdir()
            for file in began.source_adapter.glob("adapter_*"):
                shutil.copy(file, source / models.ADAPTER)
    return {**began.facets, **found}


def _needs_reference(args: Any) -> bool:
    """Return whether a trainer has a reference model: DPO always, GRPO where its weight is not 0."""
    return bool(getattr(args, "beta", 0.0))


def _number(value: Any) -> float | None:
    """Return a logged value as a number; None for anything else."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) or isinstance(value, float) else None
