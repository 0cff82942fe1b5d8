"""The traps of AgileRL, a test for each row: the recipe that users write first, which falls in, and ours."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from agilerl.arena.models.registry import MANIFEST_REGISTRY
from agilerl.models import ReplayBufferSpec, TrainingSpec
from agilerl.models.env import GymEnvSpec
from agilerl.training.trainer import LocalTrainer
from agilerl.wrappers.agent import RSNorm
from direct_runs import DirectRun, context, start_from, train

from pipeline_widgets.algorithms.context import StopTraining
from pipeline_widgets.errors import CheckpointError
from pipeline_widgets.trainers import agilerl
from pipeline_widgets.trainers.agilerl import agents, checkpoint_files
from pipeline_widgets.trainers.agilerl.algorithms import agilerl_dqn, agilerl_ppo
from pipeline_widgets.trainers.episodes import play

COMMON = {"evaluation_episodes": 5, "fitness_episodes": 1, "device": "cpu", "num_envs": 4}
PPO_CONFIG = {**COMMON, "steps": 6_144, "evo_steps": 2_048, "learn_step": 512, "normalize_observations": True}
DQN_CONFIG = {**COMMON, "steps": 800, "evo_steps": 400, "learning_delay": 100, "eps_decay": 0.99}


def local_trainer(method: str = "PPO", env_id: str = "CartPole-v1", steps: int = 512, **options: Any) -> Any:
    """Return a trainer as the library's documentation makes it."""
    arguments = {"learn_step": 256, "batch_size": 64, "lr": 1e-3} if method == "PPO" else {"batch_size": 32}
    evo_steps = min(steps, 512)
    spec = TrainingSpec(
        max_steps=steps, evo_steps=evo_steps, pop_size=options.pop("pop_size", 1), eps_decay=0.99
    )
    return LocalTrainer(
        MANIFEST_REGISTRY.create(method, **arguments),
        GymEnvSpec(name=env_id, num_envs=4, sync=True),
        training=spec,
        replay_buffer=ReplayBufferSpec(max_size=10_000) if method == "DQN" else None,
        **options,
    )


def weights(agent: Any) -> dict[str, Any]:
    """Return a copy of the weights of an actor."""
    return {name: value.clone() for name, value in agents.unwrapped(agent).actor.state_dict().items()}


def equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether all weights are the same."""
    return all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.fixture(scope="module")
def ppo_run(tmp_path_factory: pytest.TempPathFactory) -> DirectRun:
    """A run of PPO with normalization."""
    return train(agilerl_ppo, PPO_CONFIG, tmp_path_factory.mktemp("ppo"))


@pytest.fixture(scope="module")
def dqn_run(tmp_path_factory: pytest.TempPathFactory) -> DirectRun:
    """A run of DQN."""
    return train(agilerl_dqn, DQN_CONFIG, tmp_path_factory.mktemp("dqn"))


@pytest.mark.spec("7.5")
def test_trap_agilerl_1_load_checkpoint_takes_the_optimizer_along(tmp_path: Path) -> None:
    """Plain: load_checkpoint() takes optimizer, steps and step size along; load_weights() learns nothing."""
    # It leaves the optimizer with networks that are gone. Ours starts anew, and learns.
    first = local_trainer()
    first.train(verbose=False)
    path = tmp_path / "agent.pt"
    first.population[0].save_checkpoint(str(path))

    plain = local_trainer(resume_from_checkpoint=str(path)).population[0]
    assert plain.optimizer.optimizer.state
    assert plain.steps == 512
    stuck = local_trainer(load_weights_from=str(path))
    before = weights(stuck.population[0])
    stuck.train(verbose=False)
    assert equal(before, weights(stuck.population[0]))  # 512 steps changed nothing at all

    ours = local_trainer()
    agent = ours.population[0]
    agents.load_weights(agent, path, None)
    assert not agent.optimizer.optimizer.state
    assert agent.steps == 0
    assert equal(before, weights(agent))
    ours.train(verbose=False)
    assert not equal(before, weights(ours.population[0]))


def test_trap_agilerl_1_the_flags_of_language_models_are_always_passed(tmp_path: Path) -> None:
    """Plain: load_checkpoint(path) leaves optimizer and reference to the library. Ours says both."""
    passed: list[dict[str, Any]] = []

    class Algorithm:
        """As `LLMAlgorithm` of the library loads."""

        def load_checkpoint(
            self, _: str, load_optimizer: object = None, overwrite_reference_adapter: object = None
        ) -> None:
            passed.append({"optimizer": load_optimizer, "reference": overwrite_reference_adapter})

        def load_weights(self, _: str, overwrite_reference_adapter: object = None) -> None:
            passed.append({"reference": overwrite_reference_adapter})

        def reinit_optimizers(self) -> None:
            passed.append({"optimizer": "new"})

    agents.load_training(Algorithm(), tmp_path, None)
    agents.load_weights(Algorithm(), tmp_path, None)
    resumed, started = {"optimizer": True, "reference": False}, {"reference": False}
    assert passed == [resumed, started, {"optimizer": "new"}]


@pytest.mark.spec("7.5", "7.6")
def test_trap_agilerl_2_statistics_come_back_only_through_the_wrapper(
    ppo_run: DirectRun, tmp_path: Path
) -> None:
    """Plain: a plain agent ignores RSNorm's statistics, and a wrapped one has them where it does not look."""
    # Ours scores what was saved, also in a clone, and refuses an agent without the wrapper.
    best = ppo_run.best
    path = best.folder.path / "population_0.pt"
    plain = local_trainer().population[0]
    plain.load_checkpoint(str(path))
    assert not hasattr(plain, "obs_rms")
    wrapped = RSNorm(local_trainer().population[0])
    wrapped.load_checkpoint(str(path))
    assert wrapped.obs_rms.count > 1_000
    assert wrapped._single_obs_rms.count < 1
    assert wrapped.clone()._single_obs_rms.count < 1

    kept = checkpoint_files.statistics_in(checkpoint_files.read(path))
    ours = RSNorm(local_trainer().population[0])
    agents.load_weights(ours, best.folder.path / "agent.pt", copy.deepcopy(kept))
    assert ours._single_obs_rms is ours.obs_rms
    assert torch.equal(ours.obs_rms.mean, kept.mean)
    run = train(agilerl_ppo, {**PPO_CONFIG, "steps": 512}, tmp_path, seed=4, start=start_from(best))
    assert (run.reports[0].step, run.metric("evaluation_score")[0]) == (0, best.evaluation_score)
    with pytest.raises(CheckpointError, match="RSNorm"):
        agents.load_weights(local_trainer().population[0], best.folder.path / "agent.pt", kept)


@pytest.mark.spec("7.5")
def test_trap_agilerl_3_equal_seeds_give_equal_runs(tmp_path: Path) -> None:
    """Plain: MutationSpec's seed leaves networks, actions and environments to chance. Ours seeds them all."""
    plain: list[dict[str, Any]] = []
    for _ in range(2):
        trainer = local_trainer(hpo=True, pop_size=2, steps=256)
        assert trainer.mutation_spec.rand_seed == 42
        plain.append(weights(trainer.population[0]))
    assert not equal(*plain)

    config = {
        **PPO_CONFIG,
        "steps": 256,
        "evo_steps": 128,
        "learn_step": 64,
        "evolution": {"population_size": 2},
    }
    runs = [train(agilerl_ppo, config, tmp_path, seed=seed) for seed in (3, 3, 4)]
    scores = [run.metric("evaluation_score") + run.metric("training_score") for run in runs]
    assert scores[0] == scores[1] != scores[2]
    made = [
        checkpoint_files.read(run.final.folder.path / "agent.pt")["network_info"]["modules"] for run in runs
    ]
    states = [each["actor_state_dict"] for each in made]
    assert equal(states[0], states[1])
    assert states[0].keys() != states[2].keys() or not equal(states[0], states[2])


@pytest.mark.spec("7.5", "6.5")
def test_trap_agilerl_4_the_replay_memory_and_the_population_are_rebuilt(
    dqn_run: DirectRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Plain: a resumed trainer has an empty memory, and its agents are one file. Ours has what there was."""
    saved = dqn_run.final
    plain = local_trainer(
        "DQN", resume_from_checkpoint=str(saved.folder.path / "population_0.pt"), pop_size=2
    )
    assert len(plain.memory) == 0
    assert equal(weights(plain.population[0]), weights(plain.population[1]))

    resumed = train(agilerl_dqn, {**DQN_CONFIG, "steps": 1_200}, tmp_path, start=start_from(saved, "resume"))
    assert "The replay memory holds 800 transitions." in capsys.readouterr().out
    kept = torch.load(resumed.final.folder.path / "memory.pt", weights_only=True)
    assert kept["size"] == 1_200
    started = train(agilerl_dqn, {**DQN_CONFIG, "steps": 400}, tmp_path, start=start_from(saved))
    assert torch.load(started.final.folder.path / "memory.pt", weights_only=True)["size"] == 400

    config = {
        **PPO_CONFIG,
        "steps": 512,
        "evo_steps": 256,
        "learn_step": 128,
        "evolution": {"population_size": 3},
    }
    first = train(agilerl_ppo, config, tmp_path)
    files = [first.final.folder.path / f"population_{index}.pt" for index in range(3)]
    indexes = {checkpoint_files.read(file)["index"] for file in files}
    assert len(indexes) == 3
    again = train(agilerl_ppo, {**config, "steps": 768}, tmp_path, start=start_from(first.final, "resume"))
    assert again.reports[0].step == first.final.step < again.final.step
    fewer = {**config, "evolution": {"population_size": 2}}
    with pytest.raises(CheckpointError, match="population of 3, this run one of 2"):
        train(agilerl_ppo, fewer, tmp_path, start=start_from(first.final, "resume"))


@pytest.mark.spec("7.5")
def test_trap_agilerl_4_exploration_starts_over_in_each_chunk(dqn_run: DirectRun, tmp_path: Path) -> None:
    """Plain: train() called in chunks, which is the only way to see reports, explores at random in each."""
    # Ours goes on in the next generation and in a resumed run; a start explores as the config has it.
    plain = local_trainer("DQN", steps=400)
    plain.train(verbose=False)
    assert plain.training_spec.eps_start in {None, 1.0}  # with which the next call begins

    explored = dqn_run.metric("exploration")
    assert explored == pytest.approx([0.99**100, 0.99**200], rel=1e-6)
    resumed = train(
        agilerl_dqn, {**DQN_CONFIG, "steps": 1_200}, tmp_path, start=start_from(dqn_run.final, "resume")
    )
    assert resumed.metric("exploration") == pytest.approx([max(0.05, 0.99**300)], rel=1e-6)
    started = train(agilerl_dqn, {**DQN_CONFIG, "steps": 400}, tmp_path, start=start_from(dqn_run.final))
    assert started.metric("exploration") == pytest.approx([0.99**100], rel=1e-6)


@pytest.mark.spec("7.5", "7.7")
def test_trap_agilerl_5_checkpoints_of_others_are_taken_silently(
    ppo_run: DirectRun, dqn_run: DirectRun, tmp_path: Path
) -> None:
    """Plain: a trainer for Acrobot makes CartPole's networks its own. Ours names the facet that differs."""
    path = ppo_run.final.folder.path / "agent.pt"
    plain = local_trainer(env_id="Acrobot-v1", load_weights_from=str(path))
    first = next(iter(weights(plain.population[0]).values()))
    assert 4 in first.shape or plain.population[0].actor.observation_space.shape == (4,)  # Acrobot has 6

    acrobot = {**PPO_CONFIG, "env_id": "Acrobot-v1"}
    with pytest.raises(CheckpointError, match=r"Its observation is Box\(4\) float32; Box\(6\)"):
        train(agilerl_ppo, acrobot, tmp_path, start=start_from(ppo_run.final))
    with pytest.raises(CheckpointError, match="Its algorithm is DQN; PPO is needed"):
        train(agilerl_ppo, PPO_CONFIG, tmp_path, start=start_from(dqn_run.final))
    plain_config = {**PPO_CONFIG, "normalize_observations": False}
    with pytest.raises(CheckpointError, match="Its normalization is observations; none is needed"):
        train(agilerl_ppo, plain_config, tmp_path, start=start_from(ppo_run.final))


@pytest.mark.spec("6.5")
def test_trap_agilerl_5_there_is_no_callback_and_no_stop_hook(tmp_path: Path) -> None:
    """Plain: train() reports and stops only at its end. Ours stops within a generation, between two steps."""
    asked: list[int] = []

    def stop(run: DirectRun) -> bool:
        asked.append(len(run.checkpoints))
        return len(asked) > 600

    run = train(agilerl_ppo, {**PPO_CONFIG, "steps": 10**6}, tmp_path, stop=stop)
    assert run.stopped
    assert 600 < len(asked) < 604
    assert asked[-1] == len(run.checkpoints)


@pytest.mark.spec("7.5", "8.1")
def test_a_run_answers_as_it_scored(ppo_run: DirectRun) -> None:
    """The predictor has the normalization of its checkpoint, and plays what was scored."""
    best = ppo_run.best
    answer = agilerl.predict(best.folder.path)
    returns = play("CartPole-v1", lambda seen: answer(seen.tolist()), 5)
    assert sum(returns) / 5 == best.evaluation_score
    assert answer.example == [0.0] * 4  # type: ignore[attr-defined]
    assert answer([0.0] * 4) in {0, 1}


@pytest.mark.spec("7.5")
def test_ones_own_trainer_in_a_few_lines(tmp_path: Path) -> None:
    """`agilerl.train` takes any LocalTrainer, from scratch, from weights and resumed."""

    def own(start: Any = None, steps: int = 512) -> DirectRun:
        ctx, run = context(tmp_path, start=start, evaluator="mine")
        agilerl.train(ctx, lambda: local_trainer(steps=steps), episodes=2)
        return run

    first = own()
    assert [saved.step for saved in first.checkpoints] == [512]
    assert first.final.signature["observation"] == "Box(4) float32"
    assert own(start_from(first.final)).metric("evaluation_score")[0] == first.final.evaluation_score
    assert own(start_from(first.final, "resume"), 1_024).final.step == 1_024
    again = own(start_from(first.final, "resume"))  # nothing is left to do
    assert [saved.step for saved in again.checkpoints] == [512]
    (first.final.folder.path / "agent.pt").write_bytes(b"cut")
    with pytest.raises(CheckpointError, match=r"agent\.pt"):
        own(start_from(first.final))


def test_a_stop_at_a_report_keeps_the_checkpoint_of_that_step(tmp_path: Path) -> None:
    """The generation that has just ended is saved."""
    ctx, run = context(tmp_path, stop=lambda run: bool(run.reports))
    with pytest.raises(StopTraining):
        agilerl.train(ctx, lambda: local_trainer(steps=512), episodes=2)
    assert [saved.step for saved in run.checkpoints] == [512]
