"""The task of the language models, the model and its predictor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.errors import CheckpointError, PipelineError
from pipeline_widgets.trainers.numpy import language_model, letters
from pipeline_widgets.trainers.numpy.language_model import LanguageModel
from pipeline_widgets.trainers.numpy.nn import Floats, Integers

PROMPT = st.text(alphabet=letters.LETTERS, min_size=letters.LENGTH, max_size=letters.LENGTH)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A folder with an untrained model."""
    language_model.save(LanguageModel("letters-64", np.random.default_rng(0)), tmp_path)
    return tmp_path


def texts(prompts: Integers) -> set[str]:
    """Return the distinct texts of prompts."""
    return {letters.decode(prompt) for prompt in prompts}


@given(text=PROMPT)
def test_the_answer_is_the_sorted_letters(text: str) -> None:
    """The right completion of a prompt is its letters in order, and only that is rewarded."""
    prompt = np.array([letters.encode(text + letters.END)])
    answer = letters.answers(prompt)
    assert letters.decode(answer[0]) == "".join(sorted(text))
    assert letters.exact(prompt, answer).tolist() == [1]
    assert letters.exact(prompt, np.where(answer == letters.STOP, letters.PAD, answer)).tolist() == [0]


def test_held_out_prompts_are_nowhere_in_the_data() -> None:
    """No demonstration and no pair has a held-out prompt, and both splits together are all prompts."""
    trained, held_out = (texts(part) for part in letters.prompts())
    assert len(trained | held_out) == len(letters.LETTERS) ** letters.LENGTH
    used = np.concatenate([letters.demonstrations(0.5)[0], letters.preference_pairs().prompts])
    assert not held_out & texts(used)


def test_demonstrations_are_noisy_as_asked() -> None:
    """Without noise all demonstrations are right; with it a part of them is not."""
    shares = {noise: letters.exact(*letters.demonstrations(noise)).mean() for noise in (0.0, 0.5, 1.0)}
    assert shares[0.0] == 1
    assert shares[1.0] < 0.2 < shares[0.5] < 0.7


def test_pairs_prefer_right_to_wrong() -> None:
    """Each chosen completion is right, and each rejected one wrong."""
    pairs = letters.preference_pairs()
    assert letters.exact(pairs.prompts, pairs.chosen).all()
    assert not letters.exact(pairs.prompts, pairs.rejected).any()


def test_samples_are_as_likely_as_the_model_says() -> None:
    """Texts are generated with the probabilities that scoring gives them."""
    model = LanguageModel("letters-64", np.random.default_rng(0))
    model.network.parameters[-1][0] = 2  # to end soon, so that texts repeat
    prompts = np.repeat(letters.prompts().train[:1], 20_000, axis=0)
    sampled, counts = np.unique(model.generate(prompts, np.random.default_rng(0)), axis=0, return_counts=True)
    order = np.argsort(-counts)[:5]
    likelihoods: Floats = np.exp(model.score(prompts[:5], sampled[order]).log_probs.sum(axis=1))
    assert counts[order] / 20_000 == pytest.approx(likelihoods, rel=0.15)


def test_padding_has_no_log_probability() -> None:
    """What comes after the end of a completion does not count."""
    model = LanguageModel("letters-64", np.random.default_rng(0))
    completion = np.array([[2, letters.STOP, letters.PAD, letters.PAD, letters.PAD]])
    scored = model.score(letters.prompts().train[:1], completion)
    assert scored.mask.tolist() == [[True, True, False, False, False]]
    assert scored.log_probs[0, 2:].tolist() == [0, 0, 0]


@pytest.mark.spec("8.1")
def test_predictor_answers_prompts_and_lists(saved: Path) -> None:
    """A prompt, with its end or without, gives a text; a list gives a list."""
    ask = language_model.predict(saved)
    assert ask("dbca") == ask("dbca>") == ask(" dbca ")
    assert ask(["dbca", "aaaa>"]) == [ask("dbca"), ask("aaaa")]
    assert ask([]) == []


@pytest.mark.spec("8.3", "10.3")
@pytest.mark.parametrize(
    "prompt", ["xyzq", "abc", "abcde", "", "ab>c", "ABCD", 7, None, ["abcd", 1], {"a": 1}]
)
def test_predictor_refuses_what_is_no_prompt(saved: Path, prompt: Any) -> None:
    """Unknown letters, wrong lengths and other types are refused, with what, why and what to do."""
    with pytest.raises(PipelineError) as caught:
        language_model.predict(saved)(prompt)
    assert caught.value.what
    assert caught.value.why
    assert "dbca" in caught.value.fix


def test_another_base_model_is_refused(saved: Path) -> None:
    """A checkpoint of another base model than the config says is an error that names both."""
    with pytest.raises(CheckpointError, match=r"letters-64.*letters-128"):
        language_model.load(saved, "letters-128")
