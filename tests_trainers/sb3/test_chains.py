"""Chains of Stable-Baselines3 in processes of their own: training, going on, stopping, agents, refusals."""

from __future__ import annotations

import json
import os
import urllib.request
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from benches import Bench, until
from sb3.conftest import QUICK
from sb3.environments import SCALE
from sb3.recording import recorded

import pipeline_widgets as pw
from pipeline_widgets.trainers import sb3

PATIENCE = 180  # seconds; a machine may be busy
FOUR = [3_000.0, -70.0, 5.0, 2.0]  # the pole upright, in the units of the scaled environment


def ask(agent: pw.Agent, observation: Any) -> Any:
    """Ask the endpoint of an agent for an action."""
    body = json.dumps({"observation": observation}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {agent.rotate_key()}"}
    request = urllib.request.Request(f"{agent.url}/get_action", body, headers)  # noqa: S310  our own address
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
        return json.load(response)["action"]


@pytest.mark.spec("7.3", "7.5", "7.6", "8.1", "8.2")
def test_ppo_goes_on_from_its_score_and_an_agent_answers_with_its_normalization(
    bench: Bench, scaled_ppo: Any
) -> None:
    """PPO -> PPO from Best -> agent: the first evaluation is the saved one's, the agent acts as it scored."""
    pipe = bench.project.create_pipeline("chain")
    first = bench.project.create_experiment("first", algorithm=scaled_ppo)
    second = bench.project.create_experiment("second", algorithm=scaled_ppo, config={"steps": 2_048}, seed=1)
    pipe.add_experiment_stage(first)
    pipe.add_experiment_stage(second, trigger="auto", start="best")
    pipe.add_deployment_stage("balance", trigger="auto")

    pipe.stages[0].trigger()
    pipe.wait(PATIENCE)

    assert [stage.status for stage in pipe.stages] == ["Succeeded"] * 3
    run = pipe.stages[1].run
    assert run is not None
    saved = run.start_checkpoint
    assert saved is not None
    evaluations = run.metrics[run.metrics.metric == "evaluation_score"]
    assert (evaluations.step.iloc[0], evaluations.value.iloc[0]) == (0, saved.evaluation_score)
    assert (saved.evaluation_score or 0.0) > 300
    assert f"scores {saved.evaluation_score:.4g}" in run.log
    assert max(evaluations.value.iloc[1:]) > 300
    print(f"PPO -> PPO from Best: saved {saved.evaluation_score}, then {list(evaluations.value)}")  # noqa: T201

    agent = bench.ws.agents["balance"]
    answers = [ask(agent, [FOUR[0], FOUR[1], FOUR[2] + SCALE[2] * tilt, FOUR[3]]) for tilt in (-0.15, 0.15)]
    assert answers == [0, 1]  # against the fall; without the statistics both are the same
    agent.disconnect()


def cart_pole_in(unit: float) -> Any:
    """Return a function that makes CartPole in some unit, and in the reverse order but for 1."""

    def cart_pole() -> Any:
        env = gymnasium.make("CartPole-v1")
        bounds: Any = env.observation_space
        space = gymnasium.spaces.Box(bounds.low, bounds.high, dtype=np.float32)
        order = 1 if unit == 1 else -1
        return gymnasium.wrappers.TransformObservation(
            env, lambda seen: (unit * seen[::order]).astype(np.float32), space
        )

    return cart_pole


@pytest.mark.spec("7.6")
def test_a_handover_that_went_wrong_ends_the_run_with_both_numbers(bench: Bench) -> None:
    """The same spaces, but other units and another order: the second stage is Failed before a step."""
    quick: dict[str, Any] = {**QUICK, "steps": 8_192}
    # Functions of the same name, as before and after an edit of the cell.
    good = sb3.algorithm("PPO", make_env=cart_pole_in(1.0), name="PPO in metres", **quick)
    wrong = sb3.algorithm("PPO", make_env=cart_pole_in(1_000.0), name="PPO in millimetres", **quick)
    pipe = bench.project.create_pipeline("units")
    pipe.add_experiment_stage(bench.project.create_experiment("metres", algorithm=good))
    pipe.add_experiment_stage(bench.project.create_experiment("millimetres", algorithm=wrong), trigger="auto")

    pipe.stages[0].trigger()
    pipe.wait(PATIENCE)

    run = pipe.stages[1].run
    assert run is not None
    assert run.status == "Failed"
    assert run.start_checkpoint is not None
    assert f"was saved with {run.start_checkpoint.evaluation_score:.4g}" in (run.error or "")
    assert "statistics of a normalization" in (run.error or "")
    assert not run.checkpoints


@pytest.mark.spec("6.5", "7.5")
def test_a_stop_is_heeded_and_resuming_keeps_the_replay_buffer(bench: Bench) -> None:
    """DQN stops within seconds with a checkpoint of that moment; resumed, it has the buffer and goes on."""
    config = {"steps": 4_000, "learning_starts": 100, "evaluate_every": 1_000, "evaluation_episodes": 3}
    experiment = bench.project.create_experiment(
        "dqn", algorithm="SB3 DQN", config={**config, "steps": 10**7}
    )
    stage = bench.project.create_pipeline("stop").add_experiment_stage(experiment)
    first = stage.trigger()
    until(lambda: len(first.checkpoints) >= 2, PATIENCE)
    stage.stop()
    took = until(lambda: first.status == "Stopped", 30)
    assert took < 8
    last = first.checkpoints[-1]
    assert last.step > first.checkpoints[1].step

    resumed = stage.trigger(resume=True)
    until(lambda: len(resumed.checkpoints) >= 1, PATIENCE)
    stage.stop()
    until(lambda: resumed.status == "Stopped", 30)
    assert resumed.start_checkpoint is not None
    assert resumed.start_checkpoint.step == last.step
    for checkpoint in (last, resumed.checkpoints[0]):
        with np.load(checkpoint.path / "replay_buffer.npz") as arrays:
            assert len(arrays["rewards"]) == pytest.approx(checkpoint.step, abs=1)
    print(f"DQN stopped in {took:.1f} s at step {last.step}; resumed to {resumed.checkpoints[0].step}")  # noqa: T201


@pytest.mark.spec("7.2", "7.7")
@pytest.mark.parametrize(
    ("maker", "taker", "named"),
    [
        (("SB3 PPO", {}), ("SB3 DQN", {}), "a Stable-Baselines3 Q-network"),
        (("SB3 DQN", {}), ("SB3 PPO", {}), "a Stable-Baselines3 actor-critic"),
        (("SB3 SAC", {}), ("SB3 TD3", {}), "a Stable-Baselines3 TD3 policy"),
        (("PPO", {}), ("SB3 PPO", {}), "a Stable-Baselines3 actor-critic"),
        (("SB3 PPO", {}), ("SB3 PPO", {"env_id": "Acrobot-v1"}), "its observation is Box(4) float32"),
        (
            ("SB3 A2C", {"env_id": "Pendulum-v1"}),
            ("SB3 PPO", {"env_id": "MountainCarContinuous-v0"}),
            "its observation is",
        ),
        (("SB3 PPO", {"normalize_observations": True}), ("SB3 PPO", {}), "its normalization is observations"),
        (("SB3 PPO", {}), ("SB3 PPO", {"normalize_rewards": True}), "its normalization is none"),
        (("SB3 A2C", {"net_arch": [32]}), ("SB3 PPO", {}), "its network is 32 tanh"),
        (("SB3 PPO", {"activation": "relu"}), ("SB3 A2C", {}), "its network is 64 x 64 relu"),
    ],
)
def test_wrong_pairs_are_refused_before_any_process_starts(
    bench: Bench, maker: tuple[str, dict[str, Any]], taker: tuple[str, dict[str, Any]], named: str
) -> None:
    """Another kind, space, normalization or network: the reason names it, and there is no run."""
    pipe = bench.project.create_pipeline("pair")
    made = bench.project.create_experiment("maker", algorithm=maker[0], config=maker[1])
    taken = bench.project.create_experiment("taker", algorithm=taker[0], config=taker[1])
    pipe.add_experiment_stage(made)
    option = {each.name: each for each in pipe.experiment_options(1)}["taker"]
    assert not option.fits
    assert named in option.reason
    with pytest.raises(pw.PipelineError) as caught:
        pipe.add_experiment_stage(taken).trigger()
    assert named in str(caught.value) or "Waiting" in str(caught.value)
    assert not bench.project.experiments["taker"].runs


def test_a2c_and_ppo_take_each_others_checkpoints(bench: Bench) -> None:
    """They train the same networks."""
    pipe = bench.project.create_pipeline("pair")
    for name in ("SB3 A2C", "SB3 PPO"):
        bench.project.create_experiment(name, algorithm=name)
    pipe.add_experiment_stage(bench.project.experiments["SB3 A2C"])
    option = {each.name: each for each in pipe.experiment_options(1)}["SB3 PPO"]
    assert option.fits, option.reason


@pytest.mark.spec("7.5")
def test_trap_all_checkpoints_are_pickles_that_the_kernel_never_opens(bench: Bench, tmp_path: Path) -> None:
    """Plain: PPO.load in a notebook runs any code of the file. Ours is opened by runs and endpoints alone."""
    import stable_baselines3

    log = tmp_path / "opened.txt"
    pipe = bench.project.create_pipeline("pickles")
    for at, name in enumerate(("one", "two")):
        experiment = bench.project.create_experiment(name, algorithm=recorded, config={"path": str(log)})
        pipe.add_experiment_stage(experiment, trigger="auto" if at else "manual")
    pipe.add_deployment_stage("recorded", trigger="auto")
    pipe.stages[0].trigger()
    pipe.wait(PATIENCE)

    assert [stage.status for stage in pipe.stages] == ["Succeeded"] * 3
    agent = bench.ws.agents["recorded"]
    assert ask(agent, [0.0] * 4) in {0, 1}
    _ = [str(pipe), pipe.stages[0].plan(), pipe.stages.df, agent.checkpoint, agent.lineage]
    opened = {int(line) for line in log.read_text().split()}
    assert len(opened) >= 2  # the second run, and the endpoint
    assert os.getpid() not in opened
    agent.disconnect()

    checkpoint = bench.project.experiments["two"].runs[-1].checkpoints[-1]
    stable_baselines3.PPO.load(checkpoint.path / "model.zip", device="cpu")
    assert os.getpid() in {int(line) for line in log.read_text().split()}
