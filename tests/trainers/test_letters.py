"""The task of the language models, the model and its predictor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.algorithms.text_predictor import Completion, SamplingSettings, TextPredictor
from pipeline_widgets.errors import CheckpointError, PipelineError
from pipeline_widgets.trainers.numpy import language_model, letters, letters_predictor
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
    ask = letters_predictor.predict(saved)
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
        letters_predictor.predict(saved)(prompt)
    assert caught.value.what
    assert caught.value.why
    assert "dbca" in caught.value.fix


def test_another_base_model_is_refused(saved: Path) -> None:
    """A checkpoint of another base model than the config says is an error that names both."""
    with pytest.raises(CheckpointError, match=r"letters-64.*letters-128"):
        language_model.load(saved, "letters-128")


@pytest.fixture(name="asked")
def _asked(saved: Path) -> TextPredictor:
    """A predictor of the saved model."""
    return letters_predictor.predict(saved)


def sampled(asked: TextPredictor, seed: int, *stop: str) -> Completion:
    """Return a completion drawn at temperature 1."""
    return asked.complete("edcb", SamplingSettings(temperature=1, seed=seed, stop=stop))


@pytest.mark.spec("8.5")
def test_a_completion_counts_its_tokens_and_says_why_it_ends(asked: TextPredictor) -> None:
    """A limit ends it as "length"; a prompt that holds a beginning is gone on with, as is one of ids."""
    whole = asked.complete("dbca", SamplingSettings())
    assert whole.text == asked("dbca")
    assert (whole.prompt_tokens, whole.finish_reason) == (5, "stop" if len(whole.text) < 5 else "length")
    first = asked.complete("dbca>", SamplingSettings(max_tokens=1))
    assert (first.text, first.completion_tokens, first.finish_reason) == (whole.text[:1], 1, "length")
    rest = asked.complete(f"dbca>{first.text}", SamplingSettings())
    assert first.text + rest.text == whole.text
    assert asked.complete(asked.tokenize(f"dbca>{first.text}"), SamplingSettings()) == rest
    assert asked.detokenize(asked.tokenize("dbca>a")) == "dbca>a"


@pytest.mark.spec("8.5")
def test_the_pieces_of_a_completion_are_its_text_up_to_a_stop_text(asked: TextPredictor) -> None:
    """A stop text ends the completion before itself, and who goes away ends it at once."""
    seeds = (seed for seed in range(100) if len(sampled(asked, seed).text) > 2)
    seed, pieces = next(seeds), list[str]()
    whole = asked.complete("edcb", SamplingSettings(temperature=1, seed=seed), pieces.append)
    assert "".join(pieces) == whole.text
    stopped = sampled(asked, seed, whole.text[1:3])
    assert (stopped.text, stopped.finish_reason) == (whole.text[0], "stop")
    assert stopped.completion_tokens == 3

    def leave(_: str) -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        asked.complete("edcb", SamplingSettings(), leave)


@pytest.mark.spec("8.5")
def test_a_seed_draws_the_same_and_the_nucleus_leaves_out_the_unlikely(asked: TextPredictor) -> None:
    """Temperature 0 and the smallest nucleus are greedy; seeds repeat, and differ from one another."""
    greedy = asked("dbca")
    hot = [sampled(asked, seed).text for seed in range(20)]
    assert hot == [sampled(asked, seed).text for seed in range(20)]
    assert len(set(hot)) > 10
    narrow = SamplingSettings(temperature=2, top_p=1e-9, seed=1)
    assert asked.complete("dbca", narrow).text == greedy
    assert asked.complete("dbca", SamplingSettings(temperature=0, seed=5)).text == greedy


@pytest.mark.spec("8.5")
def test_a_prompt_is_scored_as_its_completion_was(asked: TextPredictor) -> None:
    """The scores of a completion as a prompt are the log-probabilities that it was generated with."""
    made = asked.complete("dbca", SamplingSettings(max_tokens=4, log_probs=2))
    scored = asked.score(f"dbca>{made.text}", top=2)
    assert [token.text for token in scored] == [*"dbca>", *made.text]
    assert all(token.log_prob is None and not token.top for token in scored[:5])
    for before, after in zip(made.tokens, scored[5:], strict=False):
        assert after.log_prob == pytest.approx(before.log_prob, abs=1e-5)
        assert after.top[0][0] == before.text  # it was greedy
        assert len(after.top) == 2
    exact = sum(np.exp(chance) for _, chance in asked.score("dbca>a", top=7)[-1].top)
    assert exact == pytest.approx(1, abs=1e-5)


@pytest.mark.spec("8.5")
def test_a_chat_is_one_message_and_what_has_no_room_is_refused(asked: TextPredictor) -> None:
    """The message becomes the prompt; a second one, unknown ids and a full context are refused."""
    assert asked.render_chat([{"role": "user", "content": " dbca"}]) == "dbca>"
    refused: list[Callable[[], object]] = [
        lambda: asked.render_chat([{"role": "system", "content": "x"}, {"role": "user", "content": "dbca"}]),
        lambda: asked.complete((2, 3, 4, 5), SamplingSettings()),
        lambda: asked.complete((2, 3, 4, 5, 99), SamplingSettings()),
        lambda: asked.complete("dbca>abcde", SamplingSettings()),
        lambda: asked.score("dbca>abcdea"),
        lambda: asked.tokenize("test"),
    ]
    for act in refused:
        with pytest.raises(PipelineError) as caught:
            act()
        assert caught.value.fix
