"""Drives AgileRL's LocalTrainer by generations, so that reports, checkpoints and stops get through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline_widgets.algorithms.context import StopTraining, TrainContext
from pipeline_widgets.domain.handover import Handover
from pipeline_widgets.trainers import generators
from pipeline_widgets.trainers.agilerl import agents, checkpoint_files
from pipeline_widgets.trainers.episodes import Score, play, to_score
from pipeline_widgets.trainers.torch_threads import use_one_thread_if_small

# The library's own defaults, which it applies where a spec leaves them out.
_EPSILON = {"eps_start": 1.0, "eps_end": 0.1, "eps_decay": 0.995}


def train(
    ctx: TrainContext,
    trainer: Any,
    *,
    evaluate: str | Callable[[], Any] | None = None,
    episodes: int = 20,
    every: int = 1,
    handover: Handover = "check",
) -> None:
    """Train with a LocalTrainer: `agilerl.train(ctx, lambda: LocalTrainer("PPO", "CartPole-v1", ...))`.

    From a start checkpoint all agents of the population get the weights and the statistics of its agent, and
    new optimizers; a resumed run gets the population as it was, with exploration, replay memory and
    generators. Python, numpy, torch, mutation and the environments are seeded with the seed of the run.
    A stop is heeded at the next step of the environments.

    Args:
        ctx: What the train function got.
        trainer: A function that makes the trainer, after the seed was set; or a trainer.
        evaluate: Where greedy episodes are played: a registered id, or a function that makes an
            environment. None takes the id of the trainer's environment.
        episodes: How many, the same ones in each evaluation.
        every: Generations (`evo_steps` of the TrainingSpec) between evaluations, with a checkpoint each.
        handover: What happens if the start checkpoint scores otherwise than when it was saved.

    Raises:
        CheckpointError: The start checkpoint is of another algorithm, space, normalization or population.
    """
    generators.seed_all(ctx.seed)
    made: Any = trainer if hasattr(trainer, "population") else trainer()
    use_one_thread_if_small(made.population[0].actor)
    _Training(ctx, made, evaluate or made.env_spec.name, episodes, every).run(handover)


class _Training:
    """One run of a trainer."""

    def __init__(
        self, ctx: TrainContext, trainer: Any, make_env: str | Callable[[], Any], episodes: int, every: int
    ) -> None:
        self.ctx, self.trainer, self.every = ctx, trainer, every
        self.make_env, self.episodes = make_env, episodes
        self.total: int = trainer.training_spec.max_steps
        self.selection, trainer.selection_strategy = trainer.selection_strategy, None
        trainer.env = watched(trainer.env, ctx)
        trainer.env.reset(seed=generators.derived(ctx.seed, ctx.start_step))
        if trainer.mutations is not None:
            trainer.mutations.rng = np.random.default_rng(ctx.seed)
        self._seed_networks()
        self.explores = trainer.memory is not None and type(trainer.algorithm_spec).__name__.startswith("DQN")
        if self.explores:
            for name, value in _EPSILON.items():
                if getattr(trainer.training_spec, name) is None:
                    setattr(trainer.training_spec, name, value)

    @property
    def step(self) -> int:
        """Steps that the agents have done, as the library counts them: of one agent."""
        return max(int(agent.steps) for agent in self.trainer.population)

    def run(self, handover: Handover) -> None:
        """Train to the total."""
        self._start(handover)
        generation = 0
        saved_at: int | None = None
        while self.step < self.total:
            fitness = self._advance()
            generation += 1
            done = self.step >= self.total
            best = int(np.argmax(fitness))
            metrics = {"training_score": fitness[best], **self._metrics(fitness)}
            if generation % self.every and not done:
                self.ctx.report(self.step, metrics, total=self.total)
                self._evolve()
                continue
            self._evaluate_and_save(best, metrics)
            saved_at = self.step
        if saved_at is None:  # resumed when nothing was left to do: the run has a checkpoint nevertheless
            self._evaluate_and_save(0, {})
        self.trainer.close()

    def _start(self, handover: Handover) -> None:
        trainer, start = self.trainer, self.ctx.start
        if start is None:
            if trainer.mutations is not None:
                trainer.population = trainer.mutations.mutation(trainer.population, pre_training_mut=True)
                self._relink()
        else:
            facts = checkpoint_files.read_facts(start.path)
            checkpoint_files.check_fit(facts, trainer.population[0])
            content = checkpoint_files.read(start.path / checkpoint_files.AGENT)
            statistics = checkpoint_files.statistics_in(content)
            for agent in trainer.population:
                path = start.path / checkpoint_files.AGENT
                agents.load_weights(agent, path, _copy(statistics))
            if handover != "off" and self.ctx.can_check_handover:
                score = self._score(trainer.population[0])
                self.ctx.check_handover(score.value, score.spread, mode=handover)
                step = self.ctx.start_step
                self.ctx.report(step, evaluation_score=score.value, evaluation_spread=score.spread)
            if start.role == "resume":
                self._resume()
            self._seed_networks()
        if trainer.mutations is not None:  # `train()` would mutate before each chunk, as before a training
            trainer.mutations.pretraining_mut_options = [trainer.mutations.no_mutation]
            trainer.mutations.pretraining_mut_proba = [1.0]

    def _resume(self) -> None:
        trainer, start = self.trainer, self.ctx.start
        if start is None:
            return
        state = checkpoint_files.read_training(start.path, len(trainer.population))
        for index, agent in enumerate(trainer.population):
            path = start.path / f"population_{index}.pt"
            agents.load_training(agent, path, checkpoint_files.statistics_in(checkpoint_files.read(path)))
        if self.explores and state["epsilon"] is not None:
            trainer.training_spec.eps_start = state["epsilon"]
        if trainer.memory is not None:
            count = checkpoint_files.restore_memory(trainer.memory, start.path)
            words = (
                f"The replay memory holds {count:,} transitions." if count else "The replay memory is empty."
            )
            self.ctx.log(f"Resumed at step {self.step:,}. {words}")
        others = {} if trainer.mutations is None else {"mutations": trainer.mutations.rng}
        generators.restore(state["generators"], **others)

    def _seed_networks(self) -> None:
        """Seed the generators by which networks choose their mutations; loading makes new ones."""
        for index, agent in enumerate(self.trainer.population):
            networks = agents.unwrapped(agent).evolvable_attributes(networks_only=True)
            for number, network in enumerate(networks.values()):
                seed = np.random.SeedSequence([self.ctx.seed, self.ctx.start_step, index, number])
                network.rng = np.random.default_rng(seed)

    def _advance(self) -> list[float]:
        """Train for a generation, and return the fitness of each agent."""
        spec = self.trainer.training_spec
        steps = spec.evo_steps or self.trainer.algorithm_spec.default_evo_steps
        spec.max_steps = min(self.total, self.step + steps)
        try:
            _, fitness = self.trainer.train(verbose=False)
        except StopTraining:
            self.ctx.log(f"Stopped at step {self.step:,}: the generation under way is not kept.")
            raise
        if self.explores:  # the library begins each call with `eps_start`
            count = steps // self.trainer.env.num_envs
            spec.eps_start = max(spec.eps_end, spec.eps_start * spec.eps_decay**count)
        return [float(each) for each in fitness]

    def _evaluate_and_save(self, best: int, metrics: dict[str, float]) -> None:
        agent = self.trainer.population[best]
        score = self._score(agent)
        packed = checkpoint_files.pack(agent)
        step = self.step
        scores = {"evaluation_score": score.value, "evaluation_spread": score.spread}
        stopped = False
        try:
            self.ctx.report(step, {**metrics, **scores}, total=self.total)
        except StopTraining:
            stopped = True
        if step < self.total:
            self._evolve()
        others = {} if self.trainer.mutations is None else {"mutations": self.trainer.mutations.rng}
        state = {
            "epsilon": self.trainer.training_spec.eps_start if self.explores else None,
            "generators": generators.capture(**others),
        }
        facets = checkpoint_files.describe(agent)
        with self.ctx.checkpoint(step, signature=facets) as folder:
            checkpoint_files.save(folder, packed, self.trainer, state, step)
        if stopped:
            raise StopTraining

    def _evolve(self) -> None:
        """Select and mutate, as `train()` does after a generation."""
        if self.selection is None or self.trainer.mutations is None:
            return
        from agilerl.utils.utils import run_selection_and_mutation

        self.trainer.population = run_selection_and_mutation(
            self.selection,
            population=self.trainer.population,
            mutation=self.trainer.mutations,
            env_name=self.trainer.env_spec.name,
        )
        self._relink()

    def _relink(self) -> None:
        for agent in self.trainer.population:
            agents.relink_statistics(agent)

    def _score(self, agent: Any) -> Score:
        act = agents.greedy(agent)
        return to_score(play(self.make_env, act, self.episodes, watch=lambda: watch(self.ctx)))

    def _metrics(self, fitness: list[float]) -> dict[str, float]:
        found: dict[str, float] = {}
        if len(fitness) > 1:
            found["population_mean"] = float(np.mean(fitness))
        if self.explores:
            found["exploration"] = float(self.trainer.training_spec.eps_start)
        return found


def watch(ctx: TrainContext) -> None:
    """Raise StopTraining once a stop was asked for."""
    if ctx.should_stop:
        raise StopTraining


def watched(env: Any, ctx: TrainContext) -> Any:
    """Return environments that look for a stop at each step.

    Args:
        env: A VectorEnv of Gymnasium.
        ctx: What the train function got.
    """
    from gymnasium.vector import VectorWrapper

    class Watched(VectorWrapper):
        """The library has no callback and no other place where a stop could be seen."""

        def step(self, actions: Any) -> Any:
            """Step, unless a stop was asked for."""
            watch(ctx)
            return self.env.step(actions)

        def close(self, **_: Any) -> None:
            """Stay open: the library closes its environments after each generation."""

    return Watched(env)


def _copy(statistics: Any) -> Any:
    import copy

    return copy.deepcopy(statistics)
