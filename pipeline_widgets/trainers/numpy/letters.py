"""The task of the tiny language models: sort four letters, "dbca>" -> "abcd".

Texts are arrays of token ids. A prompt is (PROMPT_LENGTH,) and a completion (COMPLETION_LENGTH,), padded
after its end. The ids of letters are in alphabetical order, so the answer to a prompt is its sorted ids.
The split and the data are fixed: every experiment is held to the same prompts, which nothing trained on.
"""

from __future__ import annotations

import itertools
from functools import cache
from typing import NamedTuple

import numpy as np

from pipeline_widgets.trainers.numpy.nn import Floats, Integers

LETTERS = "abcde"
LENGTH = 4  # letters of a prompt
END = ">"  # of a prompt
PAD, STOP = 0, 1
VOCABULARY = ("", "", *LETTERS, END)  # what the ids stand for; padding and the end of a text show as nothing
PROMPT_LENGTH = LENGTH + 1
COMPLETION_LENGTH = LENGTH + 1  # the letters and STOP
HELD_OUT = 100  # prompts of 625 that no training sees
DATA_SEED = 0


class Prompts(NamedTuple):
    """All prompts, split: each (n, PROMPT_LENGTH)."""

    train: Integers
    held_out: Integers


class Pairs(NamedTuple):
    """Preferences: to each prompt a chosen and a rejected completion."""

    prompts: Integers
    chosen: Integers
    rejected: Integers


def encode(text: str) -> list[int]:
    """Return the token ids of a text."""
    return [VOCABULARY.index(letter, STOP + 1) for letter in text]


def decode(tokens: Integers) -> str:
    """Return the text of token ids, up to its end."""
    ids = [int(token) for token in tokens]
    return "".join(VOCABULARY[token] for token in ids[: ids.index(STOP) if STOP in ids else None])


@cache
def prompts() -> Prompts:
    """Return the split of all prompts."""
    texts = [encode("".join(text) + END) for text in itertools.product(LETTERS, repeat=LENGTH)]
    shuffled = np.random.default_rng(DATA_SEED).permutation(np.array(texts))
    return Prompts(train=shuffled[HELD_OUT:], held_out=shuffled[:HELD_OUT])


def answers(asked: Integers) -> Integers:
    """Return the right completions."""
    return _complete(np.sort(asked[:, :LENGTH], axis=1))


def exact(asked: Integers, completions: Integers) -> Floats:
    """Return 1.0 where a completion is the right one, else 0.0: the reward of the task."""
    return (completions == answers(asked)).all(axis=1).astype(np.float64)


def demonstrations(noise: float, copies: int = 4) -> tuple[Integers, Integers]:
    """Return prompts and completions of a careless teacher, who slips at the share `noise` of them."""
    rng = np.random.default_rng([DATA_SEED, 1])
    asked = np.repeat(prompts().train, copies, axis=0)
    slips = rng.random((len(asked), 1)) < noise
    return asked, np.where(slips, _careless(asked, rng), answers(asked))


def preference_pairs() -> Pairs:
    """Return pairs of the right answer and a careless one that is wrong."""
    asked = prompts().train
    chosen, rejected = answers(asked), _careless(asked, np.random.default_rng([DATA_SEED, 2]))
    wrong = (chosen != rejected).any(axis=1)
    return Pairs(prompts=asked[wrong], chosen=chosen[wrong], rejected=rejected[wrong])


def _careless(asked: Integers, rng: np.random.Generator) -> Integers:
    """Half of the time the letters as they came, half of the time with only the first two sorted."""
    letters = asked[:, :LENGTH]
    half_sorted = np.concatenate([np.sort(letters[:, :2], axis=1), letters[:, 2:]], axis=1)
    return _complete(np.where(rng.random((len(asked), 1)) < 0.5, letters, half_sorted))  # noqa: PLR2004  half


def _complete(letters: Integers) -> Integers:
    return np.concatenate([letters, np.full((len(letters), 1), STOP)], axis=1)
