"""Built-in predictors answer a batch with the same bits as one input after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import pipeline_widgets as pw
from pipeline_widgets.algorithms.registry import Algorithm
from pipeline_widgets.trainers.numpy.dqn import dqn
from pipeline_widgets.trainers.numpy.nn import MLP
from pipeline_widgets.trainers.numpy.ppo import ppo
from pipeline_widgets.trainers.numpy.predictor_inputs import RowPredictor
from pipeline_widgets.trainers.numpy.supervised import supervised

if TYPE_CHECKING:
    from tests.trainers.conftest import Train

TRAINED: dict[str, tuple[Algorithm, dict[str, Any]]] = {
    "PPO": (ppo, {"steps": 1, "evaluation_episodes": 1}),
    "PPO of continuous actions": (ppo, {"steps": 1, "evaluation_episodes": 1, "env_id": "Pendulum-v1"}),
    "DQN": (dqn, {"steps": 300, "evaluation_episodes": 1, "warm_up": 200}),
    "Supervised": (supervised, {"steps": 10}),
}


@pytest.mark.parametrize("sizes", [(4, 64, 64, 2), (3, 7, 1), (17, 128, 9)])
def test_a_network_answers_each_row_as_it_would_by_itself(sizes: tuple[int, ...]) -> None:
    """To the last bit, whatever else is in the batch."""
    rng = np.random.default_rng(1)
    network = MLP(sizes, rng)
    rows = rng.standard_normal((33, sizes[0])).astype(np.float32)
    alone = np.concatenate([network(rows[at : at + 1]) for at in range(len(rows))])
    assert np.array_equal(network(rows, by_row=True), alone)


@pytest.mark.parametrize("name", TRAINED)
def test_a_batch_is_answered_as_one_by_one(name: str, train: Train) -> None:
    """Also with lists of rows among the requests; a wrong one is an error, whatever else is in the batch."""
    algorithm, config = TRAINED[name]
    assert algorithm.predict is not None
    predictor = algorithm.predict(train(algorithm, config).final.folder.path)
    assert isinstance(predictor, RowPredictor)
    rng = np.random.default_rng(2)
    rows = rng.standard_normal((40, len(predictor.example))).tolist()
    assert predictor.predict_batch(rows) == [predictor(row) for row in rows]
    mixed = [rows[0], rows[:3], rows[4]]
    assert predictor.predict_batch(mixed) == [predictor(each) for each in mixed]
    for wrong in (1.0, True, [True] * len(rows[0]), "1", [1.0], [float("nan")] * len(rows[0])):
        with pytest.raises(pw.PipelineError):
            predictor.predict_batch([rows[0], wrong])
