"""What to do about an active run whose process may be gone (spec 6.9)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.engine_job import JobObservation, JobState
from pipeline_widgets.domain.liveness import (
    HANGS_AFTER,
    LAUNCH_AFTER,
    RELAUNCH_AFTER,
    RELAUNCH_ELSEWHERE_AFTER,
    WORDS_WITHIN,
    JobReport,
    Lease,
    LivenessAction,
    LivenessDecision,
    Process,
    ProcessObservation,
    ProcessState,
    Timing,
    assess,
    describe_suspension,
    host_of,
)
from pipeline_widgets.domain.resources import Placement
from pipeline_widgets.domain.run import Status

SUPERVISOR = Process(machine="node7|boot|4026", pid=123, started=1.0)
TRIGGERED = Lease(subject_id=1, status=Status.PENDING, created_at=1000)
LAUNCHED = replace(TRIGGERED, launches=1, launched_at=1000)
RUNNING = replace(LAUNCHED, status=Status.RUNNING, token="t", holder=SUPERVISOR, beat_at=1100)
GRACE = Timing().grace


def act(lease: Lease, seen: ProcessState, now: float) -> LivenessAction:
    """Return what to do."""
    return assess(lease, seen, now=now, grace=GRACE).action


@pytest.mark.spec("6.9")
def test_the_defaults_are_those_of_the_specification() -> None:
    """A supervisor beats every 5 s and a silent one on another host is given up after 60 s."""
    assert Timing() == Timing(beat_every=5.0, grace=60.0)


@pytest.mark.spec("6.9")
@pytest.mark.parametrize("status", [Status.RUNNING, Status.STOPPING])
def test_a_supervisor_that_is_gone_is_given_up_at_once_with_evidence(status: Status) -> None:
    """On the same host no grace is waited for; the evidence names process, host and last beat."""
    judgement = assess(replace(RUNNING, status=status), ProcessState.GONE, now=1101.5, grace=GRACE)
    assert judgement.action is LivenessAction.GIVE_UP
    assert judgement.evidence == "Its supervisor, process 123 on node7, is gone; last beat 1.5 s ago."


@pytest.mark.spec("6.9")
@given(st.floats(0, 1e9))
def test_a_supervisor_that_is_seen_at_work_is_believed(silent: float) -> None:
    """A laptop that slept comes back with old beats and healthy runs."""
    assert act(RUNNING, ProcessState.AT_WORK, 1100 + silent) is LivenessAction.LEAVE


@pytest.mark.spec("6.9")
@pytest.mark.parametrize("seen", [ProcessState.OUT_OF_SIGHT, ProcessState.SUSPENDED])
def test_one_that_cannot_be_seen_at_work_has_the_grace(seen: ProcessState) -> None:
    """On another host, or suspended, one that was silent for longer than the grace is given up."""
    assert act(RUNNING, seen, 1100 + GRACE) is LivenessAction.LEAVE
    judgement = assess(RUNNING, seen, now=1100 + GRACE + 1, grace=GRACE)
    assert judgement.action is LivenessAction.GIVE_UP
    assert judgement.evidence == (
        f"Its supervisor, process 123 on node7, is {seen} and silent for 61.0 s; the grace is 60 s."
    )


@pytest.mark.spec("6.9")
def test_a_run_that_nobody_launched_is_launched() -> None:
    """Whoever triggered it has a moment to launch it; then whoever looks does."""
    assert act(TRIGGERED, ProcessState.GONE, 1000 + LAUNCH_AFTER - 0.1) is LivenessAction.LEAVE
    assert act(TRIGGERED, ProcessState.GONE, 1000 + LAUNCH_AFTER) is LivenessAction.LAUNCH


@pytest.mark.spec("6.9")
def test_a_run_that_was_launched_and_never_taken_is_launched_once_more_and_then_given_up() -> None:
    """A supervisor has time to come up; a second launch is the last."""
    assert act(LAUNCHED, ProcessState.GONE, 1000 + RELAUNCH_AFTER - 0.1) is LivenessAction.LEAVE
    assert act(LAUNCHED, ProcessState.GONE, 1000 + RELAUNCH_AFTER) is LivenessAction.LAUNCH
    again = replace(LAUNCHED, launches=2, launched_at=2000)
    assert act(again, ProcessState.GONE, 2000 + RELAUNCH_AFTER - 0.1) is LivenessAction.LEAVE
    judgement = assess(again, ProcessState.GONE, now=2000 + RELAUNCH_AFTER, grace=GRACE)
    assert judgement.action is LivenessAction.GIVE_UP
    assert judgement.evidence == "Its process was launched 2 times and never started."


@pytest.mark.spec("6.9")
def test_a_run_whose_supervisor_died_before_it_started_is_launched_again_at_once() -> None:
    """A Pending run that a supervisor had taken is not lost with it."""
    taken = replace(RUNNING, status=Status.PENDING, beat_at=1001)
    assert act(taken, ProcessState.GONE, 1001) is LivenessAction.LAUNCH
    assert act(taken, ProcessState.AT_WORK, 9999) is LivenessAction.LEAVE
    assert act(replace(taken, launches=2), ProcessState.GONE, 1001) is LivenessAction.GIVE_UP


@pytest.mark.spec("6.9")
@given(
    st.sampled_from([Status.PENDING, Status.RUNNING, Status.STOPPING]),
    st.sampled_from(ProcessState),
    st.integers(0, 3),
    st.none() | st.floats(1000, 2000),
    st.floats(1000, 5000),
)
def test_a_run_that_has_started_is_never_launched_again(
    status: Status, seen: ProcessState, launches: int, beat: float | None, now: float
) -> None:
    """Only a Pending run is launched, at most twice in all, and giving up always has evidence."""
    lease = replace(RUNNING, status=status, launches=launches, beat_at=beat)
    judgement = assess(lease, seen, now=now, grace=GRACE)
    if judgement.action is LivenessAction.LAUNCH:
        assert status is Status.PENDING
        assert launches < 2
    assert bool(judgement.evidence) == (judgement.action is LivenessAction.GIVE_UP)


def test_the_host_is_the_first_part_of_the_machine() -> None:
    """Sentences name the host, not the boot id."""
    assert host_of(SUPERVISOR) == "node7"


PROCESS = replace(SUPERVISOR, pid=77)
KNOWN = replace(LAUNCHED, launched=PROCESS)


def launched(lease: Lease, seen: ProcessState, waited: float, still: float = 0.0) -> LivenessDecision:
    """Judge a run that was launched and never taken."""
    now = 1000 + waited
    return assess(lease, ProcessState.OUT_OF_SIGHT, now=now, grace=GRACE, launched=seen, still=still)


@pytest.mark.spec("6.9")
@given(st.sampled_from([ProcessState.AT_WORK, ProcessState.SUSPENDED]), st.floats(0, 1e6))
def test_a_launched_process_that_lives_and_moves_is_left_alone(seen: ProcessState, waited: float) -> None:
    """Row 7: imports may take minutes; only one that has not moved for the grace, late, is given up."""
    assert launched(KNOWN, seen, waited).action is LivenessAction.LEAVE


@pytest.mark.spec("6.9")
def test_a_launched_process_that_hangs_is_given_up() -> None:
    """After a quarter of an hour, and without any progress, its process is named."""
    assert (
        launched(KNOWN, ProcessState.AT_WORK, HANGS_AFTER - 1, still=GRACE + 1).action is LivenessAction.LEAVE
    )
    judgement = launched(KNOWN, ProcessState.AT_WORK, HANGS_AFTER + 1, still=GRACE + 1)
    assert judgement.action is LivenessAction.GIVE_UP
    assert judgement.evidence == "Its process 77 on node7 was launched 901 s ago and hangs."


@pytest.mark.spec("6.9")
@given(st.floats(-1e6, 1e6), st.floats(0, HANGS_AFTER))
def test_a_step_of_the_clock_makes_no_young_process_hang(step: float, age: float) -> None:
    """Where its own age is known, the wall clock does not count: an hour may be put forward meanwhile."""
    decision = assess(
        KNOWN,
        ProcessState.OUT_OF_SIGHT,
        now=1000 + age + step,
        grace=GRACE,
        launched=ProcessState.AT_WORK,
        age=age,
        still=GRACE + 1,
    )
    assert decision.action is LivenessAction.LEAVE


@pytest.mark.spec("6.9")
def test_a_launched_process_that_is_gone_is_replaced_at_once_and_once() -> None:
    """Row 7: one that ended before it took the run is launched again; the second is the last."""
    assert launched(KNOWN, ProcessState.GONE, 0.0).action is LivenessAction.LAUNCH
    judgement = launched(replace(KNOWN, launches=2), ProcessState.GONE, 0.0)
    assert judgement.action is LivenessAction.GIVE_UP
    assert judgement.evidence == "Its process was launched 2 times and ended each time before it had begun."


@pytest.mark.spec("6.9")
def test_a_launched_process_on_another_machine_has_more_time() -> None:
    """Nobody here can see whether it lives."""
    assert (
        launched(KNOWN, ProcessState.OUT_OF_SIGHT, RELAUNCH_ELSEWHERE_AFTER - 1).action
        is LivenessAction.LEAVE
    )
    assert (
        launched(KNOWN, ProcessState.OUT_OF_SIGHT, RELAUNCH_ELSEWHERE_AFTER + 1).action
        is LivenessAction.LAUNCH
    )


@pytest.mark.spec("6.9")
def test_a_supervisor_that_neither_beats_nor_wakes_is_given_up() -> None:
    """Row 8: silent for the grace on the database's clock, and still for the grace on the observer's."""
    late = 1100 + GRACE + 1
    assert (
        assess(RUNNING, ProcessState.AT_WORK, now=late, grace=GRACE, still=GRACE).action
        is LivenessAction.LEAVE
    )
    assert (
        assess(RUNNING, ProcessState.AT_WORK, now=1101, grace=GRACE, still=1e9).action is LivenessAction.LEAVE
    )
    judgement = assess(RUNNING, ProcessState.AT_WORK, now=late, grace=GRACE, still=GRACE + 1)
    assert judgement.action is LivenessAction.GIVE_UP
    assert judgement.evidence == (
        "Its supervisor, process 123 on node7, hangs: it has not moved for 61.0 s and is silent for 61.0 s; "
        "the grace is 60 s."
    )


@given(st.lists(st.tuples(st.none() | st.integers(0, 2), st.integers(0, 1)), min_size=1, max_size=20))
def test_a_pulse_is_as_old_as_its_last_change(seen: list[tuple[int | None, int]]) -> None:
    """An observer counts from the first look at which all was as it is now; what is unknown is no proof."""
    pulses = [
        ProcessObservation(process=SUPERVISOR, beat_at=float(beat), progress=progress, since=float(at))
        for at, (progress, beat) in enumerate(seen)
    ]
    kept = pulses[0]
    for pulse in pulses[1:]:
        kept = kept.merge(pulse)
    last = len(seen) - 1
    same = last
    while seen[last][0] is not None and same > 0 and seen[same - 1] == seen[last]:
        same -= 1
    assert kept.since == same


@pytest.mark.spec("6.9")
@pytest.mark.parametrize("seen", [ProcessState.OUT_OF_SIGHT, ProcessState.SUSPENDED, ProcessState.AT_WORK])
def test_a_beat_of_the_future_is_no_reason_to_believe_in_it_for_ever(seen: ProcessState) -> None:
    """After the clock was put back, the grace counts on the observer's own clock."""
    an_hour_ago = RUNNING.beat_at - 3600 if RUNNING.beat_at else 0
    judged = assess(RUNNING, seen, now=an_hour_ago, grace=GRACE, still=GRACE - 1)
    assert judged.action is LivenessAction.LEAVE
    judged = assess(RUNNING, seen, now=an_hour_ago, grace=GRACE, still=GRACE + 1)
    assert judged.action is LivenessAction.GIVE_UP
    assert "silent for 61.0 s" in judged.evidence


@pytest.mark.spec("6.9")
def test_no_evidence_tells_of_a_beat_that_is_still_to_come() -> None:
    """How long ago the last beat was is left out where the clock was put back."""
    judged = assess(RUNNING, ProcessState.GONE, now=500, grace=GRACE)
    assert judged.evidence == "Its supervisor, process 123 on node7, is gone."


@pytest.mark.spec("6.9")
@pytest.mark.parametrize(
    ("lease", "seen"),
    [
        (TRIGGERED, ProcessState.OUT_OF_SIGHT),
        (LAUNCHED, ProcessState.OUT_OF_SIGHT),
        (LAUNCHED, ProcessState.GONE),
    ],
)
def test_a_run_of_the_future_is_launched_now(lease: Lease, seen: ProcessState) -> None:
    """A clock that was put back by an hour does not keep a run Pending for an hour."""
    judged = assess(lease, ProcessState.OUT_OF_SIGHT, now=1000 - 3600, grace=GRACE, launched=seen)
    assert judged.action is LivenessAction.LAUNCH


@pytest.mark.spec("6.9")
def test_clocks_that_differ_a_little_launch_nothing_twice() -> None:
    """Another machine's clock may be ahead by a second."""
    assert act(TRIGGERED, ProcessState.OUT_OF_SIGHT, 999) is LivenessAction.LEAVE
    assert act(LAUNCHED, ProcessState.OUT_OF_SIGHT, 999) is LivenessAction.LEAVE


SERVING = Lease(
    subject_id=1, created_at=1000, launched_at=1000, launches=1, token="t", holder=SUPERVISOR, beat_at=1100
)


@pytest.mark.spec("8.2")
@pytest.mark.parametrize(
    ("seen", "still", "evidence"),
    [
        (ProcessState.GONE, 0.0, "is gone; last beat 61.5 s ago."),
        (ProcessState.SUSPENDED, 0.0, "is suspended and silent for 61.5 s; the grace is 60 s."),
        (
            ProcessState.AT_WORK,
            GRACE + 1,
            "hangs: it has not moved for 61.0 s and is silent for 61.5 s; the grace is 60 s.",
        ),
    ],
)
def test_the_process_behind_an_endpoint_is_assessed_by_the_rule_of_supervisors(
    seen: ProcessState, still: float, evidence: str
) -> None:
    """One rule for what holds a run and what holds an endpoint; only the name of the process differs."""
    decision = assess(SERVING, seen, now=1161.5, grace=GRACE, still=still)
    assert decision.action is LivenessAction.GIVE_UP
    assert decision.evidence == f"Its process {SUPERVISOR.pid} on {host_of(SUPERVISOR)} {evidence}"
    assert assess(SERVING, ProcessState.AT_WORK, now=1161.5, grace=GRACE).action is LivenessAction.LEAVE


def test_an_endpoint_that_nothing_has_taken_is_launched_once_more() -> None:
    """As a run is: at once when the launched process is gone, and given up the second time."""
    waiting = replace(SERVING, token=None, holder=None, launched=SUPERVISOR)
    seen, gone = ProcessState.OUT_OF_SIGHT, ProcessState.GONE
    assert assess(waiting, seen, now=1001, grace=GRACE, launched=gone).action is LivenessAction.LAUNCH
    decision = assess(replace(waiting, launches=2), seen, now=1001, grace=GRACE, launched=gone)
    assert decision.action is LivenessAction.GIVE_UP


BY_ENGINE = replace(LAUNCHED, placement=Placement(launcher="slurm"), job="12")
AT_WORK_ELSEWHERE = replace(RUNNING, placement=Placement(launcher="slurm"), job="12")


def by_engine(
    lease: Lease, state: JobState, *, silent: float = 0.0, seconds: float = 0.0, reason: str = ""
) -> LivenessDecision:
    """Assess a lease of which an engine has said something, for some seconds."""
    report = JobReport(observation=JobObservation(state=state, reason=reason), seconds=seconds)
    now = (lease.beat_at or lease.launched_at or 0.0) + silent
    return assess(lease, ProcessState.OUT_OF_SIGHT, now=now, grace=GRACE, job=report)


@pytest.mark.spec("11.2")
@given(st.floats(0, 1e7))
def test_a_job_in_the_queue_of_its_engine_is_left_alone(waited: float) -> None:
    """However long it waits, it is neither launched again nor given up."""
    assert by_engine(BY_ENGINE, JobState.WAITING, silent=waited).action is LivenessAction.LEAVE
    assert assess(BY_ENGINE, ProcessState.OUT_OF_SIGHT, now=1000 + waited, grace=GRACE).action is (
        LivenessAction.LEAVE
    )


@pytest.mark.spec("11.2", "6.9")
def test_a_job_that_has_ended_counts_once_its_holder_is_silent_for_two_beats() -> None:
    """Ray has called a job failed whose training still ran; the engine's words are the evidence."""
    ended = JobState.ENDED
    assert by_engine(AT_WORK_ELSEWHERE, ended, silent=10.0).action is LivenessAction.LEAVE
    decision = by_engine(AT_WORK_ELSEWHERE, ended, silent=10.5, reason="TIMEOUT")
    assert decision.action is LivenessAction.GIVE_UP
    assert decision.evidence == (
        "Its supervisor, process 123 on node7, is gone; last beat 10.5 s ago. Slurm says of job 12: TIMEOUT."
    )


@pytest.mark.spec("11.2")
def test_a_job_that_ended_before_its_run_began_is_launched_once_more() -> None:
    """The second time its run is given up, in the engine's words."""
    assert by_engine(BY_ENGINE, JobState.ENDED).action is LivenessAction.LAUNCH
    decision = by_engine(replace(BY_ENGINE, launches=2), JobState.ENDED, reason="NODE_FAIL")
    assert decision.action is LivenessAction.GIVE_UP
    assert decision.evidence == (
        "Its job was launched 2 times and ended each time before it had begun. "
        "Slurm says of job 12: NODE_FAIL."
    )


@pytest.mark.spec("11.2")
@given(st.integers(1, 50))
def test_a_job_that_its_engine_lets_wait_no_longer_is_given_to_it_again(launches: int) -> None:
    """However often: Ray fails what waits for 15 minutes, and a queue is where a run waits until its turn."""
    said = JobObservation(state=JobState.ENDED, has_waited_too_long=True)
    lease = replace(BY_ENGINE, launches=launches)
    decision = assess(
        lease, ProcessState.OUT_OF_SIGHT, now=2000, grace=GRACE, job=JobReport(observation=said)
    )
    assert decision.action is LivenessAction.LAUNCH


@pytest.mark.spec("11.2")
def test_an_engine_that_does_not_answer_leaves_it_to_the_grace() -> None:
    """For a run at work that is the grace; for one that is to begin, the time of a launch elsewhere."""
    unknown = JobState.UNKNOWN
    assert by_engine(AT_WORK_ELSEWHERE, unknown, silent=GRACE).action is LivenessAction.LEAVE
    assert by_engine(AT_WORK_ELSEWHERE, unknown, silent=GRACE + 1).action is LivenessAction.GIVE_UP
    late = RELAUNCH_ELSEWHERE_AFTER
    assert by_engine(BY_ENGINE, unknown, silent=1e6, seconds=late).action is LivenessAction.LEAVE
    assert by_engine(BY_ENGINE, unknown, silent=1e6, seconds=late + 1).action is LivenessAction.LAUNCH


@pytest.mark.spec("11.2")
def test_a_job_that_its_engine_sees_at_work_outlives_a_network_that_is_cut() -> None:
    """For three graces: what is silent may be the way to the database."""
    assert by_engine(AT_WORK_ELSEWHERE, JobState.AT_WORK, silent=3 * GRACE).action is LivenessAction.LEAVE
    decision = by_engine(AT_WORK_ELSEWHERE, JobState.AT_WORK, silent=3 * GRACE + 1)
    assert decision.action is LivenessAction.GIVE_UP
    assert "the grace is 180 s. Slurm says of job 12: at work." in decision.evidence


SUSPENDED = replace(AT_WORK_ELSEWHERE, waits=describe_suspension("Slurm"))


@pytest.mark.spec("11.2", "6.9")
@given(st.floats(0, 1e7), st.sampled_from([AT_WORK_ELSEWHERE, SUSPENDED]), st.sampled_from(ProcessState))
def test_a_run_whose_job_is_suspended_is_left_alone(silent: float, lease: Lease, seen: ProcessState) -> None:
    """However long it is silent: it will go on. A process that is gone will not."""
    report = JobReport(observation=JobObservation(state=JobState.SUSPENDED))
    decision = assess(lease, seen, now=1100 + silent, grace=GRACE, job=report, still=silent)
    gone = seen is ProcessState.GONE
    assert decision.action is (LivenessAction.GIVE_UP if gone else LivenessAction.LEAVE)
    stopping = replace(lease, status=Status.STOPPING)
    decision = assess(stopping, seen, now=1100 + silent, grace=GRACE, job=report, still=silent)
    assert decision.action is (LivenessAction.GIVE_UP if gone else LivenessAction.CANCEL)


@pytest.mark.spec("11.2", "6.9")
@pytest.mark.parametrize("seen", [ProcessState.OUT_OF_SIGHT, ProcessState.SUSPENDED, ProcessState.AT_WORK])
def test_the_silence_of_a_run_that_was_suspended_counts_from_when_it_could_go_on(seen: ProcessState) -> None:
    """Its last beat is from before; it has the graces of any other from then on, and then it is given up."""

    def act_after(state: JobState, seconds: float) -> LivenessAction:
        report = JobReport(observation=JobObservation(state=state), seconds=seconds)
        return assess(SUSPENDED, seen, now=1e6, grace=GRACE, job=report, still=5000).action

    assert act_after(JobState.AT_WORK, GRACE - 1) is LivenessAction.LEAVE
    assert act_after(JobState.AT_WORK, 3 * GRACE + 1) is LivenessAction.GIVE_UP
    assert act_after(JobState.UNKNOWN, 3 * GRACE - 1) is LivenessAction.LEAVE
    assert act_after(JobState.UNKNOWN, 3 * GRACE + 1) is LivenessAction.GIVE_UP


@pytest.mark.spec("11.2", "6.9")
def test_a_suspended_job_that_its_engine_ends_is_given_up_in_the_words_of_the_engine() -> None:
    """As soon as it has had two beats to write its end itself."""
    assert by_engine(SUSPENDED, JobState.ENDED, silent=900, seconds=9).action is LivenessAction.LEAVE
    decision = by_engine(SUSPENDED, JobState.ENDED, silent=900, seconds=11, reason="CANCELLED (by 0)")
    assert decision.action is LivenessAction.GIVE_UP
    assert decision.evidence.endswith("last beat 900.0 s ago. Slurm says of job 12: CANCELLED (by 0).")


@pytest.mark.spec("11.2")
def test_a_run_that_was_to_stop_while_it_was_suspended_is_stopped() -> None:
    """Its engine has ended it, since that was asked for; any other without its process is crashed."""
    stopping = Status.STOPPING
    assert replace(SUSPENDED, status=stopping).status_without_process is Status.STOPPED
    for lease in (SUSPENDED, AT_WORK_ELSEWHERE, replace(AT_WORK_ELSEWHERE, status=stopping), BY_ENGINE):
        assert lease.status_without_process is Status.CRASHED


@pytest.mark.spec("11.2", "6.9")
@pytest.mark.parametrize("seen", [ProcessState.OUT_OF_SIGHT, ProcessState.SUSPENDED])
def test_a_silent_job_is_not_given_up_before_its_engine_was_asked(seen: ProcessState) -> None:
    """A kernel that has just been started may come upon a job that was suspended yesterday."""
    decision = assess(AT_WORK_ELSEWHERE, seen, now=1e6, grace=GRACE)
    assert decision.action is LivenessAction.LEAVE


@pytest.mark.spec("11.2")
def test_a_job_that_works_and_does_not_begin_hangs() -> None:
    """Imports from a network disk may take a quarter of an hour."""
    assert by_engine(BY_ENGINE, JobState.AT_WORK, seconds=HANGS_AFTER).action is LivenessAction.LEAVE
    assert by_engine(BY_ENGINE, JobState.AT_WORK, seconds=HANGS_AFTER + 1).action is LivenessAction.GIVE_UP


@pytest.mark.spec("11.2")
def test_an_engine_has_a_moment_to_tell_how_a_job_has_ended_whose_process_is_gone() -> None:
    """On this machine its process is missed before the engine knows; then its words count."""
    now = 1101.0
    asked = JobReport(observation=JobObservation(state=JobState.AT_WORK))
    gone = ProcessState.GONE
    decision = assess(AT_WORK_ELSEWHERE, gone, now=now, grace=GRACE, job=asked, gone_for=WORDS_WITHIN - 1)
    assert decision.action is LivenessAction.LEAVE
    decision = assess(AT_WORK_ELSEWHERE, gone, now=now, grace=GRACE, job=asked, gone_for=WORDS_WITHIN)
    assert decision.action is LivenessAction.GIVE_UP


@pytest.mark.spec("11.2")
def test_a_launch_that_an_engine_did_not_take_is_repeated_later() -> None:
    """It is not counted, and the engine is not asked every two seconds."""
    refused = replace(BY_ENGINE, launches=0, job=None)
    assert act(refused, ProcessState.OUT_OF_SIGHT, 1000 + RELAUNCH_AFTER - 1) is LivenessAction.LEAVE
    assert act(refused, ProcessState.OUT_OF_SIGHT, 1000 + RELAUNCH_AFTER) is LivenessAction.LAUNCH
