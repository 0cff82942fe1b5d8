"""Connecting agents: what is wanted of their endpoints, and their keys (spec 8.2, 8.3)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from factories.lab import Lab

from pipeline_widgets.domain.endpoint import verify_key
from pipeline_widgets.errors import ConfigError, RuleError
from pipeline_widgets.services.endpoints import EndpointService


@pytest.fixture
def service(lab: Lab) -> EndpointService:
    """The service."""
    return EndpointService(lab.store)


@pytest.fixture
def agent(lab: Lab) -> int:
    """An agent that was never connected."""
    run = lab.runs.train(lab.experiment("sft").id)
    lab.carry_out(run, 0.5)
    return lab.agents.create("greeter", lab.runs.checkpoints(run.id)[0].id).id


@pytest.mark.spec("8.3")
def test_an_agent_gets_its_first_key_once(lab: Lab, service: EndpointService, agent: int) -> None:
    """However many ask for it at once, one gets it, and that one opens."""
    assert service.connect(agent)
    with ThreadPoolExecutor(6) as people:
        keys = list(people.map(service.first_key, [agent] * 6))
    (key,) = (each for each in keys if each is not None)
    with lab.store.read() as work:
        stored = work.connection.exec_driver_sql("SELECT key_digest FROM endpoints").scalar()
    assert verify_key(key, stored)
    assert service.first_key(agent) is None


@pytest.mark.spec("8.3")
@pytest.mark.parametrize("place", [{"host": "0.0.0.0"}, {"port": 9}], ids=str)  # noqa: S104  that is the question
def test_a_connected_agent_stays_where_it_is(
    service: EndpointService, agent: int, place: dict[str, Any]
) -> None:
    """Another host or port is refused; the same one, or none, is no change."""
    assert service.connect(agent, port=8)
    assert not service.connect(agent)
    assert not service.connect(agent, host="127.0.0.1", port=8)
    with pytest.raises(RuleError) as caught:
        service.connect(agent, **place)
    assert (caught.value.why, caught.value.fix) == (
        "It listens on 127.0.0.1, port 8.",
        "Disconnect it first.",
    )


@pytest.mark.spec("8.3")
def test_what_is_no_place_is_refused_before_anything_is_written(
    lab: Lab, service: EndpointService, agent: int
) -> None:
    """The agent stays Undeployed."""
    for place in ({"host": ""}, {"port": "80"}):
        with pytest.raises(ConfigError):
            service.connect(agent, **place)  # pyright: ignore[reportArgumentType]
    assert lab.agents.get(agent).status == "Undeployed"
