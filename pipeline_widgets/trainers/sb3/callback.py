"""The callback that connects `model.learn()` with a run."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from pipeline_widgets.algorithms.context import StopTraining, TrainContext
from pipeline_widgets.domain.handover import Handover
from pipeline_widgets.errors import ConfigError, format_value
from pipeline_widgets.trainers.episodes import Score
from pipeline_widgets.trainers.gymnasium_spaces import describe_spaces
from pipeline_widgets.trainers.sb3 import checkpoint_files, starting, training_state
from pipeline_widgets.trainers.sb3.evaluation import Evaluation
from pipeline_widgets.trainers.torch_threads import use_one_thread_if_small

_REPORTS = 10  # reports between two evaluations
_SILENT = ("time/",)  # what the library logs and a run knows already


_Base: Any = BaseCallback  # it has no types that a checker finds


class Callback(_Base):
    """Reports, evaluates, saves and stops: `model.learn(total, callback=sb3.Callback(ctx, every=4096))`.

    Before the first step, a start checkpoint is scored and compared with the score that it was saved with.
    After each `every` steps, at the end of a rollout and of the update that follows, the model is evaluated
    and saved with the statistics of its VecNormalize, both at the same step. A stop saves what there is and
    ends `learn()`. When a run is resumed, `learn(total)` goes on to the total: counters and generators are
    restored, and so are the schedules.

    Args:
        ctx: What the train function got.
        every: Steps between evaluations, with a checkpoint each.
        evaluate: A function of the model that returns its score, or a score and its standard error; or an
            environment in which 20 greedy episodes are played. None evaluates nothing.
        handover: What happens if the start checkpoint scores otherwise than when it was saved.
    """

    def __init__(
        self,
        ctx: TrainContext,
        *,
        every: int = 10_000,
        evaluate: Any = None,
        handover: Handover = "check",
    ) -> None:
        super().__init__()
        self._ctx, self._every = ctx, every
        self._handover: Handover = handover
        self._evaluate: Any = _as_function(evaluate)
        self._has_begun = False
        self._saved_at: int | None = None
        self._total: int | None = None
        self._next_save = self._next_report = 0

    def _on_training_start(self) -> None:
        self._total = self.locals.get("total_timesteps")
        if not self._has_begun:  # `learn` may be called several times
            self._has_begun = True
            use_one_thread_if_small(self.model.policy)
            self._begin()
        self.num_timesteps = self.model.num_timesteps
        self._plan()

    def _begin(self) -> None:
        start = self._ctx.start
        if start is None:
            return
        statistics = self.model.get_vec_normalize_env()
        saved = checkpoint_files.read_statistics(start.path) if statistics is not None else None
        if saved is not None:  # `learn` has reset the environments, from which they have learned
            starting.restore_statistics(statistics, saved)
        if self._evaluate is not None and self._handover != "off" and self._ctx.can_check_handover:
            score = self._score()
            self._ctx.check_handover(score.value, score.spread, mode=self._handover)
            step = self._ctx.start_step
            self._ctx.report(step, evaluation_score=score.value, evaluation_spread=score.spread)
        if start.role == "resume":
            state = training_state.read(start.path)
            training_state.restore_counters(self.model, state)
            training_state.restore_generators(self.model, state)
            self.model._num_timesteps_at_start = self.model.num_timesteps  # noqa: SLF001  for its frames per second

    def _plan(self) -> None:
        self._next_save = (self.num_timesteps // self._every + 1) * self._every
        self._next_report = self.num_timesteps + self._stride

    @property
    def _stride(self) -> int:
        return max(1, self._every // _REPORTS)

    def _on_step(self) -> bool:
        if self._ctx.should_stop:
            self._save_what_there_is()
            raise StopTraining
        if self.num_timesteps >= self._next_report:
            self._next_report = self.num_timesteps + self._stride
            self._report()
        return True

    def _on_rollout_start(self) -> None:
        if self.model.num_timesteps >= self._next_save:
            self.num_timesteps = self.model.num_timesteps
            self._evaluate_and_save()

    def _on_training_end(self) -> None:
        self.num_timesteps = self.model.num_timesteps
        if self.num_timesteps != self._saved_at:
            self._evaluate_and_save()

    def _evaluate_and_save(self) -> None:
        scores: dict[str, float] = {}
        if self._evaluate is not None:
            try:
                score = self._score()
            except StopTraining:
                self._save_what_there_is()
                raise
            scores = {"evaluation_score": score.value, "evaluation_spread": score.spread}
        self._report(**scores)
        self._save()
        if isinstance(self._evaluate, Evaluation):
            self._evaluate.show(self._ctx, self.num_timesteps, self.model)
        self._plan()

    def _report(self, **scores: float) -> None:
        try:
            self._ctx.report(self.num_timesteps, self._metrics(), total=self._total, **scores)
        except StopTraining:
            self._save_what_there_is()
            raise

    def _save_what_there_is(self) -> None:
        if self.num_timesteps != self._saved_at:
            self._save()

    def _metrics(self) -> dict[str, float]:
        """Return what the library has logged lately, and the mean return of the last episodes of training."""
        logged = {
            name: float(value)
            for name, value in self.model.logger.name_to_value.items()
            if isinstance(value, Real) and not name.startswith(_SILENT)
        }
        episodes = self.model.ep_info_buffer
        if episodes:
            logged["training_score"] = float(np.mean([each["r"] for each in episodes]))
        return logged

    def _save(self) -> None:
        spaces = _spaces_of(self.model)
        with self._ctx.checkpoint(self.num_timesteps, signature=spaces) as folder:
            checkpoint_files.save(self.model, folder)
        self._saved_at = self.num_timesteps

    def _score(self) -> Score:
        made = self._evaluate(self.model, self._watch) if isinstance(self._evaluate, Evaluation) else None
        made = self._evaluate(self.model) if made is None else made
        return _as_score(made)

    def _watch(self) -> None:
        if self._ctx.should_stop:
            raise StopTraining


def _as_function(evaluate: Any) -> Callable[[Any], Any] | None:
    """Return what scores a model."""
    if evaluate is None or isinstance(evaluate, Evaluation):
        return evaluate
    if hasattr(evaluate, "action_space"):  # an environment, or several
        return Evaluation(evaluate)
    if not callable(evaluate):
        fix = "Pass a function of the model, sb3.Evaluation(make_env), or an environment."
        raise ConfigError(f"{format_value(evaluate)} cannot evaluate a model.", fix=fix)
    return evaluate


def _as_score(made: Any) -> Score:
    if isinstance(made, tuple):
        value, spread = made
        return Score(float(value), float(spread))
    return Score(float(made), 0.0)


def _spaces_of(model: Any) -> dict[str, str]:
    """Return the spaces of one environment as it is without wrappers around all of them."""
    environments = model.get_env()
    while hasattr(environments, "venv"):
        environments = environments.venv
    return describe_spaces(environments.observation_space, environments.action_space)
