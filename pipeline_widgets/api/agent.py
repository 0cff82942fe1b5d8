"""Agents: checkpoints saved under a name."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline_widgets.api import display
from pipeline_widgets.api.handle import Handle, of_items
from pipeline_widgets.api.lineage import Lineage
from pipeline_widgets.api.listing import Listing, select_columns
from pipeline_widgets.api.run import Checkpoint
from pipeline_widgets.application import Services
from pipeline_widgets.domain import agent as values
from pipeline_widgets.domain.agent import AgentStatus
from pipeline_widgets.errors import ConfigError, PipelineError, WaitTimeoutError
from pipeline_widgets.execution.predictor_process import open_answerer

if TYPE_CHECKING:
    from pipeline_widgets.widgets.agent import AgentView

CONNECT_POLL = 0.02  # seconds


class Agent(Handle, display.ShowsView):
    """A frozen copy of a checkpoint under a name, in versions."""

    kind = "agent"
    listed = "ws.agents"

    def __init__(self, services: Services, id_: int) -> None:
        super().__init__(services, id_)
        self._opened: tuple[int, Callable[[Any], Any]] | None = None

    def __repr__(self) -> str:
        return f"Agent({self.name!r}, version={self._now.current.number})"

    @property
    def name(self) -> str:
        """Its name, unique in the workspace."""
        return self._now.name

    @property
    def description(self) -> str:
        """Its description."""
        return self._now.description

    @property
    def status(self) -> AgentStatus:
        """Undeployed as long as it is not connected; Deployed while it is served over HTTP."""
        self._services.reconcile()
        return self._now.status

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint that its current version is a copy of."""
        return Checkpoint(self._services, self._now.current.checkpoint)

    @property
    def experiment(self) -> str:
        """The name of the experiment that made the current version."""
        return self._now.current.experiment

    @property
    def version(self) -> int:
        """The number of the current version."""
        return self._now.current.number

    @property
    def versions(self) -> Listing[AgentVersion]:
        """All versions, oldest first."""
        found = self._services.agents.versions(self._id)
        return Listing("version", (AgentVersion(self._services, each) for each in found))

    @property
    def url(self) -> str | None:
        """Its address while it is Deployed, without a slash at the end; None else."""
        self._services.reconcile()
        return _url(self._now)

    @property
    def error(self) -> str | None:
        """Why its endpoint failed, or why its current version is not served; None where all is well."""
        endpoint = self._now.endpoint
        return endpoint.error if endpoint is not None else None

    @property
    def snippets(self) -> dict[str, str]:
        """Code that asks it, by language; empty as long as it was never connected."""
        return {each.language: each.code for each in self._services.agents.snippets(self._id)}

    def connect(
        self, *, host: str | None = None, port: int | None = None, timeout: float | None = None
    ) -> Connection:
        """Serve it over HTTP by a process of its own, which outlives this one, and wait until that answers.

        Args:
            host: The address to listen on, by default 127.0.0.1. With another one others in the network can
                ask as well, over plain HTTP: let them come through a proxy with TLS.
            port: A port; by default the one that it had, or any that is free.
            timeout: Seconds to wait; by default those in which its algorithm says that it loads
                (`load_within`, 60 s where it says nothing).

        Returns:
            Where it answers, and its key if it got its first one now: that is shown only this once.

        Raises:
            ConfigError: The host can be none, or the port, or the timeout.
            RuleError: It is connected already, at another host or port.
            ExecutionError: It could not be served; the reason is in `agent.error` as well.
            WaitTimeoutError: It does not answer in time; it may still come.
        """
        seconds = self._now.current.spec.load_within if timeout is None else _seconds(timeout)
        until = time.monotonic() + seconds
        endpoints = self._services.endpoints
        endpoints.connect(self._id, host=host, port=port)
        while not endpoints.answers(self._id, self.version):
            if time.monotonic() > until:
                what = f"Agent {self.name!r} does not answer after {seconds:g} s."
                raise WaitTimeoutError(
                    what, fix="Check agent.status later, or connect with a longer timeout."
                )
            time.sleep(CONNECT_POLL)
        # Only now: a key that is made before would be lost where it fails.
        return Connection(url=self.url or "", key=self._services.first_key(self._id))

    def disconnect(self) -> None:
        """Serve it no longer. Requests that are under way have 20 s to be answered in, then they get 503.

        Raises:
            ExecutionError: Its process does not end, although it was killed.
        """
        self._services.disconnect_agent(self._id)

    def rotate_key(self) -> str:
        """Give it a new key and return that: it cannot be shown again. The former one is refused at once."""
        return self._services.rotate_key(self._id)

    def predict(self, x: Any) -> Any:
        """Answer without HTTP: an action, a text or a value, as its algorithm declares.

        An algorithm that needs a library, such as Stable-Baselines3, answers in a process of its own, with
        arrays as lists: no pickle of a checkpoint is opened in this one.

        Args:
            x: What it answers to: an observation as a list or array of numbers, with the shape that its
                environment declares, or a prompt as a string.

        Raises:
            AlgorithmNotFoundError: The algorithm's code is gone, or declares no predictor.
            CheckpointError: The frozen copy is missing or corrupt.
            PipelineError: The algorithm refuses `x`.
        """
        current = self._now.current
        if self._opened is None or self._opened[0] != current.id:
            reference = self._services.agents.reference(current)
            store = self._services.store
            answerer = open_answerer(store.database.url, current, reference, store.artifact_store)
            self._opened = (current.id, answerer)
        return self._opened[1](x)

    def compare(self, x: Any, *versions: int) -> Listing[VersionAnswer]:
        """Give several versions the same input: the new version beside the former one.

        Each version answers in a process of its own, with arrays as lists; the agent need not be connected,
        and what it serves stays. An error of one version stands in its row.

        Args:
            x: What they answer to, as for `predict`.
            *versions: The numbers of the versions; by default the current one and the one before it. A
                single one is compared with the current one.

        Returns:
            The answers, oldest version first, with the scores of each and the seconds that its answer took.

        Raises:
            NotFoundError: There is no such version.
            RuleError: There is only one version.
            UntrustedError: The workspace is open for reading only.
        """
        answers = self._services.compare_versions(self._id, x, versions)
        return Listing("answer", (VersionAnswer(self._services, each) for each in answers))

    def rollback(self, number: int) -> None:
        """Make a former version the current one; where it is connected, that answers from now on.

        Args:
            number: The version, from 1.

        Raises:
            NotFoundError: There is no such version.
        """
        self._services.roll_back(self._id, number)

    @property
    def lineage(self) -> Lineage:
        """The ancestors and descendants of the checkpoint of its current version."""
        return self.checkpoint.lineage

    def update(self, *, description: str) -> None:
        """Give it another description.

        Args:
            description: The new description; may be empty.
        """
        self._services.agents.describe(self._id, description)

    def view(self) -> AgentView:
        """Return a new live view of it, as the last line of a cell shows it.

        Raises:
            ExecutionError: What a notebook needs is not installed.
        """
        with display.needs_widgets():
            from pipeline_widgets.widgets.agent import AgentView  # noqa: PLC0415  only for a notebook
        return AgentView(self._services, self._id)

    def delete(self) -> None:
        """Delete it; the checkpoints that it was made of stay.

        Raises:
            InUseError: It is connected, or a stage starts from it.
        """
        self._services.agents.delete(self._id)

    def summary(self) -> dict[str, Any]:
        """Its row in a listing."""
        self._services.reconcile()
        return _row(self._now)

    @property
    def _now(self) -> values.Agent:
        return self._services.agents.get(self._id)


@dataclass(frozen=True)
class Connection:
    """The address of an agent, and its key where that is new."""

    url: str
    #: Shown only once, since only its digest is stored; None if it has one already.
    key: str | None

    def __repr__(self) -> str:
        key = (
            f"key {self.key} (copy it now, it won't be shown again)"
            if self.key
            else "with the key that it has"
        )
        return f"Deployed at {self.url}, {key}"


class AgentVersion:
    """One version of an agent."""

    def __init__(self, services: Services, value: values.AgentVersion) -> None:
        self._services = services
        self._value = value

    def __repr__(self) -> str:
        return f"AgentVersion(number={self.number}, step={self.checkpoint.step})"

    @property
    def number(self) -> int:
        """Counted from 1."""
        return self._value.number

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint that it is a copy of."""
        return Checkpoint(self._services, self._value.checkpoint)

    @property
    def experiment(self) -> str:
        """The name of the experiment that made it."""
        return self._value.experiment

    @property
    def created_at(self) -> datetime:
        """The time at which it was saved, in UTC."""
        return self._value.created_at

    def summary(self) -> dict[str, Any]:
        """Its row in a listing."""
        scored = select_columns(self._value.checkpoint, "step", "evaluation_score")
        return {**select_columns(self, "number", "experiment"), **scored, "created_at": self.created_at}


class VersionAnswer:
    """The answer of one version of an agent to an input that others were given as well."""

    def __init__(self, services: Services, value: values.VersionAnswer) -> None:
        self._services = services
        self._value = value

    def __repr__(self) -> str:
        said = repr(self.answer) if self.error is None else str(self.error)
        return f"VersionAnswer(version={self.version.number}, {said})"

    @property
    def version(self) -> AgentVersion:
        """The version."""
        return AgentVersion(self._services, self._value.version)

    @property
    def answer(self) -> Any:
        """What it answered; None where it failed."""
        return self._value.answer

    @property
    def error(self) -> PipelineError | None:
        """Why it gave no answer; None where it gave one."""
        return self._value.error

    @property
    def seconds(self) -> float:
        """How long the answer took, in seconds, without opening the version."""
        return self._value.seconds

    def summary(self) -> dict[str, Any]:
        """Its row in a listing."""
        scores = select_columns(self._value.version.checkpoint, "step", "training_score", "evaluation_score")
        said = self.answer if self.error is None else str(self.error)
        return {"version": self.version.number, **scores, "answer": said, "seconds": self.seconds}


def agents(services: Services) -> Listing[Agent]:
    """Return a listing of all agents.

    Args:
        services: The workspace.
    """

    def rows(listed: Sequence[Agent]) -> list[dict[str, Any]]:
        services.reconcile()
        return of_items(listed, {each.id: _row(each) for each in services.agents.all()})

    found = services.agents.all()
    made = (Agent(services, each.id) for each in found)
    return Listing("agent", made, rows, lambda: [each.name for each in found])


def _row(value: values.Agent) -> dict[str, Any]:
    return {
        "name": value.name,
        "description": value.description,
        "experiment": value.current.experiment,
        "version": value.current.number,
        "step": value.current.checkpoint.step,
        "evaluation_score": value.current.checkpoint.evaluation_score,
        "status": str(value.status),
        "url": _url(value),
    }


def _url(value: values.Agent) -> str | None:
    endpoint = value.endpoint
    return endpoint.url if endpoint is not None and value.status is AgentStatus.DEPLOYED else None


def _seconds(timeout: object) -> float:
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout >= 0:
        raise ConfigError(f"{timeout!r} is not a time to wait.", fix="Take seconds, such as 60.")
    return float(timeout)
