"""What all embedded algorithms have in common."""

from __future__ import annotations

import inspect
import json
import math
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline_widgets.algorithms import registry
from pipeline_widgets.algorithms.context import Start
from pipeline_widgets.algorithms.registry import Algorithm
from pipeline_widgets.domain.compatibility import assess_compatibility
from pipeline_widgets.errors import CheckpointError, ConfigError, PipelineError
from pipeline_widgets.trainers.numpy.dpo import dpo
from pipeline_widgets.trainers.numpy.dqn import dqn
from pipeline_widgets.trainers.numpy.grpo import grpo
from pipeline_widgets.trainers.numpy.latent_ppo import latent_ppo
from pipeline_widgets.trainers.numpy.ppo import ppo
from pipeline_widgets.trainers.numpy.sft import sft
from pipeline_widgets.trainers.numpy.supervised import supervised

if TYPE_CHECKING:
    from tests.trainers.conftest import Train

ROLLOUT = {"num_envs": 4, "rollout_length": 16, "evaluation_episodes": 3}


@dataclass(frozen=True)
class Case:
    """An algorithm with a config that trains in a moment."""

    algorithm: Algorithm
    config: Mapping[str, Any]
    #: What a checkpoint of its own becomes.
    role: str
    sample: Any
    bad: tuple[Any, ...] = field(default=([1.0], [math.nan] * 4, "text", None, {"a": 1}, [[[0.0] * 4]]))

    @property
    def exact_resume(self) -> bool:
        """Whether a resumed run is byte for byte what the stopped one would have become."""
        return self.algorithm not in {ppo, dqn, latent_ppo}


CASES = {
    "SFT": Case(sft, {"steps": 40}, "weights", "dbca", ("wxyz", 3)),
    "DPO": Case(dpo, {"steps": 24}, "init+reference", "dbca", ("wxyz", 3)),
    "GRPO": Case(grpo, {"steps": 16, "prompts": 4}, "init+reference", "dbca", ("wxyz", 3)),
    "PPO": Case(ppo, {"steps": 1_024, **ROLLOUT}, "weights", [0.0] * 4),
    "PPO continuous": Case(ppo, {"steps": 512, "env_id": "Pendulum-v1", **ROLLOUT}, "weights", [0.0] * 3),
    "DQN": Case(dqn, {"steps": 2_400, "evaluation_episodes": 3, "warm_up": 200}, "weights", [0.0] * 4),
    "Supervised": Case(supervised, {"steps": 40}, "weights", [0.5] * 8),
    "Supervised classes": Case(
        supervised, {"steps": 40, "dataset": "friedman1-classes"}, "weights", [0.5] * 8
    ),
    "Supervised decoder": Case(supervised, {"steps": 40, "dataset": "gait"}, "weights", [0.1] * 7),
    "LatentPPO": Case(latent_ppo, {"steps": 1_024, **ROLLOUT}, "weights", [0.1] * 8),
}


PREDICTORS: dict[str, Callable[[Any], Any]] = {}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    """Each of the cases."""
    return CASES[request.param]


@pytest.fixture
def origin(case: Case, train: Train) -> Start | None:
    """What the case starts from; only LatentPPO needs something."""
    if case.algorithm is not latent_ppo:
        return None
    return train(supervised, {"steps": 40, "dataset": "gait"}).start("decoder")


@pytest.fixture
def opened(train: Train) -> Callable[[str], Callable[[Any], Any]]:
    """Open a checkpoint of a case by its name; each is trained once."""

    def open_case(name: str) -> Callable[[Any], Any]:
        if name not in PREDICTORS:
            case = CASES[name]
            decoder = supervised if case.algorithm is latent_ppo else None
            start = train(decoder, {"steps": 40, "dataset": "gait"}).start("decoder") if decoder else None
            folder = train(case.algorithm, case.config, start=start).final.folder.path
            assert case.algorithm.predict is not None
            PREDICTORS[name] = case.algorithm.predict(folder)
        return PREDICTORS[name]

    return open_case


def test_same_seed_same_bytes(case: Case, origin: Start | None, train: Train) -> None:
    """Two runs with the same config and seed save identical checkpoints, another seed others."""
    runs = [train(case.algorithm, case.config, seed=seed, start=origin) for seed in (3, 3, 4)]
    assert runs[0].digests == runs[1].digests
    assert runs[0].reports == runs[1].reports
    assert not set(runs[0].digests) & set(runs[2].digests)


def test_checkpoints_and_scores(case: Case, origin: Start | None, train: Train) -> None:
    """A run saves some checkpoints, the last at its last step, each with both scores."""
    trained = train(case.algorithm, case.config, start=origin)
    assert 5 <= len(trained.checkpoints) <= 10
    assert trained.final.step == trained.reports[-1].step == trained.reports[-1].total
    assert trained.final.step >= case.config["steps"]
    for saved in trained.checkpoints:
        assert saved.training_score is not None
        assert saved.evaluation_score is not None
        assert np.isfinite([saved.training_score, saved.evaluation_score]).all()


def test_checkpoints_are_arrays_and_json(case: Case, origin: Start | None, train: Train) -> None:
    """A checkpoint holds .npz files that open without pickle, and JSON, nothing else."""
    folder = train(case.algorithm, case.config, start=origin).final.folder.path
    for file in folder.iterdir():
        if file.suffix == ".json":
            assert isinstance(json.loads(file.read_text()), dict)
            continue
        assert file.suffix == ".npz"
        with np.load(file, allow_pickle=False) as archive:
            assert all(np.isfinite(archive[name]).all() for name in archive.files)


@pytest.mark.spec("6.5")
def test_stop_and_resume(case: Case, origin: Start | None, train: Train) -> None:
    """A run stops soon after it was asked, keeps its checkpoints, and can be resumed to the end."""
    whole = train(case.algorithm, case.config, start=origin)
    middle = whole.checkpoints[2].step + 1
    stopped = train(case.algorithm, case.config, start=origin, stop_after=middle)
    assert stopped.stopped
    assert stopped.digests == whole.digests[: len(stopped.digests)]
    assert 3 <= len(stopped.digests) < len(whole.digests)

    resumed = train(case.algorithm, case.config, start=stopped.start("resume", best=False))
    assert resumed.reports[0].step > stopped.final.step
    assert resumed.final.step == whole.final.step
    if case.exact_resume:
        assert resumed.digests == whole.digests[len(stopped.digests) :]


@pytest.mark.spec("6.5")
def test_resuming_what_is_complete_saves_it_again(case: Case, origin: Start | None, train: Train) -> None:
    """Resumed at its last step, a run does nothing more, and has a checkpoint nevertheless."""
    whole = train(case.algorithm, case.config, start=origin)
    again = train(case.algorithm, case.config, start=whole.start("resume", best=False))
    assert again.digests == whole.digests[-1:]


@pytest.mark.spec("7.2")
def test_starting_from_weights(case: Case, origin: Start | None, train: Train) -> None:
    """A run that starts from its own kind counts its steps from 0, and fits by its signature."""
    first = train(case.algorithm, case.config, start=origin)
    second = train(case.algorithm, case.config, seed=1, start=first.start(case.role, best=False))
    assert [saved.step for saved in second.checkpoints] == [saved.step for saved in first.checkpoints]
    spec, facets = case.algorithm.spec, case.algorithm.signature_of(case.algorithm.validate(case.config))
    verdict = assess_compatibility(spec, facets, spec, facets)
    assert verdict, verdict.reason
    assert verdict.role == case.role


def test_damaged_checkpoints_are_refused(case: Case, origin: Start | None, train: Train) -> None:
    """Missing, cut, foreign and altered files are CheckpointErrors that say what to do."""
    assert case.algorithm.predict is not None
    folder = train(case.algorithm, case.config, start=origin).final.folder.path
    parts = [file.stem for file in folder.glob("*.json")]
    for file in [folder / f"{part}{suffix}" for part in parts for suffix in (".npz", ".json")]:
        content = file.read_bytes()
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]
        for damage in (content[:middle], b"", b"\x80\x04N.", flipped):
            file.write_bytes(damage)
            with pytest.raises(CheckpointError) as caught:
                case.algorithm.predict(folder)
            assert caught.value.why
            assert caught.value.fix
        file.write_bytes(content)
    training = folder / "training.npz"
    training.unlink()
    case.algorithm.predict(folder)
    start = Start(path=folder, role="resume", step=1)
    with pytest.raises(CheckpointError, match=r"training\.npz"):
        train(case.algorithm, case.config, start=start)


def test_diverged_weights_are_refused(case: Case, origin: Start | None, train: Train) -> None:
    """A checkpoint with NaN says that the training diverged."""
    assert case.algorithm.predict is not None
    folder = train(case.algorithm, case.config, start=origin).final.folder.path
    file = next(folder / f"{json_file.stem}.npz" for json_file in folder.glob("*.json"))
    with np.load(file, allow_pickle=False) as archive:
        arrays: dict[str, Any] = {name: np.full_like(archive[name], np.nan) for name in archive.files}
    np.savez(file, **arrays)
    with pytest.raises(CheckpointError, match="diverged"):
        case.algorithm.predict(folder)


def test_checkpoints_of_others_are_refused(case: Case, origin: Start | None, train: Train) -> None:
    """A checkpoint of another algorithm cannot be opened or trained on."""
    assert case.algorithm.predict is not None
    letters = train(sft, {"steps": 1}).start("weights")
    other = letters if case.algorithm not in {sft, dpo, grpo} else train(supervised, {"steps": 1}).start("")
    with pytest.raises(CheckpointError):
        case.algorithm.predict(other.path)
    with pytest.raises(CheckpointError):
        train(case.algorithm, case.config, start=replace(other, role=case.role))
    del origin


@pytest.mark.spec("8.3", "10.3")
def test_predictors_answer_and_refuse(case: Case, origin: Start | None, train: Train) -> None:
    """A predictor answers one input and a batch alike, in JSON, and refuses what is no input."""
    assert case.algorithm.predict is not None
    predict = case.algorithm.predict(train(case.algorithm, case.config, start=origin).final.folder.path)
    one = predict(case.sample)
    batch = predict([case.sample, case.sample])
    assert json.loads(json.dumps(one)) == one
    assert len(batch) == 2
    assert np.all(np.isclose(batch[0], one)) if not isinstance(one, str) else batch[0] == one
    for bad in case.bad:
        with pytest.raises(PipelineError) as caught:
            predict(bad)
        assert caught.value.what
        assert caught.value.fix


NO_NUMBERS = [
    ("text", "1"),
    ("truth values", True),
    ("huge", 3e38),
    ("beyond 32 bits", 1e300),
    ("an integer", 10**400),
]


@pytest.mark.spec("8.3")
@pytest.mark.parametrize("number", [each for _, each in NO_NUMBERS], ids=[name for name, _ in NO_NUMBERS])
@pytest.mark.parametrize("name", [name for name, each in CASES.items() if not isinstance(each.sample, str)])
def test_a_network_answers_only_to_numbers_that_it_can_take(
    name: str, number: object, opened: Callable[[str], Callable[[Any], Any]]
) -> None:
    """Text and truth values are no numbers, and what would become infinite in it is refused, not guessed."""
    predict, width = opened(name), len(CASES[name].sample)
    with pytest.raises(PipelineError):
        predict([number] * width)
    predict([1e18] * width)


def test_pendulum_actions_are_in_its_units(train: Train) -> None:
    """A continuous action is scaled to the bounds of the environment."""
    case = CASES["PPO continuous"]
    assert ppo.predict is not None
    predict = ppo.predict(train(ppo, case.config).final.folder.path)
    actions = predict(np.random.default_rng(0).normal(0, 100, (50, 3)))
    assert np.shape(actions) == (50, 1)
    assert np.abs(actions).max() <= 2


def test_decoder_takes_a_dict(train: Train) -> None:
    """A state and a latent by name give the same action as both in one row; anything else is refused."""
    assert supervised.predict is not None
    predict = supervised.predict(train(supervised, {"dataset": "gait", "steps": 10}).final.folder.path)
    state, latent = [0.1, 0.2, 0.3, 0.4, 0.5], [0.6, -0.7]
    assert predict({"state": state, "latent": latent}) == predict(state + latent)
    assert len(predict({"state": [state] * 3, "latent": [latent] * 3})) == 3
    for bad in (
        {"state": state},
        {"state": state, "latent": [1.0]},
        {"state": [state] * 2, "latent": latent},
    ):
        with pytest.raises(PipelineError):
            predict(bad)


@pytest.mark.spec("7.1")
def test_algorithms_enter_by_their_entry_points(case: Case) -> None:
    """Each is found by its name, and by the reference that another process follows."""
    name = case.algorithm.spec.name
    assert name in registry.names()
    assert registry.find(name) is case.algorithm
    assert registry.load(case.algorithm.reference) is case.algorithm
    assert case.algorithm.reference.value is None


@pytest.mark.spec("9.2")
def test_config_fields_are_described(case: Case) -> None:
    """Each config field has a default and a description for the form, and the train function its docs."""
    assert case.algorithm.config is not None
    for name, info in case.algorithm.config.model_fields.items():
        assert info.description, name
        assert not info.is_required(), name
    assert "A resumed run" in (inspect.getdoc(case.algorithm.train) or "")


@pytest.mark.spec("7.4")
@pytest.mark.parametrize("value", [0, -1, "many", None])
def test_bad_config_names_the_field(case: Case, value: Any) -> None:
    """A number of steps that makes no sense is refused by name."""
    with pytest.raises(ConfigError, match="steps"):
        case.algorithm.validate({"steps": value})


@pytest.mark.spec("7.2")
def test_what_fits_what() -> None:
    """Chains that make sense fit; others are refused with the facet that differs."""
    gait, table = supervised.validate({"dataset": "gait"}), supervised.validate({})

    def verdict(source: Algorithm, made: Any, candidate: Algorithm, wants: Any) -> Any:
        facets = source.signature_of(made), candidate.signature_of(wants)
        return assess_compatibility(source.spec, facets[0], candidate.spec, facets[1])

    swim = latent_ppo.validate({})
    assert verdict(supervised, gait, latent_ppo, swim).role == "decoder"
    assert "latent_dim" in verdict(supervised, table, latent_ppo, swim).reason
    assert "action" in verdict(supervised, gait, latent_ppo, latent_ppo.validate({"links": 4})).reason
    assert verdict(latent_ppo, swim, latent_ppo, swim).role == "weights"
    assert verdict(sft, sft.validate({}), dpo, dpo.validate({})).role == "init+reference"
    small = dpo.validate({"base_model": "letters-64"})
    assert "base_model" in verdict(sft, sft.validate({}), dpo, small).reason
    pendulum = ppo.validate({"env_id": "Pendulum-v1"})
    assert "observation" in verdict(ppo, ppo.validate({}), ppo, pendulum).reason
    assert not verdict(ppo, ppo.validate({}), dqn, dqn.validate({}))


@pytest.mark.spec("7.4")
def test_starts_that_do_not_fit_are_refused(train: Train) -> None:
    """A start of other sizes than the config says is an error that names them, not a wrong result."""
    with pytest.raises(CheckpointError, match="hidden_units"):
        train(ppo, {"hidden_units": 8}, start=train(ppo, CASES["PPO"].config).start("weights"))
    with pytest.raises(CheckpointError, match="hidden_units=8"):
        train(dqn, {"hidden_units": 8}, start=train(dqn, CASES["DQN"].config).start("weights"))
    decoder = train(supervised, {"dataset": "gait", "links": 4, "steps": 1}).start("decoder")
    with pytest.raises(CheckpointError, match="joints"):
        train(latent_ppo, start=decoder)
    with pytest.raises(PipelineError, match="scratch"):
        train(latent_ppo)
    with pytest.raises(ConfigError, match="Box"):
        train(dqn, {"env_id": "Pendulum-v1"})


def test_importing_needs_no_gymnasium() -> None:
    """Creating an experiment imports its module; Gymnasium is only imported to train or to compare spaces."""
    modules = ", ".join(
        f"pipeline_widgets.trainers.numpy.{name}" for name in ("sft", "ppo", "dqn", "latent_ppo")
    )
    code = f"import sys, {modules}; sys.exit('gymnasium' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path.cwd()).returncode == 0
