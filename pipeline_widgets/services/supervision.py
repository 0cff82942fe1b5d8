"""The writes of supervisors to runs. Every one is fenced: it counts only under the run's token."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.domain.job import FrozenCopy, Job, Outcome
from pipeline_widgets.domain.libraries import Libraries
from pipeline_widgets.domain.liveness import Lease, Process
from pipeline_widgets.domain.resources import Placement
from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.domain.run_record import Environment, RunCode
from pipeline_widgets.errors import FencedError, UntrustedError
from pipeline_widgets.persistence.repositories.runs import Runs
from pipeline_widgets.persistence.store import UnitOfWork
from pipeline_widgets.services.code_references import CodeReferences, find_code_references
from pipeline_widgets.services.jobs import create_job, create_stored_job
from pipeline_widgets.services.leases import LeaseService
from pipeline_widgets.services.run_queue import (
    as_started,
    enqueue_run,
    find_placement,
    find_unreachable_reason,
)

if TYPE_CHECKING:
    from pipeline_widgets.domain.agent import DeployedVersion
    from pipeline_widgets.domain.chain import Pipeline
    from pipeline_widgets.domain.experiment import Experiment


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """A supervisor: the process, and the token under which it writes."""

    process: Process
    token: str
    #: Whether it was asked to end: it retries nothing itself any more.
    is_ending: bool = False

    @property
    def columns(self) -> dict[str, object]:
        """The columns of a run's row that name it."""
        return {
            "token": self.token,
            "host": self.process.machine,
            "pid": self.process.pid,
            "pid_started": self.process.started,
        }


class SupervisionService(LeaseService):
    """Take runs, keep them alive, record their reports, and finish them."""

    #: The environment that was kept last, and its digest.
    _kept: tuple[Environment | None, str | None] = (None, None)
    #: The pipeline whose stage ended last: a long chain is read once, and not at the end of every stage.
    _followed: Pipeline | None = None

    def _repository(self, work: UnitOfWork) -> Runs:
        return work.runs

    @property
    def workspace_exists(self) -> bool:
        """Whether the workspace's database is still there."""
        return self._store.database.exists

    def take(self, run_id: int, owner: Owner) -> Job | None:
        """Lease a Pending run; None if another supervisor has it, or it is no longer Pending."""
        with self._store.write() as work:
            if not work.runs.take(run_id, **owner.columns):
                return None
            return create_stored_job(self._store, work, work.runs.get(run_id), owner.token)

    def find_libraries(self, run_id: int, run: Run | None = None) -> Libraries | None:
        """Return which libraries a run is likely to import; None for one that trains nothing.

        Args:
            run_id: The run.
            run: The run, where it is known already.
        """
        with self._store.read() as work:
            found = work.runs.get(run_id) if run is None else run
            if found.algorithm_key is None or found.algorithm_id is None:
                return None
            declared = work.experiments.preload(found.algorithm_id)
            return Libraries.of_declaration(declared) if declared else Libraries(key=found.algorithm_key)

    def is_launched_here(self, experiment: Experiment) -> bool:
        """Return whether runs of an experiment are launched on this machine, where nothing else is said."""
        with self._store.read() as work:
            return find_placement(work, None, experiment).launcher is None

    def recorded_variables(self) -> tuple[str, ...]:
        """Return the names of the environment variables that runs record."""
        with self._store.read() as work:
            return work.records.recorded_variables()

    def record_start(self, job: Job, child: Process, environment: Environment | None = None) -> None:
        """Set a leased run to Running, with the process that trains, and on what it is executed.

        Raises:
            FencedError: It was stopped or given up meanwhile.
        """
        with self._store.write() as work:
            revision = work.projects.touch(job.project_id)
            digest = self._keep_environment(work, environment)
            pid, since = child.pid, child.started
            token = job.token
            if not work.runs.start(job.run_id, token, revision, pid=pid, since=since, environment=digest):
                raise _fence(job)
        self._kept = (environment, digest)

    def _keep_environment(self, work: UnitOfWork, environment: Environment | None) -> str | None:
        """Keep an environment, which all runs of a supervisor share, and return its digest."""
        if environment is None:
            return None
        return self._kept[1] if self._kept[0] is environment else work.records.keep_environment(environment)

    def status(self, job: Job) -> Status:
        """Return the status of a run; from Stopping a supervisor learns of a stop.

        Raises:
            FencedError: It was given up.
        """
        with self._store.read() as work:
            status = work.runs.status_under(job.run_id, job.token)
        if status is None or not status.active:
            raise _fence(job)
        return status

    def beat(self, job: Job) -> None:
        """Record a beat of the supervisor. The revision stays: nothing that a view shows has changed.

        Raises:
            FencedError: It was given up.
        """
        with self._store.write() as work:
            if not work.runs.update_fenced(job.run_id, job.token, beat_at=work.now):
                raise _fence(job)

    def record(self, job: Job, batch: Batch) -> None:
        """Record metrics, progress and checkpoints.

        Raises:
            FencedError: It was given up.
        """
        with self._store.write() as work:
            is_report = job.kind == "training" and batch.is_report
            revision = work.projects.touch(job.project_id, is_report=is_report)
            columns: dict[str, object] = {**_progress(batch), "revision": revision, "beat_at": work.now}
            if not work.runs.update_fenced(job.run_id, job.token, **columns):
                raise _fence(job)
            _keep(work, job, batch)

    def finish(
        self, job: Job, outcome: Outcome, owner: Owner | None, last: Batch | None = None
    ) -> Job | Run | None:
        """End a run and, in the same transaction, take what follows: the next Auto stage, or a retry.

        Args:
            job: The run.
            outcome: The outcome of the run.
            owner: The supervisor that takes what follows; None where that begins with a job of its own.
            last: The reports since the last write.

        Returns:
            The job of the next stage, or of the retry of a crashed run, leased to the same supervisor; its
            Pending run, where that has another launcher or other resources; None at the end of the chain,
            and if the next stage is manual or held.

        Raises:
            FencedError: The run was given up.
        """
        from pipeline_widgets.services.notices import enqueue_end_notices  # noqa: PLC0415  not before Running
        from pipeline_widgets.services.retries import enqueue_retry  # noqa: PLC0415  not before Running

        with self._store.write() as work:
            revision = work.projects.touch(job.project_id)
            told: dict[str, Any] = _progress(last) if last else {}
            was_stopping = (  # only the retry of a crash asks
                outcome.status is Status.CRASHED
                and work.runs.status_under(job.run_id, job.token) is Status.STOPPING
            )
            why: dict[str, Any] = {"error": outcome.error, "failure": outcome.failure}
            run = work.runs.end(job.run_id, job.token, outcome.status, revision, **why, **told)
            if run is None:
                raise _fence(job)
            if last:
                _keep(work, job, last)
            if run.status is not Status.SUCCEEDED:
                taken: dict[str, object] = {"revision": revision}
                if owner is not None and not owner.is_ending:  # it goes on in the slot of the run
                    taken |= {"beat_at": work.now, "job": run.job, "gpus": run.gpus, **owner.columns}
                retry = enqueue_retry(work, self._store, run, was_stopping=was_stopping, **taken)
                enqueue_end_notices(work, run.id)
                if retry is None or owner is None:
                    return retry
                return None if owner.is_ending else create_stored_job(self._store, work, retry, owner.token)
            if outcome.frozen is not None:
                self._save_agent(work, run, outcome.frozen)
            enqueue_end_notices(work, run.id)
            return self._follow(work, run, owner, revision)

    def deploy(self, job: Job, frozen: FrozenCopy) -> DeployedVersion:
        """Save the frozen copy as the current version of a Deployment's agent, before it is served.

        Raises:
            FencedError: The run was given up.
        """
        from pipeline_widgets.domain.agent import DeployedVersion  # noqa: PLC0415  not before Running

        with self._store.write() as work:
            revision = work.projects.touch(job.project_id)
            if not work.runs.update_fenced(job.run_id, job.token, revision=revision):
                raise _fence(job)
            known = work.agents.matching((), [frozen.name])
            self._save_agent(work, work.runs.get(job.run_id), frozen)
            agent = work.agents.matching((), [frozen.name])[0]
            former = known[0].current.number if known else None
            return DeployedVersion(
                agent_id=agent.id,
                version=agent.current.number,
                former=former,
                load_within=agent.current.spec.load_within,
            )

    def restore_former_version(self, placed: DeployedVersion) -> None:
        """Make the former version current again, unless another one has become current meanwhile."""
        from pipeline_widgets.services import agents  # noqa: PLC0415  not before Running

        with self._store.write() as work:
            agent = work.agents.get(placed.agent_id)
            if placed.former is not None and agent.current.number == placed.version:
                agents.choose_version(work, agent, placed.former)

    def give_up(self, lease: Lease, evidence: str) -> bool:
        """End a run without process, Crashed as a rule, and enqueue its retry.

        Returns:
            Whether it was still as its lease says.
        """
        from pipeline_widgets.services.notices import enqueue_end_notices  # noqa: PLC0415  not before Running
        from pipeline_widgets.services.retries import enqueue_retry  # noqa: PLC0415  not before Running

        with self._store.write() as work:
            run = work.runs.get(lease.subject_id)
            if work.runs.lease(lease.subject_id) != lease:
                return False
            revision = work.projects.touch(run.project_id)
            status = lease.status_without_process
            error = evidence if status is Status.CRASHED else None
            ended = work.runs.set_status(run, status, revision, error=error)
            was_stopping = run.status is Status.STOPPING
            enqueue_retry(work, self._store, ended, was_stopping=was_stopping, revision=revision)
            enqueue_end_notices(work, run.id)
            return True

    def count_launch(self, lease: Lease) -> bool:
        """Count one more launch of a Pending run, if it is admitted; False if it waits, or has moved on."""
        from pipeline_widgets.services.admission import decide, hold_back  # noqa: PLC0415  not before Running

        with self._store.write() as work:
            decided = decide(work, lease)
            if decided is None:
                return work.runs.count_launch(lease)
            run, admission = decided
            if admission.waits is None:
                return work.runs.count_launch(lease, admission.gpus)
            hold_back(work, run, admission.waits)
            return False

    def hold_back_waiting(self, leases: Iterable[Lease]) -> frozenset[int]:
        """Write for what runs wait that cannot begin within the limits of this machine; return their ids."""
        from pipeline_widgets.services.admission import decide_waiting, hold_back, is_waiting  # noqa: PLC0415  not before Running

        if not any(is_waiting(lease) for lease in leases):
            return frozenset()  # most of the time: what reconciles asks nothing more
        with self._store.read() as work:
            decided = decide_waiting(work)
        if any(each.waits not in {None, run.waits} for run, each in decided):
            with self._store.write() as work:
                for run, each in decide_waiting(work):
                    if each.waits is not None:
                        hold_back(work, run, each.waits)
        return frozenset(run.run_id for run, each in decided if not each.is_admitted)

    def find_admissible(self) -> tuple[Lease, ...]:
        """Return the leases of waiting runs that can begin here now, the oldest first."""
        from pipeline_widgets.services.admission import decide_waiting  # noqa: PLC0415  not before Running

        with self._store.read() as work:
            admitted = [each.run_id for _, each in decide_waiting(work) if each.is_admitted]
            return tuple(work.runs.lease(run_id) for run_id in admitted)

    def uncount_launch(self, subject_id: int, launches: int, waits: str) -> bool:
        """Take back a launch that an engine did not take, and say why; False if the run has moved on."""
        with self._store.write() as work:
            if not work.runs.uncount_launch(subject_id, launches):
                return False
            revision = work.projects.touch(work.runs.get(subject_id).project_id)
            return work.runs.set_waits(work.runs.lease(subject_id), waits, revision)

    def record_waits(self, lease: Lease, waits: str | None) -> bool:
        """Record for what an active run waits, which a view shows; False if it has moved on."""
        with self._store.write() as work:
            revision = work.projects.touch(work.runs.get(lease.subject_id).project_id)
            return work.runs.set_waits(lease, waits, revision)

    def lease(self, run_id: int) -> Lease:
        """Return which process holds a run."""
        with self._store.read() as work:
            return work.runs.lease(run_id)

    def _follow(self, work: UnitOfWork, run: Run, owner: Owner | None, revision: int) -> Job | Run | None:
        from pipeline_widgets.domain.limits import can_continue  # noqa: PLC0415  not before Running
        from pipeline_widgets.domain.triggering import decide_next_stage, find_next_stage  # noqa: PLC0415  not before Running
        from pipeline_widgets.services import pipeline_facts  # noqa: PLC0415  not before Running
        from pipeline_widgets.services.admission import find_limit_reason  # noqa: PLC0415  not before Running
        from pipeline_widgets.services.notices import hold_stage  # noqa: PLC0415  not before Running

        if run.stage_id is None or run.pipeline_id is None:
            return None
        pipeline = self._followed = work.pipelines.get(run.pipeline_id, self._followed)
        after = find_next_stage(pipeline, run.stage_id, run.run_through)
        if after is None:
            return None
        source = pipeline.source(after.id)
        before = pipeline.before(after.id)
        ids = {run.stage_id, after.id, source.id if source else 0, before.id if before else 0}
        known = pipeline_facts.load(work, pipeline, ids, consumption=False)
        found = decide_next_stage(pipeline, run.stage_id, known, run.run_through)
        if found is None:
            return None
        run_start, held = found.run_start, found.held_reason
        if run_start is None or held is not None:
            return hold_stage(work, run, pipeline, after, held or "")
        start = as_started(run_start.checkpoint, run_start.agent_version)
        experiment = known.for_stage(after.id).experiment
        bound, algorithm = (experiment.id, experiment.algorithm_id) if experiment else (None, None)
        try:
            references = find_code_references(work, pipeline, bound, algorithm, start)
        except UntrustedError as error:
            references, held = CodeReferences(), str(error)
        if (held := find_unreachable_reason(run_start, self._store) or held) is not None:
            return hold_stage(work, run, pipeline, after, held)
        recorded = _expected_code(run, references.algorithm).to_json()
        columns: dict[str, Any] = {"revision": revision, "code": recorded, "run_through": run.run_through}
        placement = find_placement(work, after, experiment)
        if (held := find_limit_reason(work, placement)) is not None:
            return hold_stage(work, run, pipeline, after, held)
        goes_on = can_continue(run.placement, placement)
        if owner is not None and goes_on:  # it goes on in the slot of the run
            kept = None if run.gpus is None else list(run.gpus[: _count_gpus(placement)])
            columns |= {"beat_at": work.now, "job": run.job, "gpus": kept, **owner.columns}
        new = enqueue_run(
            work, pipeline, after, known, run_start, placement=placement, home=run.home, **columns
        )
        if owner is None or not goes_on:
            return new
        return create_job(
            self._store,
            work,
            new,
            owner.token,
            pipeline=pipeline,
            start=start,
            references=references,
            experiment=experiment,
        )

    def _save_agent(self, work: UnitOfWork, run: Run, frozen: FrozenCopy) -> None:
        from pipeline_widgets.services import agents  # noqa: PLC0415  not before Running

        if run.is_deployment:
            checkpoint = work.checkpoints.get(run.start_checkpoint_id or 0)
            agents.save(work, frozen, checkpoint, run.config["agent_description"], made_by=run.id)
            return
        for checkpoint in work.checkpoints.deciding([run.id], [frozen.step]).get(run.id, ()):
            if checkpoint.step == frozen.step and checkpoint.digest == frozen.digest:
                agents.save(work, frozen, checkpoint, None, made_by=run.id)


def _expected_code(before: Run, reference: AlgorithmReference | None) -> RunCode:
    """Return what a stage is expected to run: the code as it was last, triggered where the run before was.

    Its worker tells which code it has loaded, if that is another one.
    """
    place = replace(before.code or RunCode(), digest=None, record=None)
    if reference is None or reference.code is None:
        return place
    return replace(place, digest=reference.code.digest, record=reference.code.record_digest)


def _count_gpus(placement: Placement) -> int:
    return (placement.resources.gpu if placement.resources else None) or 0


def _progress(batch: Batch) -> dict[str, int]:
    """Return the columns of a run that hold its progress."""
    if not batch.reported:
        return {}
    totals = [each.total for each in batch.reported if each.total is not None]
    furthest = max(each.step for each in batch.reported)
    return {"step": furthest} | ({"total": totals[-1]} if totals else {})


def _keep(work: UnitOfWork, job: Job, batch: Batch) -> None:
    from pipeline_widgets.services.evaluation_queue import keep_scores  # noqa: PLC0415  not before Running

    told = ((each.step, name, value) for each in batch.reported for name, value in each.metrics.items())
    work.metrics.add(job.run_id, told, work.now)
    for loaded in batch.loaded:
        kept = work.records.keep_code(loaded.record)
        work.runs.record_code(job.run_id, replace(job.code, digest=kept.digest, record=kept.record))
        work.records.expect_code(job.run_id, loaded.record)
    for saved in batch.saved:
        work.checkpoints.add(
            job.run_id,
            step=saved.step,
            path=str(Path(saved.folder.path).relative_to(work.root)),
            size=saved.folder.size,
            digest=saved.folder.digest,
            training_score=saved.training_score,
            evaluation_score=saved.evaluation_score,
            evaluation_spread=saved.evaluation_spread,
            signature=dict(saved.signature),
        )
    work.shown_items.add(job.run_id, batch.shown)
    if batch.scored:
        keep_scores(work, job, batch.scored)
    work.metrics.add_usage(job.run_id, batch.usage)


def _fence(job: Job) -> FencedError:
    why = "It was stopped, or given up because its supervisor was silent for too long."
    return FencedError(f"Run {job.run_id} is no longer carried out by this process.", why)
