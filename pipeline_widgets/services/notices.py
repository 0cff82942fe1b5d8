"""Notices: written in the transaction that they tell of, and sent after it (spec 6.15)."""

from __future__ import annotations

from pipeline_widgets.directions import quote
from pipeline_widgets.domain.chain import Pipeline, Stage, label_stage
from pipeline_widgets.domain.checkpoint import is_finite
from pipeline_widgets.domain.notice import (
    SENDING_WITHIN,
    Notice,
    NoticeEvent,
    Notification,
    describe_end,
    describe_held,
    event_of,
    parse_events,
    parse_target,
    pause_after,
    remove_secrets,
)
from pipeline_widgets.domain.run import Run
from pipeline_widgets.domain.triggering import stage_name
from pipeline_widgets.errors import NotFoundError
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services import pipeline_facts
from pipeline_widgets.services.evaluation_queue import evaluator_of


class NoticeService:
    """The receivers of messages, and the sending."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, target: object, events: object) -> Notification:
        """Let a target be told of events. One that is told already is told of these from now on.

        Raises:
            ConfigError: The target is not a URL, or an event is not known.
        """
        url, wanted = parse_target(target), parse_events(events)
        with self._store.write() as work:
            known = next((each for each in work.notices.notifications() if each.target == url), None)
            if known is None:
                return work.notices.add_notification(url, wanted)
            work.notices.set_events(known.id, wanted)
            return work.notices.get_notification(known.id)

    def remove(self, notification_id: int) -> None:
        """Let a target be told no longer; what was not sent yet is not sent.

        Raises:
            NotFoundError: It was removed already.
        """
        with self._store.write() as work:
            if not work.notices.remove_notification(notification_id):
                raise NotFoundError("There is no such notification.", fix="See ws.notifications.")

    def all(self) -> tuple[Notification, ...]:
        """Return who is told, in the order in which they were added."""
        with self._store.read() as work:
            return work.notices.notifications()

    def get(self, notification_id: int) -> Notification:
        """Return one notification; NotFoundError without it."""
        with self._store.read() as work:
            return work.notices.get_notification(notification_id)

    def of_run(self, run_id: int) -> tuple[Notice, ...]:
        """Return the notices about a run."""
        with self._store.read() as work:
            return work.notices.of_run(run_id)

    @property
    def is_trusted(self) -> bool:
        """Whether this user trusts the workspace: else nothing of it is sent."""
        return self._store.trust.reason is None

    def seconds_until_due(self) -> float | None:
        """Return the seconds until the next notice is due, negative where it is; None without one."""
        with self._store.read() as work:
            due = work.notices.next_due()
            return None if due is None else due - work.now

    def claim(self) -> Notice | None:
        """Take the notice that is due first, so that nobody else sends it meanwhile; None without one."""
        with self._store.write() as work:
            return work.notices.claim(SENDING_WITHIN)

    def settle(self, notice: Notice, error: str | None) -> None:
        """Write that a notice was sent, or why not and when that is tried again."""
        with self._store.write() as work:
            pause = None if error is None else pause_after(notice.attempts)
            reason = None if error is None else remove_secrets(error, notice.target)
            due_at = None if pause is None else work.now + pause
            if work.notices.settle(notice, error=reason, due_at=due_at):
                work.projects.touch(work.runs.get(notice.run_id).project_id)


def enqueue_end_notices(work: UnitOfWork, run_id: int) -> None:
    """Insert the notices about the end of a run, for those who want to be told."""
    told = work.notices.notifications()
    run = work.runs.get(run_id) if told else None
    event = event_of(run) if run else None
    wanted = [each.id for each in told if event in each.events]
    if run is None or event is None or not wanted:
        return
    project = work.projects.get(run.project_id).name
    text = describe_end(
        run, subject=_describe_subject(work, run), project=quote(project), score=_score(work, run)
    )
    work.notices.add(wanted, run_id, event, text)


def hold_stage(work: UnitOfWork, run: Run, pipeline: Pipeline, stage: Stage, reason: str) -> None:
    """Keep why a stage does not start after a run, and insert the notices about that."""
    work.pipelines.hold(stage.id, reason)
    wanted = [each.id for each in work.notices.notifications() if NoticeEvent.HELD in each.events]
    if not wanted or run.stage_id is None:
        return
    before = pipeline.stage(run.stage_id)
    known = pipeline_facts.load(work, pipeline, {stage.id, before.id}, consumption=False)
    labels = [
        label_stage(pipeline.position(each.id), stage_name(each, known)).lower() for each in (stage, before)
    ]
    text = describe_held(
        reason,
        subject=f"{pipeline.name}: {labels[0]}",
        project=quote(work.projects.get(run.project_id).name),
        after=f"{run.label} of {labels[1]}",
    )
    work.notices.add(wanted, run.id, NoticeEvent.HELD, text)


def _describe_subject(work: UnitOfWork, run: Run) -> str:
    """Return what a run was a run of."""
    if run.kind == "evaluation":
        return f"Evaluation by {quote(evaluator_of(run))}"
    if run.pipeline_id is not None and run.stage_id is not None:
        pipeline = work.pipelines.get(run.pipeline_id)
        stage = pipeline.stage(run.stage_id)
        known = pipeline_facts.load(work, pipeline, {stage.id}, consumption=False)
        at = pipeline.position(stage.id)
        return f"{pipeline.name}: stage {at + 1} ({stage_name(stage, known)})"
    if run.experiment_id is not None:
        return f"Experiment {quote(work.experiments.get(run.experiment_id).name)}"
    return "A deployment"


def _score(work: UnitOfWork, run: Run) -> float | None:
    """Return the best score of a training: by what Best goes by in its pipeline, else by its own."""
    if not run.is_training or run.experiment_id is None:
        return None
    if run.pipeline_id is not None and run.stage_id is not None:
        pipeline = work.pipelines.get(run.pipeline_id)
        known = pipeline_facts.load(work, pipeline, {run.stage_id}, consumption=False).for_stage(run.stage_id)
        return known.best_score if is_finite(known.best_score) else None
    higher = work.experiments.get(run.experiment_id).spec.higher_is_better
    scores = [each.evaluation_score for each in work.checkpoints.deciding_of(run.id)]
    finite = [score for score in scores if is_finite(score)]
    return (max(finite) if higher else min(finite)) if finite else None
