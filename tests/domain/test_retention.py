"""Which checkpoints a clean-up frees (spec 8.4)."""

from __future__ import annotations

import pytest
from factories.values import a_checkpoint, a_run
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.checkpoint import Checkpoint, choose_checkpoint
from pipeline_widgets.domain.retention import (
    Keep,
    RunCheckpoints,
    decide_retention,
    list_deletable,
    parse_keep,
    summarize_by_experiment,
    summarize_clean_up,
)
from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.errors import ConfigError

pytestmark = pytest.mark.spec("8.4")

SCORES = (0.1, 0.9, 0.5, 0.3)


def saved(run: Run, *lineage: Checkpoint, higher: bool = True) -> RunCheckpoints:
    """Return a run of experiment "sft" with its checkpoints."""
    return RunCheckpoints(run=run, experiment="sft", higher_is_better=higher, lineage=lineage)


def four(run: int = 1) -> tuple[Checkpoint, ...]:
    """Return checkpoints at 10, 20, 30 and 40; the best is at 20, the lowest score at 10."""
    return tuple(a_checkpoint(10 * at, score, run_id=run) for at, score in enumerate(SCORES, 1))


def steps(runs: list[RunCheckpoints], keep: Keep, users: dict[int, list[str]] | None = None) -> list[int]:
    """Return the steps that stay."""
    return [each.checkpoint.step for each in decide_retention(runs, keep, users or {}, {}) if each.is_kept]


@pytest.mark.parametrize(
    ("keep", "kept"), [("best+final", [20, 40]), ("best", [20]), ("final", [40]), ("all", [10, 20, 30, 40])]
)
def test_each_option_keeps_what_it_says(keep: Keep, kept: list[int]) -> None:
    """Of a run that succeeded and that nobody uses."""
    assert steps([saved(a_run(), *four())], keep) == kept


def test_where_lower_is_better_the_lowest_score_is_the_best() -> None:
    """The direction of the algorithm's score counts."""
    assert steps([saved(a_run(), *four(), higher=False)], "best") == [10]


def test_what_is_used_stays_with_its_users_as_reasons() -> None:
    """Each user once, in order."""
    users = {1010: ["run 2 of 'dpo'", "agent 'a'", "run 2 of 'dpo'"]}
    first, *_ = decide_retention(
        [saved(a_run(), *four())], "final", users, {1010: ["stage 2 of pipeline 'p'"]}
    )
    assert first.reasons == ("run 2 of 'dpo'", "agent 'a'", "stage 2 of pipeline 'p'")


@pytest.mark.parametrize("status", [Status.PENDING, Status.RUNNING, Status.STOPPING])
def test_nothing_of_an_active_run_goes(status: Status) -> None:
    """It may yet go on from any of them."""
    assert steps([saved(a_run(status=status), *four())], "best") == [10, 20, 30, 40]


@pytest.mark.parametrize("status", [Status.STOPPED, Status.FAILED, Status.CRASHED])
def test_what_can_be_resumed_keeps_its_last_checkpoint(status: Status) -> None:
    """Even where only the best are kept."""
    last = decide_retention([saved(a_run(status=status), *four())], "best", {}, {})[-1]
    assert last.reasons == ("run 1 can be resumed from it",)


def test_the_best_of_a_resumed_run_may_be_its_forerunners() -> None:
    """It stays although the forerunner itself would give it away."""
    before, after = a_run(1, Status.STOPPED), a_run(2)
    old = [a_checkpoint(10, 0.9, run_id=1), a_checkpoint(20, 0.2, run_id=1)]
    new = a_checkpoint(30, 0.4, run_id=2)
    runs = [saved(before, *old), saved(after, *old, new)]
    assert steps(runs, "best") == [10, 20]
    assert steps(runs, "final") == [20, 30]
    listed = decide_retention(runs, "best+final", {}, {})
    assert [each.run for each in listed] == [1, 1, 2]  # each once, at the run that saved it


def test_what_is_freed_is_counted_for_each_experiment() -> None:
    """The most bytes first; the sum of all is that of the parts."""
    small = RunCheckpoints(
        run=a_run(2), experiment="dpo", higher_is_better=True, lineage=(a_checkpoint(10, run_id=2),)
    )
    found = decide_retention([small, saved(a_run(), *four())], "best", {}, {})
    size = found[0].checkpoint.size
    assert [(each.experiment, each.checkpoints, each.freed) for each in summarize_by_experiment(found)] == [
        ("sft", 4, 3),
        ("dpo", 1, 0),
    ]
    whole = summarize_clean_up(found)
    assert (whole.checkpoints, whole.size, whole.freed, whole.freed_size) == (5, 5 * size, 3, 3 * size)


def test_an_unknown_option_is_refused() -> None:
    """The message lists those that are known."""
    with pytest.raises(ConfigError, match=r"best\+final, best, final, all"):
        parse_keep("newest")


scores = st.none() | st.floats(allow_nan=True, allow_infinity=True)
checkpoints = st.lists(st.tuples(st.integers(1, 50), scores), max_size=12, unique_by=lambda each: each[0])
options = st.sampled_from(["best+final", "best", "final", "all"])


@given(
    st.lists(
        st.tuples(st.sampled_from([s for s in Status if s is not Status.DRAFT]), checkpoints), max_size=4
    ),
    options,
    st.sets(st.integers(1, 4 * 1050)),
)
def test_what_anybody_asks_for_is_never_freed(
    drawn: list[tuple[Status, list[tuple[int, float | None]]]], keep: Keep, used: set[int]
) -> None:
    """Used, best or final as asked, of an active run; and a second clean-up frees nothing more."""
    runs = [
        saved(a_run(number, status), *(a_checkpoint(step, score, run_id=number) for step, score in found))
        for number, (status, found) in enumerate(drawn, 1)
    ]
    users = {key: ["an agent"] for key in used}
    gone = list_deletable(decide_retention(runs, keep, users, {}))
    assert not {each.id for each in gone} & used
    left: list[RunCheckpoints] = []
    for each in runs:
        mine = [checkpoint for checkpoint in each.lineage if checkpoint not in gone]
        left.append(saved(each.run, *mine))
        if each.run.status.active or keep == "all":
            assert len(mine) == len(each.lineage)
        elif each.lineage:
            for choice in keep.split("+"):
                assert choose_checkpoint(each.lineage, choice, higher_is_better=True).checkpoint in mine  # pyright: ignore[reportArgumentType]
    assert list_deletable(decide_retention(left, keep, users, {})) == ()
