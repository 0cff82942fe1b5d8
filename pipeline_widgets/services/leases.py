"""The lease that the supervisor of a run and the process behind an endpoint hold."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pipeline_widgets.domain.liveness import Lease, Process
from pipeline_widgets.persistence.store import Store, UnitOfWork

if TYPE_CHECKING:
    from pipeline_widgets.persistence.repositories.endpoints import Endpoints
    from pipeline_widgets.persistence.repositories.runs import Runs


class LeaseService(ABC):
    """Read leases, count the launches of processes that are to take them, and give dead ones up."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @abstractmethod
    def _repository(self, work: UnitOfWork) -> Runs | Endpoints:
        """Return the repository whose rows are leased."""

    @property
    def is_trusted(self) -> bool:
        """Whether this user trusts the workspace: else nothing of it is launched, ended or written."""
        return self._store.trust.reason is None

    def active(self) -> tuple[tuple[Lease, ...], float]:
        """Return all leases, and the time on the database's clock."""
        with self._store.read() as work:
            return self._repository(work).active(), work.now

    def count_launch(self, lease: Lease) -> bool:
        """Count one more launch for a lease that no process works on; False if it has moved on."""
        with self._store.write() as work:
            return self._repository(work).count_launch(lease)

    def hold_back_waiting(self, leases: Iterable[Lease]) -> frozenset[int]:  # noqa: ARG002  no endpoint waits
        """Write for what the subjects of leases wait that cannot be launched yet; return their ids."""
        return frozenset()

    def record_launch(
        self, subject_id: int, launches: int, process: Process | None, job: str | None = None
    ) -> None:
        """Record what a launch has started: as long as that lives, it may take the lease.

        Args:
            subject_id: The run or the agent.
            launches: The number of launches so far, with this one.
            process: The process that was started, where it is known.
            job: By which the engine of a launcher knows what was started.
        """
        with self._store.write() as work:
            self._repository(work).set_launched(subject_id, launches, process, job)

    def uncount_launch(self, subject_id: int, launches: int, waits: str) -> bool:  # noqa: ARG002  endpoints have none
        """Take back a launch that an engine did not take, and say why; False if the subject has moved on."""
        return False

    def record_waits(self, lease: Lease, waits: str | None) -> bool:  # noqa: ARG002  as above
        """Record for what a subject waits; False if it has moved on."""
        return False

    @abstractmethod
    def give_up(self, lease: Lease, evidence: str) -> bool:
        """End a lease whose process is dead; False if it has moved on since it was read."""
