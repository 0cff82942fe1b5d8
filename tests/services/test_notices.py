"""Notices as rows: written with what they tell of, claimed by one sender, tried again (spec 6.15)."""

from __future__ import annotations

import threading

import pytest
from factories.lab import Lab

from pipeline_widgets.domain.chain import ScoreAtLeast
from pipeline_widgets.domain.notice import PAUSES, SENDING_WITHIN, Notice, NoticeEvent
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import ConfigError, NotFoundError
from pipeline_widgets.services.notices import NoticeService

TARGET, OTHER = "ntfy://secret-topic", "ntfy://other-topic"
ALL = {str(event) for event in NoticeEvent}


@pytest.fixture
def notices(lab: Lab) -> NoticeService:
    return NoticeService(lab.store)


def waiting(notices: NoticeService) -> Notice:
    """Return the notice that is due."""
    found = notices.claim()
    assert found is not None
    return found


@pytest.mark.spec("6.15")
@pytest.mark.parametrize(
    ("status", "event"),
    [
        (Status.SUCCEEDED, "succeeded"),
        (Status.FAILED, "failed"),
        (Status.CRASHED, "crashed"),
        (Status.STOPPED, "stopped"),
    ],
)
def test_the_end_of_a_run_is_told_to_whom_it_concerns(
    lab: Lab, notices: NoticeService, status: Status, event: str
) -> None:
    """One notice for each target that wants that event, with the run's facts."""
    notices.add(TARGET, ALL)
    notices.add(OTHER, ALL - {event})
    stage = lab.pipeline("SFT", name="letters").stages[0]
    job = lab.started(lab.runs.trigger(stage.id))
    lab.save(job, 10, 0.25)
    lab.end(job, status, "It broke.\nmore" if status is not Status.SUCCEEDED else None)

    (told,) = notices.of_run(job.run_id)
    assert (told.target, str(told.event), told.attempts, told.sent_at) == (TARGET, event, 0, None)
    assert told.text.startswith(
        f"letters: stage 1 (letters-sft-1) {event}\nRun 1, project 'Letters', best score 0.25"
    )
    assert ("It broke." in told.text) == (status is not Status.SUCCEEDED)
    assert "more" not in told.text


@pytest.mark.spec("6.15", "6.7")
def test_a_held_stage_is_told_beside_the_success_before_it(lab: Lab, notices: NoticeService) -> None:
    """With the gate's numbers."""
    notices.add(TARGET, {"succeeded", "held"})
    made = lab.pipeline("SFT", name="letters")
    lab.add(made.id, lab.experiment("next"), trigger="auto", gate=ScoreAtLeast(0.9))
    run = lab.do(made.stages[0], 0.3)

    succeeded, held = notices.of_run(run.id)
    assert (succeeded.event, held.event) == ("succeeded", "held")
    assert held.text.splitlines() == [
        "letters: stage 2 (next) was held",
        "After run 1 of stage 1 (letters-sft-1), project 'Letters'.",
        "Score 0.3, needs at least 0.9.",
    ]


@pytest.mark.spec("6.15")
def test_what_is_given_up_or_stopped_before_it_began_is_told(lab: Lab, notices: NoticeService) -> None:
    """By whoever writes that: no supervisor is there."""
    notices.add(TARGET, {"crashed", "stopped"})
    first, second = lab.pipeline("SFT", "SFT").stages
    job = lab.started(lab.runs.trigger(first.id))
    (lease,), _ = lab.supervision.active()
    lab.supervision.give_up(lease, "Its supervisor is gone.")
    del second
    again = lab.runs.trigger(first.id)
    lab.runs.stop(again.id)

    assert [str(each.event) for each in notices.of_run(job.run_id)] == ["crashed"]
    assert "Its supervisor is gone." in notices.of_run(job.run_id)[0].text
    assert [str(each.event) for each in notices.of_run(again.id)] == ["stopped"]


@pytest.mark.spec("6.15")
def test_without_notifications_nothing_is_written(lab: Lab, notices: NoticeService) -> None:
    """Nor for runs that ended before."""
    run = lab.do(lab.pipeline("SFT").stages[0], 0.3)
    notices.add(TARGET, ALL)
    assert notices.of_run(run.id) == ()
    assert notices.seconds_until_due() is None


@pytest.mark.spec("6.15")
def test_what_fails_is_tried_again_with_growing_pauses_and_given_up(lab: Lab, notices: NoticeService) -> None:
    """The reason is kept without secrets, and nothing is due in between."""
    notices.add(TARGET, ALL)
    run = lab.do(lab.pipeline("SFT").stages[0], 0.3)
    for attempt, pause in enumerate((*PAUSES, None), 1):
        taken = waiting(notices)
        assert taken.attempts == attempt
        notices.settle(taken, "Failed to reach ntfy://secret-topic: refused")
        assert notices.claim() is None
        left = notices.seconds_until_due()
        assert left == pytest.approx(pause) if pause is not None else left is None
        lab.clock.forward(pause or 0.0)

    (told,) = notices.of_run(run.id)
    assert (told.attempts, told.due_at, told.sent_at) == (len(PAUSES) + 1, None, None)
    assert told.error is not None
    assert "secret-topic" not in told.error
    assert lab.runs.get(run.id).status is Status.SUCCEEDED


@pytest.mark.spec("6.15")
def test_what_was_sent_is_never_sent_again(lab: Lab, notices: NoticeService) -> None:
    """It is due no longer, and a late failure of another attempt does not change that."""
    notices.add(TARGET, ALL)
    run = lab.do(lab.pipeline("SFT").stages[0], 0.3)
    taken = waiting(notices)
    notices.settle(taken, None)
    notices.settle(taken, "too late")

    (told,) = notices.of_run(run.id)
    assert told.sent_at is not None
    assert (told.error, told.due_at, notices.claim()) == (None, None, None)


@pytest.mark.spec("6.15")
def test_a_sender_that_dies_is_replaced(lab: Lab, notices: NoticeService) -> None:
    """What it had claimed is due again after a minute: at least once, after a crash of the sender."""
    notices.add(TARGET, ALL)
    lab.do(lab.pipeline("SFT").stages[0], 0.3)
    first = waiting(notices)
    assert notices.claim() is None
    lab.clock.forward(SENDING_WITHIN)
    second = waiting(notices)
    assert (first.id, first.attempts, second.id, second.attempts) == (second.id, 1, second.id, 2)
    notices.settle(first, "late")  # the first one was alive after all: the second one decides
    notices.settle(second, None)
    assert notices.of_run(second.run_id)[0].sent_at is not None


@pytest.mark.spec("6.15")
def test_of_many_senders_one_has_a_notice(lab: Lab, notices: NoticeService) -> None:
    """Eight threads claim at once."""
    notices.add(TARGET, ALL)
    lab.do(lab.pipeline("SFT").stages[0], 0.3)
    barrier, found = threading.Barrier(8), list[Notice | None]()

    def race() -> None:
        barrier.wait()
        found.append(notices.claim())

    racers = [threading.Thread(target=race) for _ in range(8)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert len([each for each in found if each is not None]) == 1


def test_a_target_is_kept_once_and_can_be_removed(lab: Lab, notices: NoticeService) -> None:
    """Added again it gets other events; removed, its notices go; experiments take theirs along."""
    kept = notices.add(TARGET, ALL)
    assert notices.add(TARGET, "held").id == kept.id
    assert [each.events for each in notices.all()] == [{NoticeEvent.HELD}]
    notices.add(TARGET, ALL)
    made = lab.pipeline("SFT")
    run = lab.do(made.stages[0], 0.3)
    notices.remove(kept.id)
    assert (notices.all(), notices.of_run(run.id)) == ((), ())
    with pytest.raises(NotFoundError, match="no such notification"):
        notices.remove(kept.id)
    notices.add(TARGET, ALL)
    lab.do(made.stages[0], 0.4)
    lab.pipelines.delete(made.id)
    lab.experiments.delete(made.experiment_ids[0])
    assert notices.seconds_until_due() is None
    with pytest.raises(ConfigError, match="is not the URL"):
        notices.add("secret-topic", ALL)
