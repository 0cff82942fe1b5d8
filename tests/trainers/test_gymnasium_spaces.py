"""Spaces as short texts and as JSON, and trainers that are declared without their library."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from pipeline_widgets.algorithms import registry
from pipeline_widgets.domain.compatibility import assess_compatibility
from pipeline_widgets.errors import ConfigError, PipelineError
from pipeline_widgets.trainers.gymnasium_spaces import (
    as_observations,
    describe_bounds,
    describe_space,
    describe_spaces,
    example_of,
    spaces_of,
)

READY = ("SB3 PPO", "SB3 A2C", "SB3 DQN", "SB3 SAC", "SB3 TD3", "AgileRL PPO", "AgileRL DQN")
CAMERA = spaces.Box(0, 255, (2, 2, 3), np.uint8)


@pytest.mark.spec("7.7")
@pytest.mark.parametrize(
    ("space", "text", "bounds"),
    [
        (spaces.Box(-2, 2, (1,)), "Box(1) float32", "-2 to 2"),
        (spaces.Box(-np.inf, np.inf, (3,), np.float64), "Box(3) float64", "unbounded"),
        (CAMERA, "Box(2, 2, 3) uint8", "0 to 255"),
        (spaces.Discrete(4), "Discrete(4)", "none"),
        (spaces.Discrete(4, start=-1), "Discrete(4, start=-1)", "none"),
        (spaces.MultiDiscrete([3, 2]), "MultiDiscrete(3, 2)", "none"),
        (spaces.MultiBinary(5), "MultiBinary(5)", "none"),
        (
            spaces.Dict({"a": spaces.Box(0, 1, (2,)), "b": spaces.Discrete(2)}),
            "Dict(a: Box(2) float32, b: Discrete(2))",
            "0 to 1",
        ),
    ],
)
def test_a_space_is_a_short_text(space: Any, text: str, bounds: str) -> None:
    """Without its bounds, which are a text of their own."""
    assert (describe_space(space), describe_bounds(space)) == (text, bounds)


@pytest.mark.spec("7.7")
def test_many_bounds_are_a_digest() -> None:
    """Spaces that differ in one bound of many have other texts, which stay short."""
    low = np.arange(200, dtype=np.float32)
    texts = [describe_bounds(spaces.Box(low, low + high, dtype=np.float32)) for high in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]
    assert all(len(text) < 40 for text in texts)


def test_environments_are_described_and_closed() -> None:
    """An id or a function gives the spaces; what cannot be made is a ConfigError."""
    facets = describe_spaces(*spaces_of("Pendulum-v1"))
    assert facets == describe_spaces(*spaces_of(lambda: gymnasium.make("Pendulum-v1")))
    assert json.loads(json.dumps(facets)) == facets
    for wrong in ("NoSuch-v1", lambda: 3, lambda: 1 / 0):
        with pytest.raises(ConfigError):
            spaces_of(wrong)


@pytest.mark.spec("8.3")
@pytest.mark.parametrize(
    ("space", "good", "bad"),
    [
        (
            spaces.Box(-2, 2, (2,)),
            [0.5, 1],
            ["a", [1], [[[1, 2]]], None, [float("nan"), 1], [1e300, 0], [True, False]],
        ),
        (CAMERA, np.zeros((2, 2, 3), int).tolist(), [[0], np.full((2, 2, 3), 256).tolist(), {"a": 1}]),
        (spaces.Discrete(3), 2, [3, -1, 0.5, "1"]),
        (spaces.Dict({"a": spaces.Discrete(2)}), {"a": 1}, [{"b": 1}, {"a": 1, "b": 1}, 1, {"a": 2}]),
    ],
)
def test_observations_are_read_or_refused(space: Any, good: Any, bad: list[Any]) -> None:
    """One and several, in the type of the space; the example of a space is one of its observations."""
    batch, single = as_observations(space, good)
    assert single
    assert (batch["a"] if isinstance(good, dict) else batch).shape[0] == 1
    many = {"a": [1, 0]} if isinstance(good, dict) else [good, good]
    assert as_observations(space, many)[1] is False
    assert as_observations(space, example_of(space))[1]
    for wrong in bad:
        with pytest.raises(PipelineError) as caught:
            as_observations(space, wrong)
        assert caught.value.what


@pytest.mark.spec("7.5")
def test_trainers_are_listed_without_their_library() -> None:
    """Their forms and signatures are there, and neither torch nor the library is imported for them."""
    code = (
        "import sys\nfrom pipeline_widgets.algorithms import registry\n"
        f"for name in {READY!r}:\n"
        "    made = registry.find(name)\n    made.signature_of(made.validate({}))\n"
        "    assert made.install.startswith('pip install'), name\n"
        "print({'torch', 'stable_baselines3', 'agilerl'} & set(sys.modules))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "set()"


@pytest.mark.spec("7.2", "7.7")
@pytest.mark.parametrize("name", READY)
def test_an_algorithm_fits_itself(name: str) -> None:
    """And not one that has other spaces: the reason names the facet."""
    made = registry.find(name)
    facets = made.signature_of(made.validate({}))
    verdict = assess_compatibility(made.spec, facets, made.spec, facets)
    assert verdict.role == "weights", verdict.reason
    other = {**facets, "observation": "Box(9) float32"}
    assert "its observation is" in assess_compatibility(made.spec, facets, made.spec, other).reason
