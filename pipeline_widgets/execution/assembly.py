"""Open a workspace for a process that executes its runs or serves an agent.

Such a process imports no read model and no form: the fewer imports, the sooner a run is Running.
`wiring.py` constructs the rest of a workspace around it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline_widgets.algorithms import evaluators, registry
from pipeline_widgets.domain.liveness import Timing
from pipeline_widgets.domain.resources import DEFAULT_PLACEMENT, Placement
from pipeline_widgets.execution.endpoints import Endpoints
from pipeline_widgets.execution.launchers import find_launcher
from pipeline_widgets.execution.notifier import Notifier
from pipeline_widgets.execution.reconcile import Reconciler
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.store import Store, open_store
from pipeline_widgets.services.agents import AgentService
from pipeline_widgets.services.endpoints import EndpointService
from pipeline_widgets.services.notices import NoticeService
from pipeline_widgets.services.supervision import SupervisionService
from pipeline_widgets.services.tracking import TrackingService


@dataclass(frozen=True, kw_only=True)
class Execution:
    """The part of a workspace that executes its runs and serves its agents."""

    store: Store
    agents: AgentService
    supervision: SupervisionService
    endpoint_service: EndpointService
    endpoints: Endpoints
    notices: NoticeService
    tracking: TrackingService
    reconciler: Reconciler


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
        find_launcher(placement.launcher)
    database = Database(url, create=create)
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
            defines=registry.defines,
            defines_evaluator=evaluators.defines,
            current_code=registry.current_code,
        )
        if placement != DEFAULT_PLACEMENT:
            with store.write() as work:
                work.records.set_placement(placement.within(work.records.placement()))
    except BaseException:
        database.close()
        raise
    supervision = SupervisionService(store)
    agents, endpoint_service = AgentService(store), EndpointService(store)
    common: dict[str, Any] = {"url": store.database.url, "timing": store.timing}
    kept = {"logs": store.endpoint_log, "keys": store.endpoint_key}
    endpoints = Endpoints(endpoint_service, agents, **kept, **common)
    notices = NoticeService(store)
    notifier = Notifier(notices, store.database.url, store.artifacts / "notices.log")
    runs = store.artifacts / "runs"
    return Execution(
        store=store,
        agents=agents,
        supervision=supervision,
        endpoint_service=endpoint_service,
        endpoints=endpoints,
        notices=notices,
        tracking=TrackingService(store),
        reconciler=Reconciler(
            supervision,
            endpoints,
            notifier,
            logs=runs,
            identity=store.identity,
            folders=() if store.remote is not None else (store.artifacts,),
            **common,
        ),
    )
