"""What an author of a language model returns, and how a text is cut at stop texts (spec 8.5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.algorithms.text_predictor import (
    Completion,
    Prompt,
    SamplingSettings,
    StopTexts,
    TakeText,
    TextPredictor,
)
from pipeline_widgets.errors import PipelineError


class Shouting(TextPredictor):
    """Answers a prompt in capital letters: all that an author has to write."""

    def complete(
        self,
        prompt: Prompt,
        settings: SamplingSettings,  # noqa: ARG002
        on_text: TakeText | None = None,  # noqa: ARG002
    ) -> Completion:
        text = str(prompt).upper()
        return Completion(text=text, finish_reason="stop", prompt_tokens=1, completion_tokens=1)

    def tokenize(self, text: str) -> tuple[int, ...]:
        return tuple(map(ord, text))


def cut(pieces: list[str], stop: list[str]) -> list[str]:
    """Return the pieces that a client gets."""
    stops, taken = StopTexts(stop), list[str]()
    for piece in pieces:
        taken.append(stops.add(piece))
        if stops.found:
            return taken
    return [*taken, stops.finish()]


def test_a_predictor_of_two_methods_answers_prompts_and_counts_tokens() -> None:
    """A text gives a text, a list of texts a list, and what is neither is refused."""
    predictor = Shouting()
    assert predictor("abc") == "ABC"
    assert predictor(["abc", "d"]) == ["ABC", "D"]
    assert predictor.count("abc") == 3
    with pytest.raises(PipelineError, match=r"The prompt is not a text\. It is 7\."):
        predictor(7)


def test_what_a_predictor_leaves_out_is_refused_with_the_reason() -> None:
    """Chat, scores and texts of token ids are refused in a sentence."""
    predictor = Shouting()
    with pytest.raises(PipelineError, match="no chat template"):
        predictor.render_chat([{"role": "user", "content": "abc"}])
    with pytest.raises(PipelineError, match="does not score prompts"):
        predictor.score("abc")
    with pytest.raises(PipelineError, match="cannot turn token ids into text"):
        predictor.detokenize([1])


@pytest.mark.parametrize(
    ("pieces", "stop", "taken"),
    [
        (["ab", "cd"], [], ["ab", "cd", ""]),
        (["ab", "\n", "\ncd"], ["\n\n"], ["ab", "", ""]),
        (["ab", "\n", "cd"], ["\n\n"], ["ab", "", "\ncd", ""]),
        (["ab\n"], ["\n\n"], ["ab", "\n"]),
        (["abcabd"], ["abd", "bca"], ["a"]),
        (["ab"], [""], ["ab", ""]),
    ],
)
def test_a_text_is_cut_before_the_first_stop_text(
    pieces: list[str], stop: list[str], taken: list[str]
) -> None:
    """The stop text is never seen, also where it comes in pieces, and what only looked like one is."""
    assert cut(pieces, stop) == taken


@given(st.lists(st.text("ab", max_size=4)), st.lists(st.text("ab", min_size=1, max_size=3), max_size=3))
def test_pieces_are_cut_where_the_whole_text_would_be(pieces: list[str], stop: list[str]) -> None:
    """However a text is divided into pieces, the same text comes out."""
    whole = "".join(pieces)
    ends: list[int] = []
    for size in range(len(whole) + 1):  # the stop text that is complete first ends the text
        if complete := [each for each in stop if whole[:size].endswith(each)]:
            ends = [size - len(each) for each in complete]
            break
    got = "".join(cut(pieces, stop))
    if not ends:
        assert got == whole
    else:
        assert whole.startswith(got)
        assert not any(each in got for each in stop)
        assert len(got) <= max(ends)
