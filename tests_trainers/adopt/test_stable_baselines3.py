"""Models that Stable-Baselines3 itself has saved are starts, agents, and scored (spec 7.8)."""

from __future__ import annotations

import base64
import json
import os
import pickle
import pickletools
import urllib.request
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benches import Bench

import pipeline_widgets as pw
from pipeline_widgets.trainers.gymnasium_spaces import open_environment

PATIENCE = 180  # seconds; a machine may be busy
#: What continues a model, in some seconds.
QUICK: dict[str, Any] = {
    "steps": 1_024,
    "num_envs": 4,
    "n_steps": 128,
    "evaluate_every": 1_024,
    "evaluation_episodes": 10,
    "device": "cpu",
}
NORMALIZED = {**QUICK, "normalize_observations": True, "normalize_rewards": True}
pytestmark = pytest.mark.slow


def learn(folder: Path, *, steps: int = 12_000, normalized: bool = True, **arguments: Any) -> float:
    """Train CartPole and save it as the library's documentation does; return its mean return."""
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.evaluation import evaluate_policy
    from stable_baselines3.common.vec_env import VecNormalize

    env: Any = make_vec_env("CartPole-v1", 8, seed=0)
    if normalized:
        env = VecNormalize(env)
    model = PPO(
        "MlpPolicy",
        env,
        **{"n_steps": 128, "batch_size": 256, "learning_rate": 3e-3, "seed": 0, "device": "cpu"} | arguments,
    )
    model.learn(steps)
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "model.zip")
    if normalized:
        env.save(str(folder / "vecnormalize.pkl"))
        env.training = env.norm_reward = False
    env.seed(1)
    return float(evaluate_policy(model, env, 20, deterministic=True)[0])  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A folder with a model that balances the pole, and its mean return by the library's own evaluation."""
    folder = tmp_path_factory.mktemp("theirs") / "cart"
    return folder, learn(folder, steps=24_000)  # after half of that it balances on some machines only


def edit_json(model: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the JSON of a model, as another version would have written it."""
    with zipfile.ZipFile(model) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    data = json.loads(files["data"])
    change(data)
    with zipfile.ZipFile(model, "w") as archive:
        for name, content in {**files, "data": json.dumps(data).encode()}.items():
            archive.writestr(name, content)


def edit_versions(model: Path, library: str, python: str) -> None:
    """Let a model say that other versions have saved it."""
    with zipfile.ZipFile(model) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["_stable_baselines3_version"] = library.encode()
    files["system_info.txt"] = f"- Python: {python}\n- Stable-Baselines3: {library}\n".encode()
    with zipfile.ZipFile(model, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def continue_from(bench: Bench, agent: pw.Agent, algorithm: Any, config: dict[str, Any]) -> pw.Pipeline:
    """Return a pipeline whose first stage starts from an agent."""
    number = len(bench.project.experiments)
    experiment = bench.project.create_experiment(f"more {number}", algorithm=algorithm, config=config)
    pipe = bench.project.create_pipeline(f"goes on {number}")
    pipe.add_experiment_stage(experiment, start=agent)
    return pipe


def ask(agent: pw.Agent, observation: Any) -> Any:
    """Ask the endpoint of an agent for an action."""
    body = json.dumps({"observation": observation}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {agent.rotate_key()}"}
    request = urllib.request.Request(f"{agent.url}/get_action", body, headers)  # noqa: S310  our own address
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
        return json.load(response)["action"]


@pytest.mark.spec("7.2", "7.5", "7.8", "8.1")
def test_a_model_of_the_library_goes_on_from_its_score_and_is_deployed(
    bench: Bench, theirs: tuple[Path, float]
) -> None:
    """Adopted, continued by SB3 PPO, deployed: it begins with the return that the library measured."""
    folder, score = theirs
    adopted = bench.project.adopt(folder)
    (checkpoint,) = adopted.checkpoints
    signature = checkpoint._value.signature
    assert signature["observation"] == "Box(4) float32"
    assert signature["action"] == "Discrete(2)"
    assert signature["normalization"] == "observations and rewards"
    assert signature["network"] == "64 x 64 tanh"
    agent = bench.ws.create_agent("theirs", checkpoint)
    # Nothing is learned, so that what is evaluated is what was taken over.
    pipe = continue_from(bench, agent, "SB3 PPO", {**NORMALIZED, "learning_rate": 1e-12})
    pipe.add_deployment_stage("balance", trigger="auto")
    pipe.stages[0].trigger()
    pipe.wait(PATIENCE)
    run = pipe.stages[0].run
    assert run is not None
    assert run.status == "Succeeded", run.error
    assert score > 300
    assert run.checkpoints[-1].evaluation_score == pytest.approx(score, rel=0.25)
    served = bench.ws.agents["balance"]
    assert [ask(served, [0.0, 0.0, tilt, 0.0]) for tilt in (-0.1, 0.1)] == [0, 1]
    served.disconnect()


@pytest.mark.spec("7.8", "8.2")
def test_an_agent_of_an_adopted_model_acts_as_the_library_does(
    bench: Bench, theirs: tuple[Path, float]
) -> None:
    """Through its endpoint, with the statistics that lie beside the model."""
    from stable_baselines3 import PPO
    from stable_baselines3.common.save_util import load_from_pkl

    folder, _ = theirs
    agent = bench.ws.create_agent("raw", bench.project.adopt(folder).checkpoints[0])
    agent.connect()
    model = PPO.load(folder / "model.zip", device="cpu")
    statistics: Any = load_from_pkl(folder / "vecnormalize.pkl")
    seen = np.random.default_rng(0).uniform(-0.2, 0.2, (20, 4)).astype(np.float32)
    expected = model.predict(statistics.normalize_obs(seen), deterministic=True)[0]
    assert expected.tolist() != model.predict(seen, deterministic=True)[0].tolist()
    assert ask(agent, seen.tolist()) == expected.tolist()
    agent.disconnect()


@pw.evaluator("steps upright", accepts={"policy"})
def steps_upright(policy: Any) -> float:
    """Return the mean length of five greedy episodes."""
    lengths: list[int] = []
    for seed in range(5):
        env = open_environment("CartPole-v1")
        seen, done, length = env.reset(seed=seed)[0], False, 0
        while not done:
            seen, _, terminated, truncated, _ = env.step(policy(seen.tolist()))
            done, length = terminated or truncated, length + 1
        lengths.append(length)
    return float(np.mean(lengths))


@pytest.mark.spec("7.8", "7.9")
def test_an_evaluator_scores_an_adopted_model_and_what_goes_on_from_it(
    bench: Bench, theirs: tuple[Path, float]
) -> None:
    """With one yardstick, in a process of its own."""
    adopted = bench.project.adopt(theirs[0])
    scores = bench.project.evaluate(steps_upright, checkpoints=adopted.checkpoints).wait(PATIENCE)
    assert scores.status == "Succeeded", scores.error
    (row,) = adopted.checkpoints[0].scores.values()
    assert row > 200


@pytest.mark.spec("7.8")
def test_a_folder_of_rl_zoo_goes_on_where_it_lies(
    bench: Bench, theirs: tuple[Path, float], tmp_path: Path
) -> None:
    """best_model.zip, with the statistics in a folder named after the environment."""
    folder = tmp_path / "CartPole-v1_1"
    (folder / "CartPole-v1").mkdir(parents=True)
    (folder / "best_model.zip").write_bytes((theirs[0] / "model.zip").read_bytes())
    (folder / "CartPole-v1" / "vecnormalize.pkl").write_bytes((theirs[0] / "vecnormalize.pkl").read_bytes())
    agent = bench.ws.create_agent("zoo", bench.project.adopt(folder).checkpoints[0])
    run = continue_from(bench, agent, "SB3 PPO", NORMALIZED).stages[0].trigger().wait(PATIENCE)
    assert run.status == "Succeeded", run.error
    assert (run.checkpoints[-1].evaluation_score or 0.0) > 200


@pytest.mark.spec("7.2", "7.8")
@pytest.mark.parametrize(
    ("algorithm", "config", "facet"),
    [
        ("SB3 PPO", QUICK, "its normalization is observations and rewards, SB3 PPO needs none"),
        (
            "SB3 PPO",
            {**NORMALIZED, "activation": "relu"},
            "its network is 64 x 64 tanh, .*needs 64 x 64 relu",
        ),
        ("SB3 PPO", {**NORMALIZED, "env_id": "Acrobot-v1"}, r"its observation is Box\(4\) float32"),
        ("SB3 DQN", {}, "needs a Stable-Baselines3 Q-network"),
    ],
    ids=["normalization", "network", "observation", "class"],
)
def test_a_pair_that_contradicts_is_refused_with_the_facet(
    bench: Bench, theirs: tuple[Path, float], algorithm: str, config: dict[str, Any], facet: str
) -> None:
    """Before any process is started."""
    agent = bench.ws.create_agent("theirs", bench.project.adopt(theirs[0]).checkpoints[0])
    with pytest.raises(pw.PipelineError, match=facet):
        continue_from(bench, agent, algorithm, config).stages[0].trigger()
    assert all(len(each.runs) == 0 for each in bench.project.experiments if each.name.startswith("more"))


@pytest.mark.spec("7.8")
def test_a_model_whose_statistics_are_missing_is_adopted_with_a_warning_and_starts_nothing(
    bench: Bench, theirs: tuple[Path, float], tmp_path: Path
) -> None:
    """Its JSON tells that VecNormalize has scaled observations; a start and an agent say what is missing."""
    folder = tmp_path / "incomplete"
    folder.mkdir()
    (folder / "model.zip").write_bytes((theirs[0] / "model.zip").read_bytes())
    with pytest.warns(
        UserWarning, match=r"trained with VecNormalize.*Copy the file there as vecnormalize.pkl"
    ):
        adopted = bench.project.adopt(folder)
    agent = bench.ws.create_agent("incomplete", adopted.checkpoints[0])
    for config in (QUICK, NORMALIZED):
        with pytest.raises(
            pw.PipelineError, match="its normalization is in a VecNormalize file that is missing"
        ):
            continue_from(bench, agent, "SB3 PPO", config).stages[0].trigger()
    scores = bench.project.evaluate(steps_upright, checkpoints=adopted.checkpoints).wait(PATIENCE)
    assert scores.status == "Failed"
    assert "has no file vecnormalize.pkl" in (scores.error or "")


@pytest.mark.spec("7.8")
def test_a_model_without_statistics_is_told_from_one_that_lacks_them(bench: Bench, tmp_path: Path) -> None:
    """Trained without VecNormalize it goes on without, and takes no statistics of another model."""
    folder = tmp_path / "plain"
    learn(folder, steps=1_024, normalized=False, policy_kwargs={"net_arch": [16]})
    (folder / "vecnormalize.pkl").write_bytes(b"of another model")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (checkpoint,) = bench.project.adopt(folder).checkpoints
    signature = checkpoint._value.signature
    assert (signature["normalization"], signature["network"]) == ("none", "16 tanh")
    agent = bench.ws.create_agent("plain", checkpoint)
    run = (
        continue_from(bench, agent, "SB3 PPO", {**QUICK, "net_arch": [16]}).stages[0].trigger().wait(PATIENCE)
    )
    assert run.status == "Succeeded", run.error


@pytest.mark.spec("7.8")
def test_a_model_of_before_gymnasium_goes_on(
    bench: Bench, theirs: tuple[Path, float], tmp_path: Path
) -> None:
    """Spaces of gym, in the model and in its statistics, are opened as those of Gymnasium."""
    folder = tmp_path / "former"
    folder.mkdir()
    model = folder / "model.zip"
    model.write_bytes((theirs[0] / "model.zip").read_bytes())
    statistics = (theirs[0] / "vecnormalize.pkl").read_bytes()
    (folder / "vecnormalize.pkl").write_bytes(renamed(statistics))

    def to_gym(data: dict[str, Any]) -> None:
        for name in ("observation_space", "action_space"):
            content = base64.b64decode(data[name][":serialized:"])
            data[name][":serialized:"] = base64.b64encode(renamed(content)).decode()
            data[name][":type:"] = data[name][":type:"].replace("gymnasium", "gym")

    edit_json(model, to_gym)
    edit_versions(model, "1.8.0", "3.9.16")
    (checkpoint,) = bench.project.adopt(folder).checkpoints
    assert checkpoint._value.signature["observation"] == "Box(4) float32"
    assert checkpoint._value.signature["normalization"] == "observations and rewards"
    agent = bench.ws.create_agent("former", checkpoint)
    run = continue_from(bench, agent, "SB3 PPO", NORMALIZED).stages[0].trigger().wait(PATIENCE)
    assert run.status == "Succeeded", run.error
    assert (run.checkpoints[-1].evaluation_score or 0.0) > 200
    scores = bench.project.evaluate(steps_upright, checkpoints=checkpoint).wait(PATIENCE)
    assert scores.status == "Succeeded", scores.error


def renamed(content: bytes) -> bytes:
    """Return a pickle whose spaces are of gym instead of Gymnasium, without the frames that count bytes."""
    made, last = b"", 0
    for code, argument, at in pickletools.genops(content):
        position = at or 0
        if code.name == "FRAME":
            made, last = made + content[last:position], position + 9
        elif isinstance(argument, str) and argument.startswith("gymnasium.spaces"):
            assert code.name == "SHORT_BINUNICODE"
            text = argument.replace("gymnasium", "gym", 1).encode()
            made += content[last:position] + pickle.SHORT_BINUNICODE + bytes([len(text)]) + text
            last = position + 2 + len(argument)
    made += content[last:]
    assert b"gymnasium" not in made
    assert b"gym.spaces" in made
    return made


@pytest.mark.spec("7.8")
def test_pickles_of_another_python_are_told(bench: Bench, theirs: tuple[Path, float], tmp_path: Path) -> None:
    """An agent that cannot open them says by which versions the model was saved, and what to do."""
    folder = tmp_path / "old"
    folder.mkdir()
    model = folder / "model.zip"
    model.write_bytes((theirs[0] / "model.zip").read_bytes())
    (folder / "vecnormalize.pkl").write_bytes(b"cgone.module\nThing\n)\x81.")
    edit_versions(model, "1.2.0", "3.7.4")
    (checkpoint,) = bench.project.adopt(folder).checkpoints
    assert checkpoint._value.signature["observation"] == "Box(4) float32"
    agent = bench.ws.create_agent("old", checkpoint)
    run = continue_from(bench, agent, "SB3 PPO", NORMALIZED).stages[0].trigger().wait(PATIENCE)
    assert run.status == "Failed"
    assert "saved by stable-baselines3 1.2.0 and Python 3.7.4" in (run.error or "")
    assert "Load it with those versions" in (run.error or "")


@pytest.mark.spec("7.8")
def test_adopting_runs_no_code_of_a_model(bench: Bench, theirs: tuple[Path, float], tmp_path: Path) -> None:
    """A pickle that would make a file when it is opened makes none, in this process or in another."""
    folder, opened = tmp_path / "hostile", tmp_path / "opened"
    folder.mkdir()
    model = folder / "model.zip"
    model.write_bytes((theirs[0] / "model.zip").read_bytes())
    trap = b"cos\nsystem\n(S'touch %s'\ntR." % os.fsencode(opened)
    (folder / "vecnormalize.pkl").write_bytes(trap)
    edit_json(
        model,
        lambda data: data["observation_space"].update({":serialized:": base64.b64encode(trap).decode()}),
    )
    (checkpoint,) = bench.project.adopt(folder).checkpoints
    assert checkpoint._value.signature["observation"] == "Box(4) float32"
    assert "observation_bounds" not in checkpoint._value.signature
    assert not opened.exists()
