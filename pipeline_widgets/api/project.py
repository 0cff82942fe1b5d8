"""Projects."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pipeline_widgets.algorithms.algorithm import Algorithm
from pipeline_widgets.algorithms.evaluators import Evaluator
from pipeline_widgets.api import display
from pipeline_widgets.api.arguments import ResourcesArgument, placement_from_arguments
from pipeline_widgets.api.clean_up import CheckpointFate, CleanUp
from pipeline_widgets.api.comparison import Comparison
from pipeline_widgets.api.evaluation import Checkpoints, EvaluationRun, Runs, chosen_checkpoints
from pipeline_widgets.api.experiment import Experiment, experiments
from pipeline_widgets.api.handle import Handle, id_in, of_items
from pipeline_widgets.api.listing import Listing, select_columns
from pipeline_widgets.api.pipeline import Pipeline, pipelines
from pipeline_widgets.api.run import Run, runs_by_id
from pipeline_widgets.api.run import runs as list_runs
from pipeline_widgets.api.template import Template, templates
from pipeline_widgets.application import Services, configure
from pipeline_widgets.domain import project as values
from pipeline_widgets.domain.experiment import validate_seed
from pipeline_widgets.domain.overview import ProjectRow
from pipeline_widgets.domain.resources import DEFAULT_PLACEMENT
from pipeline_widgets.domain.retention import parse_keep

if TYPE_CHECKING:
    import pandas as pd

    from pipeline_widgets.widgets.project import ProjectView


#: What can be set side by side.
Chosen: TypeAlias = "str | Experiment | Run"


class Project(Handle, display.ShowsView):
    """Holds experiments and, if it is an Advanced Training project, pipelines."""

    kind = "project"

    def __repr__(self) -> str:
        return f"Project({self.name!r}, advanced_training={self.advanced_training})"

    @property
    def name(self) -> str:
        """Its name, unique in the workspace."""
        return self._now.name

    @property
    def advanced_training(self) -> bool:
        """Whether it can hold pipelines; fixed when it was created."""
        return self._now.advanced_training

    @property
    def experiments(self) -> Listing[Experiment]:
        """Its experiments, in the order of their creation."""
        return experiments(self._services, self._id)

    @property
    def pipelines(self) -> Listing[Pipeline]:
        """Its pipelines, in the order of their creation."""
        return pipelines(self._services, self._id)

    def runs(self, where: str = "") -> Listing[Run]:
        """Return its runs for which a filter holds, oldest first; evaluations are in `evaluations`.

        `project.runs("seed=3 and evaluation_score>0.9")`. `name` is that of the experiment, and a word by
        itself is searched there; `evaluation_score` is the best that a run has ever saved, any other metric
        the value of its last step. `project.experiments(where)` and `project.pipelines(where)` take filters.

        Args:
            where: The filter, as `project.experiments` takes it; by default all runs. Beside the fields named
                there: run (its number), step, pipeline, training_score, peak_cpu (in CPUs), peak_memory and
                peak_gpu_memory (in bytes).

        Raises:
            FilterError: It cannot be read; the error names the column.
        """
        return runs_by_id(self._services, self._services.overview.run_ids(self._id, where))

    @property
    def tags(self) -> tuple[str, ...]:
        """All tags that its runs, experiments and pipelines have, by name."""
        return self._services.annotations.tags(self._id)

    def create_experiment(
        self,
        name: str,
        *,
        algorithm: str | Algorithm,
        config: Mapping[str, Any] | None = None,
        seed: int = 0,
        launcher: str | None = None,
        resources: ResourcesArgument = None,
    ) -> Experiment:
        """Make an experiment.

        Args:
            name: Unique in the project.
            algorithm: The name of an algorithm, or the algorithm itself.
            config: Fields of its config model; the others have their defaults.
            seed: What its generators are seeded with.
            launcher: Where its runs are launched, such as "slurm"; by default as the workspace says.
            resources: What they ask for, such as `{"gpu": 1, "memory": "24 GiB"}`; by default as the
                workspace says.

        Raises:
            AlgorithmNotFoundError: There is no algorithm of that name, or what it declares is not installed.
            ExecutionError: There is no such launcher.
            ConfigError: The config model refuses a field.
            RuleError: It declares a module of your own to be preloaded.
            NameTakenError: The project has an experiment of that name.
        """
        made = configure(algorithm, dict(config or {}))
        placed = placement_from_arguments(DEFAULT_PLACEMENT, launcher, resources)
        create = self._services.create_experiment
        new = create(self._id, name, made, seed=validate_seed(seed), placement=placed)
        return Experiment(self._services, new.id)

    def adopt(
        self,
        folder: str | os.PathLike[str],
        *,
        name: str | None = None,
        algorithm: str | Algorithm | None = None,
        config: Mapping[str, Any] | None = None,
        copy: bool = False,
    ) -> Experiment:
        """Make an experiment of what another tool has trained, with its checkpoints and metrics.

        Known: `checkpoint-*` folders and model folders of Hugging Face, models of Stable-Baselines3 with
        their VecNormalize file, folders of RL-Zoo, event files of TensorBoard, and databases of Trackio.
        Nothing is unpickled in this process, and nothing is copied unless asked: a checkpoint stays where it
        is, is known by its digest, checked before every use, and deleted by no clean-up. A first stage starts
        from it as a saved agent, `ws.create_agent("name", experiment.checkpoints[-1])`. A model of
        Stable-Baselines3 whose file of VecNormalize is missing is adopted with a warning, and starts nothing.

        Args:
            folder: The folder, or a single file.
            name: The name of the experiment; by default that of the folder.
            algorithm: The algorithm that made it, or goes on from it. It says how an agent opens the
                checkpoints, and which score is better. By default one that stands for the tool; models of
                Stable-Baselines3 are opened by the ready algorithm of their class.
            config: Fields of that algorithm's config; the others have their defaults.
            copy: Copy the checkpoints into the workspace.

        Raises:
            ConfigError: Nothing in the folder is known, and the error says what was looked for; or models
                lie beside each other, so that they can only be copied.
            NameTakenError: The project has an experiment of that name.
            CheckpointError: A folder holds something that no checkpoint can.
            ExecutionError: The reader of its format is not installed.
            StorageError: It cannot be read.
        """
        made = None if algorithm is None else configure(algorithm, dict(config or {}))
        found = self._services.adopt(self._id, Path(folder), name=name, algorithm=made, copy=copy)
        return Experiment(self._services, found.id)

    def create_pipeline(self, name: str, *, description: str = "") -> Pipeline:
        """Make an empty pipeline.

        Args:
            name: A name that no other pipeline of the project has.
            description: What it is for.

        Raises:
            ClassicProjectError: The project is not an Advanced Training project.
            NameTakenError: The project has a pipeline of that name.
        """
        return Pipeline(self._services, self._services.pipelines.create(self._id, name, description).id)

    def import_pipeline(self, text: str, *, name: str | None = None, rename: bool = False) -> Pipeline:
        """Make a pipeline of what `pipeline.to_yaml()` has returned: all of it, or nothing.

        An experiment that the project has with the same content is bound; one that it lacks is made.

        Args:
            text: The YAML.
            name: Another name for the pipeline.
            rename: Give experiments whose name is taken by another content a new name, instead of refusing.

        Raises:
            ClassicProjectError: The project is not an Advanced Training project.
            ConfigError: The text is not a pipeline; the place is named.
            NameTakenError: A name is taken.
            AlgorithmNotFoundError: An algorithm is not known here.
            NotFoundError: The workspace lacks the saved Agent that it starts from.
        """
        made = self._services.transfer.import_pipeline(self._id, text, name=name, rename=rename)
        return Pipeline(self._services, made.pipeline.id)

    @property
    def templates(self) -> Listing[Template]:
        """The templates for new pipelines: the ready ones, and those that were saved in this workspace."""
        return templates(self._services)

    def new_from_template(self, template: str | Template, *, name: str | None = None) -> Pipeline:
        """Make a pipeline of a template, with experiments and an agent of its own: all of it, or nothing.

        Args:
            template: The template, or its name.
            name: The name of the pipeline; by default that of the template, with a number where it is taken.

        Raises:
            ClassicProjectError: The project is not an Advanced Training project.
            NameTakenError: The project has a pipeline of that name.
            NotFoundError: There is no such template, or it starts from a saved Agent that is not here.
            AlgorithmNotFoundError: An algorithm is not known here.
        """
        named = template if isinstance(template, str) else template.name
        made = self._services.templates.create_pipeline(self._id, named, name)
        return Pipeline(self._services, made.id)

    def gc(self, keep: str = "best+final", *, dry_run: bool = True, other_files: bool = False) -> CleanUp:
        """Free checkpoints that nobody asks for; by default only tell what that would be.

        Kept are, besides what `keep` says: what a run has consumed, what is saved as an Agent, what a stage
        would start from, what an active run has saved, and what a stopped or failed run can be resumed from.

        Args:
            keep: What to keep of each run: "best+final", "best", "final" or "all".
            dry_run: Delete nothing.
            other_files: Free as well what ended trainings have left in `ctx.folder` beside their
                checkpoints, such as the `output_dir` of a library. It is counted in any case.

        Raises:
            ConfigError: `keep` is none of these.
        """
        option = parse_keep(keep)
        act = self._services.retention.preview if dry_run else self._services.retention.delete_unreferenced
        found = [CheckpointFate(each) for each in act(self._id, option)]
        others = self._services.retention.other_files(self._id)
        if other_files and not dry_run:
            self._services.retention.delete_other_files(others)
        size = sum(each.size for each in others)
        return CleanUp(found, dry_run=dry_run, other_files=size, frees_other_files=other_files)

    def compare(self, *chosen: Chosen | Sequence[Chosen]) -> Comparison:
        """Set experiments and runs side by side: shown live, and as DataFrames.

        Args:
            *chosen: Names of experiments or experiments, of which all runs are taken, and single runs, or
                lists of them; all experiments by default.

        Raises:
            NotFoundError: There is no experiment of such a name.
            ForeignError: One is of another project or workspace.
            RuleError: A run is of a Deployment stage.
        """
        listed = self.experiments
        asked: list[Chosen] = []
        for each in chosen:
            asked += [each] if isinstance(each, str) or not isinstance(each, Sequence) else each
        runs = [id_in(self._services, each, Run) for each in asked if isinstance(each, Run)]
        others = [each for each in (asked if chosen else listed) if not isinstance(each, Run)]
        named = [listed[each] if isinstance(each, str) else each for each in others]
        return Comparison(
            self._services, self._id, [id_in(self._services, each, Experiment) for each in named], runs
        )

    def evaluate(
        self,
        evaluator: str | Evaluator,
        *,
        checkpoints: Checkpoints | None = None,
        runs: Runs | None = None,
        pipeline: Pipeline | None = None,
        again: bool = False,
    ) -> EvaluationRun:
        """Score checkpoints by an evaluator, in a process of their own; old ones, too.

        Only missing scores are computed. What cannot be scored is left out, with the reason in `refused`.

        Args:
            evaluator: The name of an evaluator, or the evaluator itself.
            checkpoints: One, or several.
            runs: One, or several, of which all checkpoints are scored.
            pipeline: A pipeline: what each of its stages offers to the next one is scored.
            again: Score also what has a score by it.

        Raises:
            EvaluatorNotFoundError: There is no evaluator of that name.
            TriggerError: Its code needs another Python.
            ForeignError: Something is of another project or workspace.
        """
        ids = chosen_checkpoints(self._services, self._id, checkpoints, runs, pipeline)
        started = self._services.evaluate(self._id, evaluator, ids, again=again)
        name = evaluator if isinstance(evaluator, str) else evaluator.spec.name
        return EvaluationRun(self._services, name, ids, started)

    @property
    def evaluations(self) -> Listing[Run]:
        """The runs that have scored checkpoints, oldest first."""
        return list_runs(self._services, self._services.evaluations.of_project(self._id))

    def results(self, *chosen: Chosen | Sequence[Chosen]) -> pd.DataFrame:
        """Return what experiments and runs reported: columns experiment, run, step, metric, value.

        Args:
            *chosen: As for `compare`; all experiments by default.

        Raises:
            NotFoundError: There is no experiment of such a name.
            ForeignError: One is of another project or workspace.
            RuleError: A run is of a Deployment stage.
        """
        return self.compare(*chosen).metrics

    def update(self, *, name: str) -> None:
        """Change its name.

        Args:
            name: The new name, unique in the workspace.

        Raises:
            NameTakenError: There is another project of that name.
            ConfigError: The name is empty or too long.
        """
        self._services.projects.rename(self._id, name)

    def delete(self) -> None:
        """Delete it with its pipelines, experiments, runs, metrics and checkpoints; agents stay.

        Checkpoints that were adopted where they are stay there.

        Raises:
            InUseError: Something is active, or one of its checkpoints is the only source of an agent.
        """
        self._services.projects.delete(self._id)

    def view(self) -> ProjectView:
        """Return a new live view of it, as the last line of a cell shows it.

        Raises:
            ExecutionError: What a notebook needs is not installed.
        """
        with display.needs_widgets():
            from pipeline_widgets.widgets.project import ProjectView  # noqa: PLC0415  only for a notebook
        return ProjectView(self._services, self._now.id)

    def summary(self) -> dict[str, Any]:
        """Its row in a listing."""
        return _rows(self._services, [self])[0]

    @property
    def _now(self) -> values.Project:
        return self._services.projects.get(self._id)


def projects(services: Services) -> Listing[Project]:
    """Return a listing of all projects.

    Args:
        services: The workspace.
    """

    def select(where: str) -> Listing[Project]:
        chosen = {*services.workspace_overview.project_ids(where)}
        return listing([each for each in services.projects.all() if each.id in chosen])

    def listing(found: Sequence[values.Project]) -> Listing[Project]:
        made = (Project(services, each.id) for each in found)
        rows = partial(_rows, services)
        return Listing("project", made, rows, lambda: [each.name for each in found], select)

    return listing(services.projects.all())


def _rows(services: Services, listed: Sequence[Project]) -> list[dict[str, Any]]:
    return of_items(listed, {each.id: _row(each) for each in services.overview.projects()})


def _row(value: ProjectRow) -> dict[str, Any]:
    return select_columns(value, "name", "advanced_training", "experiments", "pipelines")
