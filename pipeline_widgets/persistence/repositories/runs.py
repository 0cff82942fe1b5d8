"""Runs. Whoever carries a run out writes through its token (a fence)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BindParameter,
    Case,
    ColumnElement,
    Executable,
    Integer,
    String,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningInsert

from pipeline_widgets.domain.failure import Failure
from pipeline_widgets.domain.liveness import Lease, Process
from pipeline_widgets.domain.run import ACTIVE, Run, Status, check_transition
from pipeline_widgets.domain.run_record import RunCode
from pipeline_widgets.errors import ConflictError
from pipeline_widgets.persistence import row_mapping, schema
from pipeline_widgets.persistence.repositories.base import Repository, require

if TYPE_CHECKING:
    from pipeline_widgets.domain.filtering import Filter
    from pipeline_widgets.domain.limits import Limits, QueuedRun
    from pipeline_widgets.domain.overview import ResultRow

_C = schema.runs.c
_ACTIVE = tuple(sorted(status.value for status in ACTIVE))
#: In the statement: a database can tell then that its partial indexes have all such runs.
ACTIVE_LITERALS: list[ColumnElement[Any]] = [literal_column(f"'{each}'") for each in _ACTIVE]
IS_ACTIVE: ColumnElement[bool] = _C.status.in_(ACTIVE_LITERALS)
_HELD = (_C.id == bindparam("run")) & (_C.token == bindparam("held_token")) & _C.status.in_(_ACTIVE)

_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_RUNS = select(schema.runs)
_BY_ID = _RUNS.where(_C.id.in_(_IDS)).order_by(_C.id)
_USING = _RUNS.where(_C.start_checkpoint_id.in_(_IDS) | _C.source_checkpoint_id.in_(_IDS)).order_by(_C.id)
_ONE = _RUNS.where(_C.id == bindparam("run"))
_STATUS = select(_C.status).where((_C.id == bindparam("run")) & (_C.token == bindparam("held_token")))
_ACTIVE_OF = _RUNS.where(_C.experiment_id.in_(_IDS) & IS_ACTIVE).order_by(_C.id)
_ACTIVE_IN = select(_C.id).where((_C.pipeline_id == bindparam("pipeline")) & IS_ACTIVE).limit(1)
_LEASES = select(*(_C[name] for name in row_mapping.LEASE_COLUMNS)).where(IS_ACTIVE)
_ACTIVE_EVALUATIONS = _RUNS.where(IS_ACTIVE & (_C.kind == "evaluation"))
_SAVED = select(schema.checkpoints.c.id).where(schema.checkpoints.c.run_id == _C.id).exists()
_LATEST = select(func.max(_C.id)).where(_C.stage_id.in_(_IDS))
_BOUND = (
    select(schema.stages.c.experiment_id).where(schema.stages.c.id == bindparam("stage")).scalar_subquery()
)
_LATEST_OF_STAGE = _RUNS.where(
    _C.id
    == select(func.max(_C.id))
    .where((_C.stage_id == bindparam("stage")) & _C.experiment_id.is_not_distinct_from(_BOUND))
    .scalar_subquery()
)
_LAST_OF_PIPELINE = select(func.max(_C.id).label("last")).where(
    _C.stage_id.in_(select(schema.stages.c.id).where(schema.stages.c.pipeline_id == bindparam("pipeline")))
)
#: Runs of an experiment are numbered in their order, and the index has the number.
_LATEST_OF_EXPERIMENT = (
    _RUNS.where(_C.experiment_id == bindparam("experiment")).order_by(_C.number.desc(), _C.id.desc()).limit(1)
)
_TELLING = _RUNS.where(_C.id.in_(_LATEST.group_by(_C.stage_id, _C.experiment_id, _C.status, _SAVED)))


def _number_within(owner: ColumnElement[int]) -> ReturningInsert[Any]:
    last = select(func.coalesce(func.max(_C.number), 0) + 1).where(owner == bindparam("numbered_by"))
    return insert(schema.runs).values(number=last.scalar_subquery()).returning(schema.runs)


_ADD_TO_EXPERIMENT, _ADD_TO_STAGE = _number_within(_C.experiment_id), _number_within(_C.stage_id)
_ADD_TO_PROJECT = _number_within(case((_C.kind == "evaluation", _C.project_id)))
_TAKE = (
    update(schema.runs)
    .where((_C.id == bindparam("run")) & (_C.status == Status.PENDING.value) & _C.token.is_(None))
    .values(
        beat_at=bindparam("now"),
        token=bindparam("new_token"),
        host=bindparam("new_host"),
        pid=bindparam("new_pid"),
        pid_started=bindparam("new_pid_started"),
    )
)
_START = (
    update(schema.runs)
    .where(_HELD & (_C.status == Status.PENDING.value))
    .values(
        status=Status.RUNNING.value,
        revision=bindparam("new_revision"),
        child_pid=bindparam("pid_"),
        child_started=bindparam("since"),
        environment_digest=bindparam("environment"),
        started_at=bindparam("now"),
        beat_at=bindparam("now"),
        waits=None,
    )
)


def _further(step: BindParameter[int]) -> Case[int]:
    """Return the furthest step of a run: a late report for an earlier step does not move it back."""
    return case((_C.step.is_(None) | (step > _C.step), step), else_=_C.step)


_NEW = bindparam("new_status", type_=String)
_SUCCEEDED_ANYWAY = (_C.status == Status.STOPPING.value) & (Status.SUCCEEDED.value == _NEW)
_END = (
    update(schema.runs)
    .where(_HELD)
    .values(
        status=case((_SUCCEEDED_ANYWAY, Status.STOPPED.value), else_=_NEW),
        revision=bindparam("new_revision"),
        step=_further(bindparam("new_step", type_=schema.LONG)),
        total=func.coalesce(bindparam("new_total", type_=schema.LONG), _C.total),
        error=bindparam("new_error"),
        failure=bindparam("new_failure", type_=_C.failure.type),
        finished_at=bindparam("now"),
    )
    .returning(schema.runs)
)
_SAVED_CHECKPOINTS = (
    select(func.count()).where(schema.checkpoints.c.run_id == _C.id).correlate(schema.runs).scalar_subquery()
)
_THAT_RAN = (
    select(_C.experiment_id)
    .distinct()
    .where((_C.project_id == bindparam("project")) & _C.experiment_id.is_not(None))
)
#: Evaluations train no experiment; the index of experiment and number has them in the order of their numbers.
_LATEST_EVALUATIONS = (
    _RUNS.where(
        _C.experiment_id.is_(None) & (_C.kind == "evaluation") & (_C.project_id == bindparam("project"))
    )
    .order_by(_C.number.desc())
    .limit(bindparam("most", type_=Integer))
)
_OF_TABLE = (
    select(
        *(_C.id, _C.experiment_id, _C.number, _C.status, _C.started_at, _C.finished_at, _C.step),
        *(_C.lowest_evaluation, _C.highest_evaluation, _C.lowest_training, _C.highest_training),
        *(_C.peak_cpu, _C.peak_memory, _C.peak_gpu_memory),
        *(schema.experiments.c.name, _SAVED_CHECKPOINTS.label("checkpoints")),
        schema.algorithms.c.spec["score"].as_string().label("score"),
    )
    .join(schema.experiments, schema.experiments.c.id == _C.experiment_id)
    .join(schema.algorithms, schema.algorithms.c.id == schema.experiments.c.algorithm_id)
    .where((_C.project_id == bindparam("project")) & _C.experiment_id.in_(_IDS))
    .order_by(_C.experiment_id, _C.number)
)

_QUEUE = (
    select(_C.id, _C.number, _C.kind, _C.resources, _C.gpus, _C.launches, _C.token, _C.waits, _C.project_id)
    .add_columns(schema.experiments.c.name)
    .add_columns(select(schema.workspace.c.limits).scalar_subquery().label("limits"))
    .outerjoin(schema.experiments, schema.experiments.c.id == _C.experiment_id)
    .where(_C.launcher.is_(None) & (_C.kind != "deployment"))
    .where(_C.home.is_(None) | (_C.home == bindparam("host")))
    .where(_C.status.in_(_ACTIVE))
    .order_by(_C.id)
)

#: What a retry has in common with the run that crashed: what it trains, and where.
_FROZEN = (
    *("project_id", "pipeline_id", "stage_id", "experiment_id", "kind", "algorithm_id"),
    *("config", "config_digest", "seed", "signature", "code", "launcher", "resources", "home", "run_through"),
)

#: What a run has rows of its own in, beside scores.
_OWN_TABLES = (
    *(schema.metric_blocks, schema.last_metrics, schema.usage, schema.shown_items),
    *(schema.checkpoints, schema.notices),
)


class Runs(Repository):
    """The runs of a workspace: append-only, moved along by compare and set."""

    def add(self, **values: object) -> Run:
        """Insert a run, Pending unless told, with the next number.

        Runs are counted for each experiment and each Deployment stage, evaluations for each project.
        """
        match values.get("kind", "training"):
            case "evaluation":
                made, by = _ADD_TO_PROJECT, values["project_id"]
            case "deployment":
                made, by = _ADD_TO_STAGE, values.get("stage_id")
            case _:
                made, by = _ADD_TO_EXPERIMENT, values["experiment_id"]
        fixed = {"status": Status.PENDING.value, "created_at": self.now, "launches": 0}
        return row_mapping.to_run(require(self._first(made, numbered_by=by, **fixed | values), "run"))

    def add_retry(self, run: Run, **values: object) -> Run:
        """Insert a Pending run with all that another one has frozen but its start, as its next retry."""
        row = require(self._first(_ONE, run=run.id), "run")
        return self.add(**{name: row[name] for name in _FROZEN}, retry=run.retry + 1, **values)

    def add_to_error(self, run: Run, sentence: str) -> None:
        """Append a sentence to the error of a run that has ended."""
        error = self.get(run.id).error or ""
        between = "\n" if "\n" in error else " "
        self._set(schema.runs, run.id, error=f"{error}{between}{sentence}".strip())

    def get(self, run_id: int) -> Run:
        """Return one run; NotFoundError without it."""
        return row_mapping.to_run(require(self._first(_ONE, run=run_id), "run"))

    def lease(self, run_id: int) -> Lease:
        """Return which process holds a run; NotFoundError without it."""
        return row_mapping.to_lease(require(self._first(_ONE, run=run_id), "run"))

    def by_id(self, ids: Collection[int]) -> dict[int, Run]:
        """Return runs by id."""
        return self._by_id(_BY_ID, ids)

    def resumed(self, ids: Collection[int]) -> dict[int, Run]:
        """Return runs, those that they resumed, those that these resumed, and so on, by id."""
        from pipeline_widgets.persistence.repositories.run_lineage import RESUMED  # noqa: PLC0415  not before Running

        return self._by_id(RESUMED, ids)

    def resuming(self, ids: Collection[int]) -> dict[int, Run]:
        """Return runs, those that resumed them, those that resumed these, and so on, by id."""
        from pipeline_widgets.persistence.repositories.run_lineage import RESUMING  # noqa: PLC0415  not before Running

        return self._by_id(RESUMING, ids)

    def ancestors(self, run_id: int) -> dict[int, Run]:
        """Return a run, the one that saved what it started from, and so on, by id."""
        from pipeline_widgets.persistence.repositories.run_lineage import ANCESTORS  # noqa: PLC0415  not before Running

        return self._by_id(ANCESTORS, [run_id])

    def descendants(self, checkpoint_ids: Collection[int]) -> dict[int, Run]:
        """Return the runs that started from checkpoints, or from what such runs saved, and so on, by id."""
        from pipeline_widgets.persistence.repositories.run_lineage import DESCENDANTS  # noqa: PLC0415  not before Running

        return self._by_id(DESCENDANTS, checkpoint_ids)

    def of_stage(self, stage_id: int) -> tuple[Run, ...]:
        """Return the runs of a stage, oldest first."""
        return self._where(_C.stage_id == stage_id)

    def latest_of_stage(self, stage_id: int) -> Run | None:
        """Return the latest run of a stage with the experiment that it is bound to now."""
        row = self._first(_LATEST_OF_STAGE, stage=stage_id)
        return None if row is None else row_mapping.to_run(row)

    def latest_of_experiment(self, experiment_id: int) -> Run | None:
        """Return the latest run of an experiment, in whatever stage."""
        row = self._first(_LATEST_OF_EXPERIMENT, experiment=experiment_id)
        return None if row is None else row_mapping.to_run(row)

    def last_of_pipeline(self, pipeline_id: int) -> int:
        """Return the id of the latest run of any stage that stands in a pipeline; 0 without one."""
        row = self._first(_LAST_OF_PIPELINE, pipeline=pipeline_id)
        return int(row["last"] or 0) if row is not None else 0

    def of_supervisor(self, run_id: int) -> tuple[Run, ...]:
        """Return a run and those after it that the same supervisor has taken, oldest first."""
        token = select(_C.token).where(_C.id == run_id).scalar_subquery()
        return self._where((_C.id >= run_id) & ((_C.id == run_id) | (_C.token == token)))

    def of_experiment(self, experiment_id: int) -> tuple[Run, ...]:
        """Return the runs of an experiment, in whatever stage, oldest first."""
        return self._where(_C.experiment_id == experiment_id)

    def of_project(self, project_id: int) -> tuple[Run, ...]:
        """Return the runs of a project, oldest first."""
        return self._where(_C.project_id == project_id)

    def matching(self, project_id: int, where: Filter) -> tuple[int, ...]:
        """Return the runs of a project for which a filter holds, oldest first; evaluations are none."""
        from pipeline_widgets.domain.filter_subjects import RUNS  # noqa: PLC0415  not before Running
        from pipeline_widgets.persistence.repositories.filters import build_condition, run_target  # noqa: PLC0415  not before Running

        mine = (_C.project_id == project_id) & (_C.kind != "evaluation")
        holds = build_condition(self.connection, where, run_target(RUNS))
        return tuple(self.connection.scalars(select(_C.id).where(mine & holds).order_by(_C.id)))

    def ids(self) -> frozenset[int]:
        """Return the ids of all runs of the workspace."""
        return frozenset(self.connection.scalars(select(_C.id)))

    def active(self) -> tuple[Lease, ...]:
        """Return which process holds each active run of the workspace, oldest first."""
        rows = self._all(_LEASES)  # unsorted: else SQLite goes through all runs by their ids
        return tuple(map(row_mapping.to_lease, sorted(rows, key=itemgetter("id"))))

    def evaluations(self, project_id: int) -> tuple[Run, ...]:
        """Return the evaluations of a project, oldest first."""
        return self._where((_C.project_id == project_id) & (_C.kind == "evaluation"))

    def latest_evaluations(self, project_id: int, most: int) -> tuple[Run, ...]:
        """Return the last evaluations of a project, latest first."""
        return tuple(map(row_mapping.to_run, self._all(_LATEST_EVALUATIONS, project=project_id, most=most)))

    def active_evaluations(self) -> tuple[Run, ...]:
        """Return the evaluations of the workspace that are active, oldest first."""
        rows = self._all(_ACTIVE_EVALUATIONS)
        return tuple(map(row_mapping.to_run, sorted(rows, key=itemgetter("id"))))

    def any_active_in(self, pipeline_id: int) -> bool:
        """Return whether a run of a pipeline is active."""
        return self._first(_ACTIVE_IN, pipeline=pipeline_id) is not None

    def active_of_experiments(self, ids: Collection[int]) -> dict[int, Run]:
        """Return the active run of each of those experiments that has one."""
        return {row["experiment_id"]: row_mapping.to_run(row) for row in self._of(_ACTIVE_OF, ids)}

    def telling(self, stage_ids: Collection[int]) -> tuple[Run, ...]:
        """Return the runs that tell the state of stages.

        They are, for each stage and experiment, the latest of each status, without and with a checkpoint.
        """
        return tuple(map(row_mapping.to_run, self._of(_TELLING, stage_ids)))

    def listed(self, project_id: int, experiment_ids: Collection[int]) -> tuple[ResultRow, ...]:
        """Return the runs of those experiments as a table shows them, by experiment and number."""
        rows = self._of(_OF_TABLE, sorted(experiment_ids), project=project_id)
        return tuple(map(row_mapping.to_result_row, rows))

    def experiments_that_ran(self, project_id: int) -> frozenset[int]:
        """Return the experiments of a project that have a run."""
        return frozenset(self.connection.scalars(_THAT_RAN, {"project": project_id}))

    def set_status(self, run: Run, status: Status, revision: int, **values: object) -> Run:
        """Move a run on.

        Raises:
            TransitionError: The table of transitions does not allow it.
            ConflictError: Somebody else moved it meanwhile.
        """
        check_transition(run.status, status)
        if not self._move((_C.id == run.id) & (_C.status == run.status.value), status, revision, values):
            what = f"{run.label.capitalize()} was changed meanwhile."
            raise ConflictError(what, fix="Look at it again and repeat what you did.")
        return self.get(run.id)

    def start(
        self, run_id: int, token: str, revision: int, *, pid: int, since: float, environment: str | None
    ) -> bool:
        """Set a leased run to Running, with the process that trains; False if it is no longer Pending."""
        child = {"pid_": pid, "since": since, "now": self.now, "environment": environment}
        return self._done(_START, run=run_id, held_token=token, new_revision=revision, **child)

    def record_code(self, run_id: int, code: RunCode) -> None:
        """Record which code a run has loaded. The fence is the caller's, in the same transaction."""
        self._set(schema.runs, run_id, code=code.to_json())

    def end(
        self,
        run_id: int,
        token: str,
        status: Status,
        revision: int,
        *,
        error: str | None = None,
        failure: Failure | None = None,
        step: int | None = None,
        total: int | None = None,
    ) -> Run | None:
        """End a run as the process that holds `token`; None if that process was given up.

        What would have succeeded is Stopped if a stop was asked for meanwhile.
        """
        told = {"new_error": error, "new_step": step, "new_total": total, "now": self.now}
        kept = failure.to_json() if failure else None
        ended = {"new_status": status.value, "new_revision": revision, "new_failure": kept, **told}
        row = self._first(_END, run=run_id, held_token=token, **ended)
        return row_mapping.to_run(row) if row else None

    def update_fenced(self, run_id: int, token: str, **values: object) -> bool:
        """Write columns as the process that holds `token`; False if that process was given up."""
        if (step := values.get("step")) is not None:
            values["step"] = _further(bindparam("new_step", step, type_=schema.LONG))
        written = update(schema.runs).where(_HELD).values(**values)
        return self._done(written, run=run_id, held_token=token)

    def take(self, run_id: int, **owner: object) -> bool:
        """Lease a Pending run that nobody holds; False if somebody does."""
        new = {f"new_{name}": value for name, value in owner.items()}
        return self._done(_TAKE, run=run_id, now=self.now, **new)

    def queue(self, host: str) -> tuple[tuple[QueuedRun, ...], Limits]:
        """Return the active runs that a machine launches itself, the oldest first, and the limits given.

        Deployments are none of them. Without a run the limits are not read: nothing has to be decided.
        """
        from pipeline_widgets.domain.limits import Limits  # noqa: PLC0415  not before Running

        rows = self._all(_QUEUE, host=host)
        return tuple(map(row_mapping.to_queued_run, rows)), Limits.from_json(
            rows[0]["limits"] if rows else None
        )

    def count_launch(self, lease: Lease, gpus: Collection[int] | None = None) -> bool:
        """Count one more launch of a Pending run, and free it; False if somebody else was faster.

        Args:
            lease: The lease of the run.
            gpus: The GPUs that it is given with its first launch; a further one leaves it those.
        """
        same = (_C.id == lease.subject_id) & (_C.status == Status.PENDING.value)
        token = _C.token.is_(None) if lease.token is None else _C.token == lease.token
        counted = update(schema.runs).where(same & token & (_C.launches == lease.launches))
        names = ("token", "pid", "launch_host", "launch_pid", "launch_started", "job", "waits")
        unknown = dict.fromkeys(names)
        given = {} if gpus is None else {"gpus": list(gpus)}
        values: dict[str, Any] = {"launches": lease.launches + 1, "launched_at": self.now, **unknown, **given}
        return self._done(counted.values(**values))

    def set_launched(self, run_id: int, launches: int, process: Process | None, job: str | None) -> bool:
        """Note what the last launch of an active run has started; False if it has moved on."""
        same = (_C.id == run_id) & _C.status.in_(_ACTIVE) & (_C.launches == launches)
        started: dict[str, object] = {"job": job}
        if process is not None:
            started |= {"launch_pid": process.pid, "launch_started": process.started}
            started |= {"launch_host": process.machine}
        is_active = self._done(update(schema.runs).where(same).values(**started))
        if job is not None:  # a supervisor may have come to the next stages before this could be noted
            this = (_C.id == run_id) & (_C.launches == launches)
            holder = select(_C.token).where(this).scalar_subquery()
            unnoted = update(schema.runs).where(_C.job.is_(None) & (this | (_C.token == holder)))
            self.connection.execute(unnoted.values(job=job))
        return is_active

    def uncount_launch(self, run_id: int, launches: int) -> bool:
        """Take back the last launch of a Pending run, which nothing has come of; False if it has moved on."""
        same = (_C.id == run_id) & (_C.status == Status.PENDING.value) & (_C.launches == launches)
        free = update(schema.runs).where(same & _C.token.is_(None) & _C.job.is_(None))
        return self._done(free.values(launches=launches - 1, launched_at=self.now))

    def set_waits(self, lease: Lease, waits: str | None, revision: int) -> bool:
        """Write for what an active run waits; False if it has moved on."""
        status = Status.PENDING if lease.status is None else lease.status
        same = (_C.id == lease.subject_id) & (_C.status == status.value)
        token = _C.token.is_(None) if lease.token is None else _C.token == lease.token
        unchanged = update(schema.runs).where(same & token & (_C.launches == lease.launches))
        return self._done(unchanged.values(waits=waits, revision=revision))

    def hold_back(self, run_id: int, waits: str, revision: int) -> bool:
        """Write for what a run waits that was not launched yet; False if it has moved on."""
        same = (_C.id == run_id) & (_C.status == Status.PENDING.value) & (_C.launches == 0)
        written = update(schema.runs).where(same & _C.token.is_(None))
        return self._done(written.values(waits=waits, revision=revision))

    def status_under(self, run_id: int, token: str) -> Status | None:
        """Return the status as the process that holds `token` sees it; None if it was given up."""
        row = self._first(_STATUS, run=run_id, held_token=token)
        return None if row is None else Status(row["status"])

    def using(self, checkpoint_ids: Collection[int]) -> tuple[Run, ...]:
        """Return the runs that started from, or consumed, one of those checkpoints."""
        using = self._by_id(_USING, checkpoint_ids)
        return tuple(using[key] for key in sorted(using))

    def remove_of_experiment(self, experiment_id: int) -> None:
        """Delete an experiment's runs with all rows that belong to them."""
        self._remove(_C.experiment_id == experiment_id)

    def remove_of_project(self, project_id: int) -> None:
        """Delete a project's runs with all rows that belong to them."""
        self._remove(_C.project_id == project_id)

    def _remove(self, which: ColumnElement[bool]) -> None:
        ids = select(_C.id).where(which)
        self.connection.execute(delete(schema.scores).where(schema.scores.c.saved_by.in_(ids)))
        for table in _OWN_TABLES:
            self.connection.execute(delete(table).where(table.c.run_id.in_(ids)))
        unlinked = update(schema.runs).where(which)
        self.connection.execute(unlinked.values(resumed_run_id=None, source_run_id=None))
        self.connection.execute(delete(schema.runs).where(which))

    def _by_id(self, query: Executable, ids: Iterable[int]) -> dict[int, Run]:
        return {row["id"]: row_mapping.to_run(row) for row in self._of(query, ids)}

    def _where(self, condition: ColumnElement[bool]) -> tuple[Run, ...]:
        return tuple(map(row_mapping.to_run, self._all(_RUNS.where(condition).order_by(_C.id))))

    def _move(
        self, mine: ColumnElement[bool], status: Status, revision: int, values: Mapping[str, Any]
    ) -> bool:
        ended = {"finished_at": self.now} if status.finished else {}
        moved = update(schema.runs).where(mine).values(status=status.value, revision=revision)
        return self._done(moved.values(**ended, **values))
