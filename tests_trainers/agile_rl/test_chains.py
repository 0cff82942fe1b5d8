"""AgileRL in processes of its own: wrong pairs, a chain, an agent."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest
from agile_rl.environments import Corridor
from benches import Bench

import pipeline_widgets as pw
from pipeline_widgets.errors import ConfigError
from pipeline_widgets.trainers import agilerl

PATIENCE = 240  # seconds; a machine may be busy
QUICK = {"evaluation_episodes": 5, "fitness_episodes": 1, "num_envs": 4, "learn_step": 256}


@pytest.mark.spec("7.3", "7.5", "8.1")
def test_ppo_goes_on_from_its_score_and_an_agent_answers(bench: Bench) -> None:
    """PPO -> PPO from Best -> agent, in real processes; the second stage begins with the saved score."""
    config = {**QUICK, "steps": 4_096, "evo_steps": 1_024, "normalize_observations": True}
    pipe = bench.project.create_pipeline("chain")
    for at, name in enumerate(("first", "second")):
        experiment = bench.project.create_experiment(name, algorithm="AgileRL PPO", config=config, seed=at)
        pipe.add_experiment_stage(experiment, trigger="auto" if at else "manual")
    pipe.add_deployment_stage("balance", trigger="auto")
    pipe.stages[0].trigger()
    pipe.wait(PATIENCE)

    assert [stage.status for stage in pipe.stages] == ["Succeeded"] * 3
    run = pipe.stages[1].run
    assert run is not None
    assert run.start_checkpoint is not None
    evaluations = run.metrics[run.metrics.metric == "evaluation_score"]
    first = (evaluations.step.iloc[0], evaluations.value.iloc[0])
    assert first == (0, run.start_checkpoint.evaluation_score)
    print(f"AgileRL PPO: {run.start_checkpoint.evaluation_score} -> {list(evaluations.value)}")  # noqa: T201

    agent = bench.ws.agents["balance"]
    body = json.dumps({"observation": [0.0, 0.0, 0.1, 0.0]}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {agent.rotate_key()}"}
    request = urllib.request.Request(f"{agent.url}/get_action", body, headers)  # noqa: S310  our own address
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
        assert json.load(response)["action"] in {0, 1}
    agent.disconnect()


@pytest.mark.spec("7.2", "7.7")
@pytest.mark.parametrize(
    ("maker", "taker", "named"),
    [
        (("AgileRL PPO", {}), ("AgileRL DQN", {}), "an AgileRL Q-network"),
        (("AgileRL DQN", {}), ("AgileRL PPO", {}), "an AgileRL actor-critic"),
        (("SB3 PPO", {}), ("AgileRL PPO", {}), "an AgileRL actor-critic"),
        (("AgileRL PPO", {}), ("AgileRL PPO", {"env_id": "Acrobot-v1"}), "its observation is Box(4) float32"),
        (("AgileRL PPO", {}), ("AgileRL PPO", {"normalize_observations": True}), "its normalization is none"),
    ],
)
def test_wrong_pairs_are_refused_before_any_process_starts(
    bench: Bench, maker: tuple[str, dict[str, Any]], taker: tuple[str, dict[str, Any]], named: str
) -> None:
    """Another kind, space or normalization: the reason names it, and there is no run."""
    pipe = bench.project.create_pipeline("pair")
    made = bench.project.create_experiment("maker", algorithm=maker[0], config=maker[1])
    taken = bench.project.create_experiment("taker", algorithm=taker[0], config=taker[1])
    pipe.add_experiment_stage(made)
    option = {each.name: each for each in pipe.experiment_options(1)}["taker"]
    assert not option.fits
    assert named in option.reason
    with pytest.raises(pw.PipelineError):
        pipe.add_experiment_stage(taken).trigger()
    assert not taken.runs


@pytest.mark.spec("7.2", "7.5")
@pytest.mark.parametrize("method", ["PPO", "DQN"])
def test_ones_own_environment_is_trained_in_and_gone_on_with(bench: Bench, method: str) -> None:
    """From a function of a test, which no other process could import: it learns, and a next stage goes on."""

    def corridor() -> Any:
        return Corridor()

    quick: dict[str, Any] = {
        "PPO": {"steps": 4_096, "evo_steps": 2_048, "learn_step": 256, "batch_size": 64},
        "DQN": {"steps": 1_600, "evo_steps": 800, "learning_delay": 100, "eps_decay": 0.98},
    }
    more: dict[str, Any] = {"evaluation_episodes": 3, "fitness_episodes": 1, "num_envs": 4, "device": "cpu"}
    made = agilerl.algorithm(method, make_env=corridor, **quick[method], **more)
    assert made.spec.name == f"AgileRL {method} corridor"
    pipe = bench.project.create_pipeline("own")
    for at, name in enumerate(("first", "second")):
        experiment = bench.project.create_experiment(name, algorithm=made, seed=at)
        pipe.add_experiment_stage(experiment, trigger="auto" if at else "manual")
    pipe.stages[0].trigger()
    pipe.wait(PATIENCE)
    assert [stage.status for stage in pipe.stages] == ["Succeeded"] * 2, [
        stage.run.error for stage in pipe.stages if stage.run is not None
    ]
    run = pipe.stages[1].run
    assert run is not None
    assert run.start_checkpoint is not None
    assert run.start_checkpoint.evaluation_score == 1.0
    evaluations = run.metrics[run.metrics.metric == "evaluation_score"]
    assert (evaluations.step.iloc[0], evaluations.value.iloc[0]) == (0, 1.0)


@pytest.mark.spec("7.5")
def test_a_factory_refuses_what_no_form_would_take() -> None:
    """A method, a field and a value that are not there."""

    def corridor() -> Any:
        return Corridor()

    with pytest.raises(ConfigError, match=r"no method 'SAC'.*PPO, DQN"):
        agilerl.algorithm("SAC", make_env=corridor)
    with pytest.raises(
        ConfigError, match="AgileRL DQN corridor has no config field 'normalize_observations'"
    ):
        agilerl.algorithm("DQN", make_env=corridor, normalize=True)
    with pytest.raises(ConfigError, match="'steps' of AgileRL PPO corridor is refused"):
        agilerl.algorithm("PPO", make_env=corridor, steps=0)
