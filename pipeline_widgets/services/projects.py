"""Projects."""

from __future__ import annotations

from collections.abc import Collection

from pipeline_widgets.directions import quote
from pipeline_widgets.domain.names import check_name_available, validate_name
from pipeline_widgets.domain.project import Project, ProjectUse, check_deletable
from pipeline_widgets.domain.run import Run, trained_experiment_ids
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services.references import describe_run


class ProjectService:
    """Use cases of projects."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, name: str, *, advanced_training: bool) -> Project:
        """Make a project. Whether it is an Advanced Training project never changes.

        Raises:
            NameTakenError: There is one of that name.
            ConfigError: The name is empty or too long.
        """
        name = validate_name(name, "project")
        with self._store.write() as work:
            check_name_available(name, work.projects.named([name]), "project")
            return work.projects.add(name, advanced_training=advanced_training)

    def rename(self, project_id: int, name: str) -> Project:
        """Give a project another name.

        Raises:
            NameTakenError: There is another one of that name.
            ConfigError: The name is empty or too long.
        """
        name = validate_name(name, "project")
        with self._store.write() as work:
            work.projects.touch(project_id)
            others = (other for other in work.projects.named([name]) if other.id != project_id)
            check_name_available(name, others, "project")
            return work.projects.rename(project_id, name)

    def delete(self, project_id: int) -> None:
        """Delete a project with everything that belongs to it; agents belong to the workspace, and stay.

        That is its pipelines and their history, experiments, runs, metrics, scores and checkpoints, in one
        transaction. Folders go after their rows, so that no row ever points to files that are gone.

        Raises:
            InUseError: Something is active, or one of its checkpoints is the only source of an agent.
        """
        with self._store.write() as work:
            work.projects.touch(project_id)  # first: from here on nothing starts in it
            project = work.projects.get(project_id)
            runs = work.runs.of_project(project_id)
            check_deletable(project, _find_use(work, project, runs))
            work.runs.remove_of_project(project_id)
            work.projects.remove(project_id)
        for run in runs:
            self._store.artifact_store.remove(self._store.run_folder(run.id))

    def all(self) -> tuple[Project, ...]:
        """Return all projects in the order of their creation."""
        with self._store.read() as work:
            return work.projects.all()

    def get(self, project_id: int) -> Project:
        """Return one project; NotFoundError without it."""
        with self._store.read() as work:
            return work.projects.get(project_id)


def _find_use(work: UnitOfWork, project: Project, runs: Collection[Run]) -> ProjectUse:
    """Name what keeps a project from being deleted."""
    saved = work.checkpoints.ids_of_runs([run.id for run in runs])
    agents = (f"agent {quote(name)}" for _, (_, name, _) in work.agents.made_of(saved))
    active = [run for run in runs if run.status.active]
    others = [run for run in work.runs.using(saved) if run.project_id != project.id]
    experiments = work.experiments.by_id(trained_experiment_ids([*active, *others]))
    projects = {other.project_id: work.projects.get(other.project_id).name for other in others}
    return ProjectUse(
        active=[describe_run(run, experiments) for run in active],
        agents=list(dict.fromkeys(agents)),
        runs=[
            f"{describe_run(run, experiments)} of project {quote(projects[run.project_id])}" for run in others
        ],
    )
