"""Each embedded algorithm learns, with its default config."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline_widgets.algorithms.context import Start
from pipeline_widgets.algorithms.registry import Algorithm
from pipeline_widgets.trainers.numpy import latent_ppo as latent
from pipeline_widgets.trainers.numpy.action_vae import ActionDecoder, DecoderFacts
from pipeline_widgets.trainers.numpy.dpo import dpo
from pipeline_widgets.trainers.numpy.dqn import dqn
from pipeline_widgets.trainers.numpy.grpo import grpo
from pipeline_widgets.trainers.numpy.latent_ppo import latent_ppo
from pipeline_widgets.trainers.numpy.ppo import ppo
from pipeline_widgets.trainers.numpy.sft import sft
from pipeline_widgets.trainers.numpy.supervised import supervised

if TYPE_CHECKING:
    from tests.trainers.conftest import Train

SEEDS = range(5)


def post_train(train: Train, seed: int) -> list[float]:
    """Run SFT -> DPO -> GRPO, each from the best checkpoint before it, and return the best scores."""
    stages: list[Algorithm] = [sft, dpo, grpo]
    scores: list[float] = []
    start: Start | None = None
    for stage in stages:
        trained = train(stage, seed=seed, start=start)
        scores.append(trained.best.evaluation_score or 0.0)
        start = trained.start("init+reference")
    return scores


@pytest.mark.spec("7.3")
def test_every_post_training_stage_answers_better(train: Train) -> None:
    """Held-out exact answers rise from stage to stage, by far more than chance."""
    after_sft, after_dpo, after_grpo = post_train(train, seed=0)
    assert 0.3 < after_sft < after_dpo - 0.1
    assert after_dpo + 0.03 < after_grpo
    assert after_grpo >= 0.95


@pytest.mark.slow
@pytest.mark.spec("7.3")
def test_post_training_works_for_nearly_all_seeds(train: Train) -> None:
    """For at least four of five seeds the answers rise at each stage and reach .9."""
    chains = [post_train(train, seed) for seed in SEEDS]
    assert sum(one < two < three and three >= 0.9 for one, two, three in chains) >= 4, chains


@pytest.mark.spec("7.3", "8.1")
def test_the_chain_ends_in_a_model_that_sorts(train: Train) -> None:
    """After GRPO the predictor answers "dcba" with "abcd"."""
    start: Start | None = None
    for stage in (sft, grpo):
        start = train(stage, start=start).start("init+reference")
    assert start is not None
    assert grpo.predict is not None
    ask = grpo.predict(start.path)
    assert ask("dcba") == "abcd"
    assert ask(["bbad>", "eeaa"]) == ["abbd", "aaee"]


@pytest.mark.spec("7.3")
def test_ppo_balances_the_pole_for_nearly_all_seeds(train: Train) -> None:
    """The best checkpoint holds the pole for 475 steps on average, for at least four of five seeds."""
    scores = [train(ppo, seed=seed).best.evaluation_score or 0.0 for seed in SEEDS]
    assert sum(score >= 475 for score in scores) >= 4, scores


@pytest.mark.spec("7.3", "5.5")
def test_best_and_final_of_dqn_are_two_things(train: Train) -> None:
    """DQN learns to hold the pole, but its scores also fall: the final checkpoint need not be the best."""
    runs = [train(dqn, seed=seed) for seed in (0, 1)]
    assert max(run.best.evaluation_score or 0.0 for run in runs) >= 400
    for run in runs:
        scores = [saved.evaluation_score or 0.0 for saved in run.checkpoints]
        assert any(later < earlier - 5 for earlier, later in pairwise(scores)), scores


@pytest.mark.spec("7.3")
@pytest.mark.parametrize(
    ("dataset", "at_least"), [("friedman1", 0.9), ("friedman1-classes", 0.8), ("gait", 0.95)]
)
def test_supervised_generalizes(train: Train, dataset: str, at_least: float) -> None:
    """Held-out R squared or accuracy is high."""
    assert (train(supervised, {"dataset": dataset}).best.evaluation_score or 0.0) >= at_least


@pytest.mark.spec("7.3")
def test_latent_ppo_needs_the_trained_decoder(train: Train, tmp_path: Path) -> None:
    """Swimmers reach .8 of their goals through the decoder, through a random one under .1."""
    decoder = train(supervised, {"dataset": "gait"})
    learned = train(latent_ppo, start=decoder.start("decoder"))
    assert (learned.final.evaluation_score or 0.0) >= 0.8
    assert learned.final.step <= 100_000

    facts = DecoderFacts(state_dim=5, action_dim=5, latent_dim=2, hidden_units=96)
    control = ActionDecoder(facts, np.random.default_rng(0))
    control.network.parameters[-2] *= 10  # as wide as real actions
    folder = tmp_path / "control"
    folder.mkdir()
    control.save(folder)
    random = train(latent_ppo, start=Start(path=folder, role="decoder", step=0))
    assert (random.best.evaluation_score or 0.0) < 0.1


@pytest.mark.spec("7.2", "7.3")
def test_latent_policies_carry_their_decoder(train: Train) -> None:
    """A latent policy acts and trains on from its own checkpoint alone, its decoder unchanged."""
    decoder = train(supervised, {"dataset": "gait", "steps": 50})
    config = {"steps": 2_500, "evaluation_episodes": 10}
    first = train(latent_ppo, config, start=decoder.start("decoder"))
    second = train(latent_ppo, config, start=first.start("weights"))
    frozen = [(run.folder.path / "decoder.npz").read_bytes() for run in (decoder.final, second.final)]
    assert frozen[0] == frozen[1]
    action = latent.predict(second.final.folder.path)([0.1] * 8)
    assert len(action) == 5
    assert np.abs(action).max() <= 1
