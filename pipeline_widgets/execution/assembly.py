"""Open a workspace for a process that executes its runs or serves an agent.

Such a process imports no read model and no form: the fewer imports, the sooner a run is Running.
`wiring.py` constructs the rest of a workspace around it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_widgets.domain.liveness import Timing
from pipeline_widgets.domain.resources import DEFAULT_PLACEMENT, Placement
from pipeline_widgets.persistence import prepared_databases
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.store import Store, open_store
from pipeline_widgets.services.supervision import SupervisionService

if TYPE_CHECKING:
    from pipeline_widgets.domain.algorithm import AlgorithmReference
    from pipeline_widgets.domain.code_record import CodeRecord
    from pipeline_widgets.execution.endpoints import Endpoints
    from pipeline_widgets.execution.reconcile import Reconciler
    from pipeline_widgets.execution.tracking import TrackerProcess
    from pipeline_widgets.services.agents import AgentService
    from pipeline_widgets.services.endpoints import EndpointService
    from pipeline_widgets.services.notices import NoticeService
    from pipeline_widgets.services.tracking import TrackingService


class Execution:
    """The part of a workspace that executes its runs and serves its agents, each made when it is used.

    Args:
        store: The workspace.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.supervision = SupervisionService(store)

    @cached_property
    def agents(self) -> AgentService:
        """The agents."""
        from pipeline_widgets.services.agents import AgentService  # noqa: PLC0415  not before Running

        return AgentService(self.store)

    @cached_property
    def endpoint_service(self) -> EndpointService:
        """The rows of the processes behind endpoints."""
        from pipeline_widgets.services.endpoints import EndpointService  # noqa: PLC0415  not before Running

        return EndpointService(self.store)

    @cached_property
    def endpoints(self) -> Endpoints:
        """The processes behind endpoints."""
        from pipeline_widgets.execution.endpoints import Endpoints  # noqa: PLC0415  not before Running

        kept = {"logs": self.store.endpoint_log, "keys": self.store.endpoint_key}
        return Endpoints(self.endpoint_service, self.agents, **kept, **self._common)

    @cached_property
    def notices(self) -> NoticeService:
        """The messages about runs."""
        from pipeline_widgets.services.notices import NoticeService  # noqa: PLC0415  not before Running

        return NoticeService(self.store)

    @cached_property
    def tracking(self) -> TrackingService:
        """What trackers are told."""
        from pipeline_widgets.services.tracking import TrackingService  # noqa: PLC0415  not before Running

        return TrackingService(self.store)

    @cached_property
    def trackers(self) -> TrackerProcess:
        """The process that tells trackers."""
        from pipeline_widgets.execution.tracking import TrackerProcess  # noqa: PLC0415  not before Running

        return TrackerProcess(self.tracking, self.store.database.url, self.store.artifacts / "trackers.log")

    @cached_property
    def reconciler(self) -> Reconciler:
        """Finds dead runs, and launches what waits."""
        from pipeline_widgets.execution.notifier import Notifier  # noqa: PLC0415  not before Running
        from pipeline_widgets.execution.reconcile import Reconciler  # noqa: PLC0415  not before Running

        artifacts = self.store.artifacts
        return Reconciler(
            self.supervision,
            self.endpoints,
            Notifier(self.notices, self.store.database.url, artifacts / "notices.log"),
            logs=artifacts / "runs",
            identity=self.store.identity,
            folders=() if self.store.remote is not None else (artifacts,),
            **self._common,
        )

    @property
    def _common(self) -> dict[str, Any]:
        return {"url": self.store.database.url, "timing": self.store.timing}


def connect_execution(
    url: str | Path,
    *,
    artifacts: str | Path | None = None,
    cache: str | Path | None = None,
    placement: Placement = DEFAULT_PLACEMENT,
    timing: Timing | None = None,
    create: bool = True,
    trust: bool = False,
    checks_code: bool = True,
    launched_for: str | None = None,
) -> Execution:
    """Open a workspace, and make it where there is none yet, unless `create` is False.

    Args:
        url: The path of a SQLite file, or any SQLAlchemy URL.
        artifacts: The folder for checkpoints and logs, or a URL of fsspec.
        cache: The folder of this machine for what is kept at a URL.
        placement: Where runs are launched whose stage and experiment do not say; what is given is kept in the
            workspace.
        timing: How often supervisors beat.
        create: Whether a workspace is made where there is none.
        trust: Whether this user trusts the workspace from now on.
        checks_code: Whether all of its code is compared now with what this user has signed; a process that
            uses little of it leaves that to the use.
        launched_for: The identity of the workspace for which a launcher has started this process.

    Raises:
        StorageError: The database or the artifact folder cannot be opened.
        ExecutionError: No launcher has that name.
    """
    if placement.launcher is not None:
        from pipeline_widgets.execution.launchers import find_launcher  # noqa: PLC0415  not before Running

        find_launcher(placement.launcher)
    database = (None if create else prepared_databases.take(url)) or Database(url, create=create)
    try:
        opened = open_store(
            database,
            artifacts,
            timing,
            trust=trust,
            checks_code=checks_code,
            cache=cache,
            launched_for=launched_for,
        )
        store = replace(
            opened,
            defines=_defines,
            defines_evaluator=_defines_evaluator,
            current_code=_current_code,
        )
        if placement != DEFAULT_PLACEMENT:
            with store.write() as work:
                work.records.set_placement(placement.within(work.records.placement()))
    except BaseException:
        database.close()
        raise
    return Execution(store)


def _defines(name: str) -> bool:
    from pipeline_widgets.algorithms import registry  # noqa: PLC0415  not before Running

    return registry.defines(name)


def _defines_evaluator(name: str) -> bool:
    from pipeline_widgets.algorithms import evaluators  # noqa: PLC0415  not before Running

    return evaluators.defines(name)


def _current_code(name: str, reference: AlgorithmReference) -> CodeRecord | None:
    from pipeline_widgets.algorithms import registry  # noqa: PLC0415  not before Running

    return registry.current_code(name, reference)
