"""What people are told of runs, what is never shown, and when it is tried again (spec 6.15)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from factories.values import NOON, a_run
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.notice import (
    PAUSES,
    NoticeEvent,
    describe_end,
    describe_error,
    describe_held,
    mask_target,
    parse_events,
    parse_target,
    pause_after,
    remove_secrets,
)
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import ConfigError

TARGETS = (
    "ntfy://secret-topic",
    "mailto://somebody:pa55word@gmail.com?to=other@x.org",
    "slack://TokenA1234/TokenB1234/TokenC1234/#channel",
    "json://user:hidden@host.example:8080/path/with/key?token=abcdefgh",
)


@pytest.mark.spec("6.15")
def test_a_succeeded_run_is_told_in_a_few_lines() -> None:
    """Subject and status are the title; number, project, score, step and duration stand below."""
    run = replace(
        a_run(7, number=3), started_at=NOON, finished_at=NOON + timedelta(seconds=725), step=600, total=600
    )
    text = describe_end(run, subject="letters: stage 2 (grpo)", project="'Letters'", score=0.87251)
    assert text == (
        "letters: stage 2 (grpo) succeeded\n"
        "Run 3, project 'Letters', best score 0.8725, step 600 of 600, took 12 min 5 s."
    )


@pytest.mark.spec("6.15")
def test_an_error_is_told_by_one_line() -> None:
    """The last of a traceback, else the first; long ones are cut, and credentials are left out."""
    crashed = replace(a_run(1, Status.CRASHED), error="It was killed by SIGKILL.\nstack\nmore", retry=1)
    told = describe_end(crashed, subject="Experiment 'sft'", project="'p'", score=None).splitlines()
    assert told == ["Experiment 'sft' crashed", "Run 1, retry 1, project 'p'.", "It was killed by SIGKILL."]
    traceback = (
        "Traceback (most recent call last):\n  File 'x'\nValueError: the loss is <b>not</b> a number\n"
    )
    assert describe_error(traceback) == "ValueError: the loss is <b>not</b> a number"
    assert (
        describe_error("cannot reach postgresql://me:secret@host/db")
        == "cannot reach postgresql://****@host/db"
    )
    assert len(describe_error("x" * 1000)) == 300
    assert describe_error(None) == describe_error(" \n ") == ""


@pytest.mark.spec("6.15", "6.7")
def test_a_held_stage_is_told_with_the_reason() -> None:
    """And with the run after which it would have started."""
    text = describe_held(
        "Score 0.29, needs at least 0.9.",
        subject="letters: stage 2 (grpo)",
        project="'p'",
        after="run 1 of stage 1 (sft)",
    )
    assert text == (
        "letters: stage 2 (grpo) was held\n"
        "After run 1 of stage 1 (sft), project 'p'.\n"
        "Score 0.29, needs at least 0.9."
    )


@pytest.mark.spec("6.15")
@pytest.mark.parametrize("target", TARGETS)
def test_a_target_is_never_shown_whole(target: str) -> None:
    """Neither as it is listed nor within an error: topics, tokens, keys and passwords are secrets alike."""
    shown = mask_target(target)
    said = remove_secrets(f"Failed to reach {target}: host.example refused TokenB1234 and pa55word", target)
    for secret in ("secret-topic", "pa55word", "TokenA", "TokenB", "hidden", "abcdefgh", "channel"):
        assert secret not in shown
        if secret in target:
            assert secret not in said
    assert shown.startswith(target.partition("://")[0])


@given(st.text(min_size=4, max_size=20), st.text(max_size=30))
def test_no_part_of_a_target_survives_in_an_error(part: str, around: str) -> None:
    """Whatever is in it."""
    target = f"json://{part}"
    assert target not in remove_secrets(f"{around}{target}{around}", target)


@pytest.mark.spec("6.15")
@pytest.mark.parametrize("value", [set[str](), "done", {"succeeded", "done"}, None, 3, [None], b"failed"])
def test_events_that_there_are_not_are_refused(value: Any) -> None:
    """With those that there are."""
    with pytest.raises(ConfigError, match="'succeeded', 'failed', 'crashed', 'stopped', 'held'"):
        parse_events(value)


def test_events_are_named_alone_or_together() -> None:
    """As texts, as a set, as a list."""
    assert parse_events("held") == {NoticeEvent.HELD}
    assert parse_events(["failed", "failed"]) == {NoticeEvent.FAILED}
    assert parse_events({"failed", "held"}) == {NoticeEvent.FAILED, NoticeEvent.HELD}


@pytest.mark.parametrize("value", ["topic-secret", "://secret", "", None, 3, "a\0://secret"])
def test_what_is_no_url_is_refused_without_being_quoted(value: Any) -> None:
    """It may be a token that was pasted into the wrong place."""
    with pytest.raises(ConfigError) as refused:
        parse_target(value)
    assert "secret" not in str(refused.value)


@pytest.mark.spec("6.15")
def test_pauses_grow_and_end() -> None:
    """Six attempts within 45 minutes, and then no more."""
    assert [pause_after(attempt) for attempt in range(1, 7)] == [*PAUSES, None]
    assert list(PAUSES) == sorted(PAUSES)
    assert sum(PAUSES) < 45 * 60
