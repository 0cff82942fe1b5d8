"""The records of how runs came about: their code, the machine and the packages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.run_record import RunCode, RunRecord
from pipeline_widgets.persistence.store import Store


class RunRecordQueries:
    """Reads what is kept of how runs came about, and names what future runs keep."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def run(self, run_id: int) -> RunRecord:
        """Return how a run came about; NotFoundError without it."""
        with self._store.read() as work:
            run = work.runs.get(run_id)
            code = run.code or RunCode()
            return RunRecord(
                environment=work.records.environment(run.environment_digest),
                code=code,
                sources=work.records.code(code.record),
                diff=work.records.texts([code.diff]).get(code.diff, "") if code.diff else "",
            )

    def code_references(self, pipeline_id: int) -> tuple[tuple[str, AlgorithmReference], ...]:
        """Return the name and the place of the code of a pipeline's stages; they change with its revision."""
        if self._store.trust.reason is not None:
            return ()  # a stranger's rows name no files to read
        with self._store.read() as work:
            bound = work.experiments.by_id(work.pipelines.get(pipeline_id).experiment_ids)
            found = work.experiments.code_references({each.algorithm_id for each in bound.values()})
        return tuple(found[key] for key in sorted(found))

    def code_versions(self, references: Iterable[tuple[str, AlgorithmReference]]) -> tuple[str | None, ...]:
        """Return what that code is known by now: it moves when a file is saved. The database is not asked."""
        return tuple(map(self._code_version, references))

    def _code_version(self, named: tuple[str, AlgorithmReference]) -> str | None:
        name, reference = named

        def ask() -> str | None:
            found = self._store.current_code(name, reference)
            return None if found is None else found.digest

        # Two references can be equal whose cells have defined other helpers.
        return self._store.changes.once(("code", name, reference, reference.code), ask)

    def recorded_variables(self) -> tuple[str, ...]:
        """Return the names of the environment variables that runs record."""
        with self._store.read() as work:
            return work.records.recorded_variables()

    def record_variables(self, names: Sequence[str]) -> None:
        """Let runs record these environment variables from now on, and no others."""
        with self._store.write() as work:
            work.records.record_variables(list(dict.fromkeys(names)))
