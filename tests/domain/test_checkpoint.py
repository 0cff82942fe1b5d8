"""Which checkpoint is Best and which is Final (spec section 5)."""

from __future__ import annotations

import math

import pytest
from factories.values import a_checkpoint
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.checkpoint import Checkpoint, choose_checkpoint
from pipeline_widgets.domain.experiment import compute_config_digest
from pipeline_widgets.errors import NoCheckpointError

scores = st.none() | st.floats(allow_nan=True, allow_infinity=True)


@st.composite
def saved(draw: st.DrawFn) -> list[Checkpoint]:
    """What a run saved: each step once, in any order, with any scores."""
    steps = draw(st.lists(st.integers(0, 50), min_size=1, max_size=8, unique=True))
    return [a_checkpoint(step, draw(scores), draw(scores)) for step in steps]


def best(*checkpoints: Checkpoint, higher: bool = True) -> int:
    """Return the step of the best checkpoint."""
    return choose_checkpoint(checkpoints, "best", higher_is_better=higher).checkpoint.step


@pytest.mark.spec("5.5")
def test_best_is_the_highest_evaluation_score() -> None:
    """Best goes by the evaluation score, whatever the training score, in the algorithm's direction."""
    three = (a_checkpoint(10, 0.2, 0.9), a_checkpoint(20, 0.8, 0.1), a_checkpoint(30, 0.5, 1.0))
    assert best(*three) == 20
    assert best(*three, higher=False) == 10


@pytest.mark.spec("5.5")
def test_without_evaluation_scores_the_training_score_counts() -> None:
    """One evaluation score decides alone; without any, the training scores do."""
    assert best(a_checkpoint(10, None, 0.9), a_checkpoint(20, 0.1, 0.1)) == 20
    assert best(a_checkpoint(10, None, 0.9), a_checkpoint(20, None, 0.1)) == 10
    assert best(a_checkpoint(10, math.nan, 0.9), a_checkpoint(20, math.inf, 0.1)) == 10


@pytest.mark.spec("5.5")
def test_a_tie_goes_to_the_later_step() -> None:
    """Of equal scores the later step wins, in both directions and whatever the order."""
    tied = (a_checkpoint(20, 0.5), a_checkpoint(30, 0.5), a_checkpoint(10, 0.5))
    assert best(*tied) == best(*tied, higher=False) == 30


@pytest.mark.spec("5.5")
def test_no_scores_at_all_means_final_and_the_reason_says_so() -> None:
    """Without any score Best is the final checkpoint, and it is said that no scores were reported."""
    chosen = choose_checkpoint((a_checkpoint(20), a_checkpoint(10)), "best", higher_is_better=True)
    assert chosen.checkpoint.step == 20
    assert chosen.reason == "no scores were reported: final, step 20"


@pytest.mark.spec("5.5")
def test_the_reason_tells_by_what_it_won() -> None:
    """The reason names the score, its value and the step."""
    two = (a_checkpoint(600, 0.98123), a_checkpoint(300, 0.5))
    assert (
        choose_checkpoint(two, "best", higher_is_better=True).reason
        == "best evaluation score 0.9812, step 600"
    )
    assert choose_checkpoint(two, "final", higher_is_better=True).reason == "final, step 600"
    assert choose_checkpoint(two, 300, higher_is_better=True).reason == "step 300"


@pytest.mark.spec("5.5")
def test_a_step_that_was_not_saved_is_refused_with_those_that_were() -> None:
    """A specific step that does not exist names the steps that do."""
    with pytest.raises(NoCheckpointError, match=r"no checkpoint at step 15. There are 10, 20"):
        choose_checkpoint((a_checkpoint(20), a_checkpoint(10)), 15, higher_is_better=True)


@pytest.mark.parametrize("choice", ["best", "final", 10])
def test_nothing_can_be_chosen_of_nothing(choice: str | int) -> None:
    """Without checkpoints every choice is refused."""
    with pytest.raises(NoCheckpointError, match="There is no checkpoint yet"):
        choose_checkpoint((), choice, higher_is_better=True)  # pyright: ignore[reportArgumentType]  str is wider


@pytest.mark.spec("5.5")
@given(saved(), st.booleans())
def test_nan_and_infinities_never_win(checkpoints: list[Checkpoint], higher: bool) -> None:  # noqa: FBT001  hypothesis passes it
    """If any score of the deciding kind is finite, Best has a finite one that no other beats."""
    chosen = choose_checkpoint(checkpoints, "best", higher_is_better=higher).checkpoint
    sign = 1 if higher else -1
    for name in ("evaluation_score", "training_score"):
        finite = [
            (sign * score, each.step)
            for each in checkpoints
            if (score := getattr(each, name)) is not None and math.isfinite(score)
        ]
        if finite:
            assert (sign * getattr(chosen, name), chosen.step) == max(finite)
            return
    assert chosen == choose_checkpoint(checkpoints, "final", higher_is_better=higher).checkpoint


@pytest.mark.spec("5.5")
@given(saved(), st.booleans())
def test_final_is_the_most_steps(checkpoints: list[Checkpoint], higher: bool) -> None:  # noqa: FBT001
    """Final is the checkpoint with the most steps, whatever the scores."""
    final = choose_checkpoint(checkpoints, "final", higher_is_better=higher).checkpoint
    assert final.step == max(each.step for each in checkpoints)


@pytest.mark.spec("5.5")
@given(saved(), st.randoms(), st.booleans())
def test_the_order_of_checkpoints_does_not_matter(
    checkpoints: list[Checkpoint],
    random: object,
    higher: bool,  # noqa: FBT001
) -> None:
    """Best is the same in whatever order the checkpoints come."""
    shuffled = list(checkpoints)
    random.shuffle(shuffled)  # pyright: ignore[reportAttributeAccessIssue]  a random.Random
    first, second = (
        choose_checkpoint(each, "best", higher_is_better=higher) for each in (checkpoints, shuffled)
    )
    assert first == second


@pytest.mark.spec("5.5")
def test_best_of_several_runs_may_share_steps() -> None:
    """Two runs that saved the same step are told apart: Best is the better of the two."""
    good, bad = a_checkpoint(10, 0.9, run_id=1), a_checkpoint(10, 0.1, run_id=2)
    for order in ((good, bad), (bad, good)):
        assert choose_checkpoint(order, "best", higher_is_better=True).checkpoint == good


@pytest.mark.spec("6.8")
@given(st.dictionaries(st.text(max_size=5), st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)))
def test_a_config_is_known_by_its_content(config: dict[str, object]) -> None:
    """The digest of a config does not depend on the order of its fields, and does on the seed."""
    backwards = dict(reversed(config.items()))
    assert compute_config_digest(config, 1) == compute_config_digest(backwards, 1)
    assert compute_config_digest(config, 1) != compute_config_digest(config, 2)
    assert compute_config_digest({**config, "extra": 1}, 1) != compute_config_digest(
        {**config, "extra": 2}, 1
    )


def test_a_reference_is_known_by_where_the_code_is() -> None:
    """Two references are the same code exactly when path, root and value agree."""
    same = [AlgorithmReference(path="a:b"), AlgorithmReference(path="a:b")]
    others = [
        AlgorithmReference(path="a:c"),
        AlgorithmReference(path="a:b", root="/x"),
        AlgorithmReference(value="a:b"),
    ]
    assert len({each.digest for each in same}) == 1
    assert len({each.digest for each in (same[0], *others)}) == 4
