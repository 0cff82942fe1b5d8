"""Callbacks of training libraries that report to the run. The libraries are imported when one is made."""

from __future__ import annotations

import importlib
import numbers
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline_widgets.client.script_run import ScriptRun, run
from pipeline_widgets.domain.training import StopTraining


def hf_callback(*, score: str | None = None, to: ScriptRun = run) -> Any:
    """Return a callback for `transformers.Trainer(callbacks=[...])` and all trainers that derive from it.

    It reports what the trainer logs, publishes what it saves, and ends the training when a stop was asked
    for, at the same step on all ranks, with a last checkpoint. Where the trainer has saved nothing
    (`save_strategy="no"`), the model is saved when the training ends. A checkpoint is a copy of the
    trainer's own: `save_total_limit=1` keeps `output_dir` small.

    Args:
        score: The metric that is the evaluation score, such as "eval_accuracy"; by default "eval_loss",
            for which the algorithm has to be declared with `score="min"`.
        to: The run to report to.

    Raises:
        ImportError: transformers is not installed.
    """
    base: Any = importlib.import_module("transformers").TrainerCallback
    return type("RunCallback", (_HfCallback, base), {})(score or "eval_loss", to)


def lightning_callback(*, score: str | None = None, to: ScriptRun = run) -> Any:
    """Return a callback for `lightning.Trainer(callbacks=[...])`, also where it is pytorch_lightning.

    It reports what is logged, saves a checkpoint after every validation and at the end, and ends the
    training when a stop was asked for.

    Args:
        score: The metric that is the evaluation score, such as "val_accuracy"; by default "val_loss", for
            which the algorithm has to be declared with `score="min"`.
        to: The run to report to.

    Raises:
        ImportError: Neither lightning nor pytorch_lightning is installed.
    """
    try:
        base: Any = importlib.import_module("lightning.pytorch").Callback
    except ImportError:
        base = importlib.import_module("pytorch_lightning").Callback
    return type("RunCallback", (_LightningCallback, base), {})(score or "val_loss", to)


class _HfCallback:
    def __init__(self, score: str, to: ScriptRun) -> None:
        super().__init__()
        self._score, self._run = score, to
        self._saved: int | None = None

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Report what the trainer logs."""
        del args, control
        self._report(state, _numbers(logs or {}))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """End the training when a stop was asked for, once its state is saved."""
        del args, state
        if _any_rank(self._run.should_stop):
            control.should_training_stop = True
            control.should_save = True
        return control

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Publish what the trainer has saved."""
        del control
        source = Path(args.output_dir, f"checkpoint-{state.global_step}")
        if state.is_world_process_zero and source.is_dir():
            with self._run.checkpoint(state.global_step) as folder:
                shutil.copytree(source, folder, dirs_exist_ok=True)
            self._saved = state.global_step

    def on_train_end(
        self, args: Any, state: Any, control: Any, model: Any = None, processing_class: Any = None, **_: Any
    ) -> None:
        """Save the model where the trainer has saved nothing of its last step."""
        del args, control
        if self._saved == state.global_step or not state.is_world_process_zero or model is None:
            return
        with self._run.checkpoint(state.global_step) as folder:
            getattr(model, "module", model).save_pretrained(folder)
            if processing_class is not None:
                processing_class.save_pretrained(folder)

    def _report(self, state: Any, told: dict[str, float]) -> None:
        if not state.is_world_process_zero:
            return
        total = state.max_steps if state.max_steps > 0 else None
        scores = {"evaluation_score": told[self._score]} if self._score in told else {}
        _report_despite_stop(self._run, state.global_step, told, total, scores)


class _LightningCallback:
    def __init__(self, score: str, to: ScriptRun) -> None:
        super().__init__()
        self._score, self._run = score, to
        self._saved: int | None = None

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        """Report what was logged, and end the training when a stop was asked for."""
        if trainer.global_step % max(1, trainer.log_every_n_steps) == 0:
            self._report(trainer, scored=False)
        if _any_rank(self._run.should_stop):
            trainer.should_stop = True

    def on_validation_end(self, trainer: Any, *_: Any) -> None:
        """Report the score, and save."""
        if not trainer.sanity_checking:
            self._report(trainer, scored=True)
            self._save(trainer)

    def on_train_end(self, trainer: Any, *_: Any) -> None:
        """Save what the last validation has not."""
        self._save(trainer)

    def _save(self, trainer: Any) -> None:
        if self._saved == trainer.global_step:
            return
        with self._run.checkpoint(trainer.global_step) as folder:  # on all ranks: some strategies need them
            trainer.save_checkpoint(folder / "model.ckpt")
        self._saved = trainer.global_step

    def _report(self, trainer: Any, *, scored: bool) -> None:
        told = _numbers(trainer.callback_metrics)
        known = scored and self._score in told
        scores = {"evaluation_score": told[self._score]} if known else {}
        if told:
            total = trainer.max_steps if trainer.max_steps > 0 else None
            _report_despite_stop(self._run, trainer.global_step, told, total, scores)


def _report_despite_stop(
    to: ScriptRun, step: int, told: dict[str, float], total: int | None, scores: dict[str, float]
) -> None:
    """Report; a stop is heeded between two steps, where the library can save."""
    try:
        to.report(step, told, total=total, **scores)
    except StopTraining:
        return


def _numbers(logs: Mapping[str, Any]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in logs.items():
        number = value.item() if getattr(value, "ndim", None) == 0 else value
        if isinstance(number, numbers.Real):
            found[str(name)] = float(number)
    return found


def _any_rank(flag: bool) -> bool:  # noqa: FBT001  it is the value itself
    """Return whether any rank has seen a stop, so that all end at the same step."""
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return flag
    dist = torch.distributed
    if not (dist.is_available() and dist.is_initialized()):
        return flag
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    shared = torch.tensor(int(flag), device=device)
    dist.all_reduce(shared, op=dist.ReduceOp.MAX)
    return bool(shared.item())
