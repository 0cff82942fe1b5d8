"""The ready algorithms of Stable-Baselines3, and an algorithm of one's own environment."""

from __future__ import annotations

import inspect
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stable_baselines3
from direct_runs import DirectRun, start_from, train
from sb3.environments import scaled_cart_pole, with_dict_observations

from pipeline_widgets.algorithms import registry
from pipeline_widgets.errors import CheckpointError, ConfigError, PipelineError
from pipeline_widgets.trainers import sb3
from pipeline_widgets.trainers.sb3 import checkpoint_files

OFF_POLICY = {"steps": 300, "evaluate_every": 150, "learning_starts": 50, "batch_size": 16, "net_arch": [16]}
CONFIGS: dict[str, dict[str, Any]] = {
    "SB3 PPO": {
        "steps": 256,
        "n_steps": 32,
        "batch_size": 32,
        "evaluate_every": 128,
        "normalize_rewards": True,
    },
    "SB3 A2C": {"steps": 256, "evaluate_every": 128, "normalize_observations": True},
    "SB3 DQN": {**OFF_POLICY, "train_freq": 8, "gradient_steps": 2},
    "SB3 SAC": {**OFF_POLICY, "normalize_observations": True, "train_freq": 4},
    "SB3 TD3": {**OFF_POLICY, "num_envs": 2, "train_freq": 4},
}
COMMON = {"evaluation_episodes": 2, "device": "cpu"}
SAMPLES = {"SB3 SAC": [0.1, 0.2, 0.3], "SB3 TD3": [0.1, 0.2, 0.3]}


@pytest.fixture(params=CONFIGS)
def name(request: pytest.FixtureRequest) -> str:
    """Each of the ready algorithms."""
    return request.param


def run(name: str, folder: Path, seed: int = 0, start: Any = None, **config: Any) -> DirectRun:
    """Train one for a moment."""
    return train(registry.find(name), {**CONFIGS[name], **COMMON, **config}, folder, seed=seed, start=start)


@pytest.mark.spec("7.5")
def test_it_trains_starts_resumes_and_answers(name: str, folder: Path) -> None:
    """From scratch, from weights and resumed: steps, scores, optimizers and answers are as they should."""
    first = run(name, folder)
    assert len(first.checkpoints) == 2
    for saved in first.checkpoints:
        assert saved.evaluation_score is not None
        assert saved.evaluation_spread is not None
    total = first.final.step

    weights = run(name, folder, seed=1, start=start_from(first.final))
    assert [saved.step for saved in weights.checkpoints] == [saved.step for saved in first.checkpoints]
    assert (weights.reports[0].step, weights.metric("evaluation_score")[0]) == (
        0,
        first.final.evaluation_score,
    )

    steps = total + 150
    resumed = run(name, folder, start=start_from(first.final, "resume"), steps=steps)
    assert resumed.reports[0].step == total
    assert min(saved.step for saved in resumed.checkpoints) > total
    assert steps <= resumed.final.step < steps + 140
    updates = [run_.metric("train/n_updates") for run_ in (first, resumed)]
    assert updates[1][-1] > updates[0][-1]

    answer: Any = sb3.predict(resumed.final.folder.path)
    sample = SAMPLES.get(name, [0.1, 0.2, 0.3, 0.4])
    one, batch = answer(sample), answer([sample, sample])
    assert json.loads(json.dumps(one)) == one
    assert np.allclose(batch, [one, one])
    assert np.shape(answer.example) == np.shape(sample)
    assert answer(answer.example) is not None
    for bad in (
        sample[1:],
        ["a"] * len(sample),
        None,
        [[sample]],
        [float("nan")] * len(sample),
        [1e39] * len(sample),
    ):
        with pytest.raises(PipelineError):
            answer(bad)


@pytest.mark.spec("8.2")
def test_an_agent_needs_neither_optimizer_nor_generators(name: str, folder: Path) -> None:
    """Without the files that only a resumed run needs it answers the same, and cannot be resumed."""
    saved = run(name, folder).final
    made = registry.find(name)
    copy = folder / "agent"
    shutil.copytree(saved.folder.path, copy, ignore=shutil.ignore_patterns(*made.spec.training_only))
    assert {file.name for file in copy.iterdir()} <= {"model.zip", "vecnormalize.pkl", "facts.json"}
    sample = SAMPLES.get(name, [0.1, 0.2, 0.3, 0.4])
    assert made.predict is not None
    assert made.predict(copy)(sample) == made.predict(saved.folder.path)(sample)
    kept = getattr(stable_baselines3, name.removeprefix("SB3 ")).load(copy / "model.zip", device="cpu")
    assert not any(
        kept.get_parameters()[each]["state"] for each in kept.get_parameters() if each.endswith("optimizer")
    )
    with pytest.raises(CheckpointError, match=r"training\.pt"):
        run(name, folder, start=start_from(saved, "resume", path=copy))


@pytest.mark.parametrize("name", ["SB3 PPO", "SB3 DQN"])
def test_equal_runs_write_equal_bytes(name: str, folder: Path) -> None:
    """Same config and seed: the same digests; another seed: others."""
    digests = [[saved.folder.digest for saved in run(name, folder, seed).checkpoints] for seed in (3, 3, 4)]
    assert digests[0] == digests[1]
    assert not set(digests[0]) & set(digests[2])


@pytest.mark.spec("6.5")
def test_resuming_restores_what_the_optimizer_and_the_generators_had(folder: Path) -> None:
    """The moments of a resumed run are those that were saved; those of a start are new."""
    saved = run("SB3 PPO", folder).final
    resumed = run(
        "SB3 PPO", folder, start=start_from(saved, "resume"), steps=saved.step
    )  # nothing is left to do
    assert [each.step for each in resumed.checkpoints] == [saved.step]
    import torch

    states = [
        torch.load(each.folder.path / "training.pt", weights_only=True) for each in (saved, resumed.final)
    ]
    moments = [state["optimizers"]["policy.optimizer"]["state"] for state in states]
    assert moments[0]
    for index, moment in moments[0].items():
        assert torch.equal(moment["exp_avg"], moments[1][index]["exp_avg"])
    assert states[0]["generators"]["numpy"] == states[1]["generators"]["numpy"]
    assert torch.equal(states[0]["generators"]["torch"], states[1]["generators"]["torch"])
    assert states[0]["counters"] == states[1]["counters"]


@pytest.mark.spec("9.2")
def test_config_fields_are_described(name: str) -> None:
    """Each has a default and a description, and the docs say what resuming does."""
    made = registry.find(name)
    assert made.config is not None
    for field, info in made.config.model_fields.items():
        assert info.description, field
        assert not info.is_required(), field
    assert "A resumed run restores" in (inspect.getdoc(made.train) or "")


@pytest.mark.spec("7.4")
@pytest.mark.parametrize(
    ("algorithm", "config", "named"),
    [
        ("SB3 PPO", {"clip_range": 2}, "clip_range"),
        ("SB3 PPO", {"clip_rnage": 0.1}, "clip_rnage"),
        ("SB3 SAC", {"ent_coef": "car"}, "ent_coef"),
        ("SB3 SAC", {"env_id": "CartPole-v1"}, "Discrete(2)"),
        ("SB3 DQN", {"env_id": "Pendulum-v1"}, "Box(1) float32"),
        (
            "SB3 PPO",
            {"env_id": "FrozenLake-v1", "normalize_observations": True},
            "normalize_observations=False",
        ),
        ("SB3 PPO", {"env_id": "NoSuchThing-v1"}, "NoSuchThing-v1"),
    ],
)
def test_a_bad_config_is_refused_and_says_why(algorithm: str, config: dict[str, Any], named: str) -> None:
    """Before anything starts, with the field or the space."""
    with pytest.raises(ConfigError) as caught:
        registry.find(algorithm).configure(config)
    assert named in str(caught.value)


@pytest.mark.spec("7.5")
def test_an_algorithm_of_ones_own_environment(folder: Path) -> None:
    """One line: its defaults are in its form, its signature tells its spaces, mappings are observations."""
    made = sb3.algorithm(
        "PPO", make_env=with_dict_observations, normalize=True, steps=256, n_steps=32, batch_size=32
    )
    assert made.spec.name == "SB3 PPO with_dict_observations"
    assert made.configure({}).config["steps"] == 256
    assert (
        made.signature_of(made.validate({}))["observation"]
        == "Dict(cart: Box(2) float32, pole: Box(2) float32)"
    )
    first = train(made, {**COMMON, "evaluate_every": 128}, folder)
    assert made.predict is not None
    answer: Any = made.predict(first.final.folder.path)
    assert answer({"cart": [0.0, 0.1], "pole": [0.2, 0.3]}) in {0, 1}
    assert answer.example == {"cart": [0.0, 0.0], "pole": [0.0, 0.0]}
    with pytest.raises(PipelineError, match="keys"):
        answer({"cart": [0.0, 0.1]})
    assert made.reference.value is not None  # it goes to other processes by value
    again = registry.load(made.reference)
    assert again.configure({}).config == made.configure({}).config


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"method": "PPPO"}, "PPPO"),
        ({"steps": 0}, "steps"),
        ({"stepz": 1}, "stepz"),
        ({"make_env": "CartPole-v1"}, "make_env"),
    ],
)
def test_a_factory_refuses_what_it_cannot_use(arguments: dict[str, Any], named: str) -> None:
    """With the argument that is wrong."""
    options: dict[str, Any] = {"method": "PPO", "make_env": scaled_cart_pole, "name": "refused", **arguments}
    with pytest.raises(ConfigError, match=named):
        sb3.algorithm(**options)


@pytest.mark.spec("7.5", "7.8")
def test_a_model_of_the_library_alone_can_be_started_from(folder: Path) -> None:
    """A model.zip that somebody saved by hand has no facts: it is checked by its layers, and answers."""
    hand_made = stable_baselines3.PPO("MlpPolicy", "CartPole-v1", n_steps=32, batch_size=32, device="cpu")
    found = folder / "found"
    found.mkdir()
    hand_made.save(found / "model.zip")
    saved = run("SB3 PPO", folder, normalize_rewards=False).final
    started = run(
        "SB3 PPO", folder, start=start_from(saved, path=found), normalize_rewards=False, handover="off"
    )
    assert started.checkpoints
    assert sb3.predict(found)([0.0] * 4) in {0, 1}
    with pytest.raises(CheckpointError, match="was not"):
        run("SB3 PPO", folder, start=start_from(saved, path=found))


def test_damaged_files_are_refused(folder: Path) -> None:
    """Cut, emptied and foreign files are CheckpointErrors that say what to do, also where digests agree."""
    from sb3.sabotage import sign

    saved = run("SB3 PPO", folder).final.folder.path
    for file in (checkpoint_files.MODEL, checkpoint_files.STATISTICS):
        content = (saved / file).read_bytes()
        for damage in (content[: len(content) // 2], b"", b"\x80\x04N.", b"PK\x03\x04"):
            (saved / file).write_bytes(damage)
            sign(saved)
            with pytest.raises(CheckpointError) as caught:
                sb3.predict(saved)
            assert caught.value.fix
        (saved / file).write_bytes(content)
    sign(saved)
    assert sb3.predict(saved)([0.0] * 4) in {0, 1}
