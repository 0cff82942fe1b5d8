"""Ending the processes behind endpoints (spec 8.1)."""

from __future__ import annotations

import pytest
from factories.lab import CHILD, Lab

from pipeline_widgets.domain.endpoint import derive_token
from pipeline_widgets.domain.liveness import Process, ProcessState
from pipeline_widgets.errors import ExecutionError
from pipeline_widgets.execution import endpoints, ownership, processes
from pipeline_widgets.execution.endpoints import Endpoints
from pipeline_widgets.services.endpoints import EndpointService


@pytest.mark.spec("8.1")
def test_a_process_that_cannot_be_killed_is_told_and_not_waited_for(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who disconnects gets an error with its number; the agent is Undeployed."""
    run = lab.runs.train(lab.experiment("sft").id)
    lab.carry_out(run, 0.5)
    agent = lab.agents.create("greeter", lab.runs.checkpoints(run.id)[0].id).id
    service, store = EndpointService(lab.store), lab.store
    service.connect(agent)
    assert service.take(agent, CHILD, derive_token("key"))
    killed: list[int] = []

    def still(_: Process | None) -> ProcessState:
        return ProcessState.AT_WORK

    def family(pid: int) -> list[int]:
        killed.append(pid)
        return []

    monkeypatch.setattr(processes, "probe", still)
    monkeypatch.setattr(ownership, "is_launched", lambda *_, **__: True)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    monkeypatch.setattr(ownership, "family", family)
    monkeypatch.setattr(processes, "ask_to_stop", family)
    monkeypatch.setattr(processes, "family", family)
    monkeypatch.setattr(endpoints, "END_GRACE", 0.0)
    monkeypatch.setattr(endpoints, "KILL_GRACE", 0.0)
    connected = Endpoints(
        service,
        lab.agents,
        url=store.database.url,
        logs=store.endpoint_log,
        keys=store.endpoint_key,
        timing=store.timing,
    )
    with pytest.raises(ExecutionError, match=f"Process {CHILD.pid} of the endpoint does not end"):
        connected.disconnect(agent)
    assert lab.agents.get(agent).status == "Undeployed"
    assert set(killed) <= {CHILD.pid}
