"""Pipelines to YAML and Python and back; their history, and undo (spec 10.1, 10.2)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from factories.documents import documents, spaced
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pipeline_widgets as pw
from pipeline_widgets.algorithms import registry
from pipeline_widgets.domain.chain import DeploymentStage
from pipeline_widgets.domain.document import Document, ExperimentEntry, from_plain, to_plain
from pipeline_widgets.services import transfer

CONFIGS = st.fixed_dictionaries({"steps": st.integers(1, 10**6), "base": st.just("letters")})
Handed = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def bound(document: Document, *algorithms: str) -> Document:
    """Return a document whose experiments name those algorithms, in turn."""
    entries = [
        ExperimentEntry(
            name=each.name, algorithm=algorithms[at % len(algorithms)], config=each.config, seed=each.seed
        )
        for at, each in enumerate(document.experiments)
    ]
    return Document(
        name=document.name,
        description=document.description,
        experiments=tuple(entries),
        stages=document.stages,
    )


def as_document(pipe: pw.Pipeline) -> Document:
    """Return what a pipeline is, by its export."""
    return from_plain(transfer._parse(pipe.to_yaml()))


def text_of(document: Document) -> str:
    """Return a document as YAML."""
    return yaml.dump(to_plain(document), Dumper=transfer._Dumper, allow_unicode=True)


@pytest.mark.spec("10.2")
@given(document=documents(CONFIGS))
@Handed
def test_import_and_export_are_the_identity(
    open_workspace: Callable[..., pw.Workspace],
    agents: Callable[[pw.Workspace, str], None],
    document: Document,
) -> None:
    """Every kind of stage and setting, with any name, is after an import what the text says."""
    wanted = bound(document, "Imitate", "Walk")  # an import may hold stages that do not fit
    ws = open_workspace("import")
    for each in wanted.stages:
        if each.agent:
            agents(ws, each.agent)
    project = ws.create_project(f"p{len(ws.projects)}", advanced_training=True)
    pipe = project.import_pipeline(text_of(wanted))
    assert as_document(pipe) == wanted
    copy = project.import_pipeline(pipe.to_yaml(), name="another")
    assert [stage.summary() for stage in copy.stages] == [stage.summary() for stage in pipe.stages]
    assert len(project.experiments) == len(wanted.experiments), "those that were there are bound"


@pytest.mark.spec("10.2")
@given(document=documents(CONFIGS), data=st.data())
@Handed
def test_an_import_that_renames_gives_each_stage_an_experiment_of_its_own(
    open_workspace: Callable[..., pw.Workspace],
    agents: Callable[[pw.Workspace, str], None],
    document: Document,
    data: st.DataObject,
) -> None:
    """Whatever the project has of those names, and however the text spaces them; and it exports again."""
    wanted = bound(document, "Imitate", "Walk")
    ws = open_workspace("rename")
    for each in wanted.stages:
        if each.agent:
            agents(ws, each.agent)
    project = ws.create_project(f"p{len(ws.projects)}", advanced_training=True)
    for each in wanted.experiments:
        if data.draw(st.booleans()):
            project.create_experiment(each.name, algorithm="Refine", seed=each.seed)
    text = yaml.dump(data.draw(spaced(to_plain(wanted))), Dumper=transfer._Dumper)
    before = {each.name for each in project.experiments}
    pipe = project.import_pipeline(text, rename=True)
    made = [stage.experiment.name for stage in pipe.stages if stage.experiment is not None]
    assert len(set(made)) == len(wanted.experiments)
    assert not set(made) & before, "none has the same content"
    assert (
        as_document(project.import_pipeline(pipe.to_yaml(), name="again")).stages == as_document(pipe).stages
    )


@pytest.mark.spec("10.2")
@given(document=documents(CONFIGS))
@Handed
def test_the_python_code_rebuilds_it(
    open_workspace: Callable[..., pw.Workspace],
    agents: Callable[[pw.Workspace, str], None],
    document: Document,
) -> None:
    """The code, run in an empty workspace, gives an equal pipeline."""
    wanted = bound(document, "Imitate")
    source = open_workspace("source")
    for each in wanted.stages:
        if each.agent:
            agents(source, each.agent)
    home = source.create_project(f"p{len(source.projects)}", advanced_training=True)
    code = home.import_pipeline(text_of(wanted)).to_python()
    target = open_workspace(f"target {len(source.projects)}")
    for each in wanted.stages:
        if each.agent:
            agents(target, each.agent)
    names: dict[str, Any] = {}
    exec(code.replace("pw.Workspace()", "target"), {"target": target}, names)  # noqa: S102  what it is for
    assert as_document(names["pipe"]) == wanted
    assert names["project"].name == home.name


@pytest.fixture
def agents(finish: Callable[..., pw.Run]) -> Callable[[pw.Workspace, str], None]:
    """Makes sure that a workspace has an agent of a name."""
    del finish

    def make(ws: pw.Workspace, name: str) -> None:
        if any(agent.name == name for agent in ws.agents):
            return
        from factories.lab import Clock, Lab  # noqa: PLC0415  of this workspace

        project = ws.create_project(f"of {name} {len(ws.projects)}", advanced_training=True)
        experiment = project.create_experiment("e", algorithm="Imitate")
        lab = Lab(ws._services.store, Clock())
        run = experiment.train()
        lab.carry_out(lab.runs.get(run._id), 0.5)
        ws._services.agents.create(name, lab.experiments.checkpoints(experiment._id)[0].id)

    return make


@pytest.mark.spec("10.2")
def test_a_short_text_reads_as_a_person_would_write_it(pipe: pw.Pipeline) -> None:
    """The export of a small pipeline is YAML that one can read and edit."""
    assert pipe.to_yaml() == (
        "format: 1\n"
        "pipeline: chain\n"
        "description: ''\n"
        "experiments:\n"
        "  imitate:\n    algorithm: Imitate\n    seed: 0\n    config:\n      steps: 10\n      base: letters\n"
        "  refine:\n    algorithm: Refine\n    seed: 0\n    config:\n      steps: 10\n      base: letters\n"
        "stages:\n"
        "- experiment: imitate\n  start: scratch\n  trigger: manual\n"
        "- experiment: refine\n  start: best\n  trigger: manual\n"
        "- agent: agent\n  checkpoint: best\n  trigger: manual\n"
    )
    assert pipe.to_python().splitlines()[-3:] == [
        "pipe.add_experiment_stage(imitate)",
        "pipe.add_experiment_stage(refine)",
        'pipe.add_deployment_stage("agent")',
    ]


def test_the_code_says_which_algorithms_a_notebook_defined(pipe: pw.Pipeline) -> None:
    """What has no import path has to be defined first, and the code says so."""

    def train(ctx: pw.TrainContext) -> None:
        """Train nothing."""

    mine = pw.algorithm("Mine", produces={"lm"})(train)
    home = pipe._services.projects.all()[0]
    project = pw.Workspace(pipe._services.store.database.url).projects[home.name]
    other = project.create_pipeline("mine")
    other.add_experiment_stage(project.create_experiment("m", algorithm=mine))
    assert '# "Mine"' in other.to_python()


@pytest.mark.spec("2.2", "10.2")
def test_a_classic_project_takes_no_pipeline(ws: pw.Workspace, pipe: pw.Pipeline) -> None:
    """Not by import either."""
    classic = ws.create_project("Classic", advanced_training=False)
    with pytest.raises(pw.PipelineError, match="cannot hold pipelines"):
        classic.import_pipeline(pipe.to_yaml())


HOSTILE: dict[str, tuple[str, str]] = {
    "tag": ("!!python/object/apply:os.system ['true']", "Not valid YAML"),
    "bomb": ("a: &a [x]\nb: [*a, *a, *a]", "an alias"),
    "twice": ("format: 1\nformat: 1", "a key is there twice"),
    "deep": ("[" * 5000, "nested too deeply|Not valid YAML"),
    "date": ("format: 1\npipeline: 2020-01-01\nexperiments: {}\nstages: []", "should be a text"),
    "unhashable": ("? [a]\n: b", "Not valid YAML"),
    "nothing": ("", "should be a mapping"),
    "long": ("x" * 1_000_001, "characters"),
    "digits": (f"format: 0x{'f' * 5000}", "Not valid YAML"),
}


@pytest.mark.spec("10.2", "10.3")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_is_refused(project: pw.Project, name: str) -> None:
    """Nothing of it runs, blows up or is half-written."""
    text, why = HOSTILE[name]
    with pytest.raises(pw.PipelineError, match=why):
        project.import_pipeline(text)
    assert not list(project.pipelines)


@pytest.mark.spec("10.2")
def test_an_import_that_fails_leaves_nothing(project: pw.Project, pipe: pw.Pipeline) -> None:
    """An unknown algorithm, another experiment of that name, a missing agent: no row is written."""
    new = pipe.to_yaml().replace("pipeline: chain", "pipeline: new")
    for text, why in (
        (new.replace("steps: 10", "steps: 11"), "Another experiment"),
        (pipe.to_yaml(), "named 'chain' already exists"),
        (new.replace("Refine", "Nowhere"), "'refine'.*'Nowhere'"),
        (new.replace("start: scratch", "start: {agent: x}"), "Stage 1 starts from an agent"),
        (new.replace("steps: 10", "steps: -1"), "'steps'"),
        (new.replace("start: best", "start: scratch"), "Stage 2: Only the first"),
        (
            new.replace("- agent: agent", "- experiment: refine").replace("checkpoint", "start"),
            "Stage 3: .*already used by stage 2",
        ),
        (new.replace("  imitate:\n", "  ' refine':\n", 1), "named 'refine'"),
        (new.replace("seed: 0", "seed: 18446744073709551616", 1), "'imitate'.*not a seed"),
        (new.replace("description: ''", 'description: "\\uD800"'), "description of the pipeline cannot"),
        (new.replace("base: letters", "base: !!binary gIA=", 1), "'imitate'"),
    ):
        with pytest.raises(pw.PipelineError, match=re.compile(why, re.DOTALL)):
            project.import_pipeline(text)
        assert [each.name for each in project.pipelines] == ["chain"]
        assert len(project.experiments) == 2


def test_experiments_of_the_same_name_can_be_renamed(project: pw.Project, pipe: pw.Pipeline) -> None:
    """With rename=True another content gets another name, and the same content is bound."""
    other = "      base: letters\nstages"
    text = pipe.to_yaml().replace(f"steps: 10\n{other}", f"steps: 11\n{other}")
    made = project.import_pipeline(text, name="second", rename=True)
    assert [stage.name for stage in made.stages] == ["imitate", "refine (imported)", "agent"]


@pytest.mark.spec("10.2")
def test_an_import_never_takes_a_copy_that_it_has_just_made(project: pw.Project, pipe: pw.Pipeline) -> None:
    """A name of the text that looks like the name of a copy is kept for the experiment that bears it."""
    both = pipe.to_yaml().replace("refine", "imitate (imported)").replace("Refine", "Imitate")
    text = both.replace("seed: 0", "seed: 7")
    made = project.import_pipeline(text, name="second", rename=True)
    assert [stage.name for stage in made.stages] == ["imitate (imported 2)", "imitate (imported)", "agent"]


@pytest.mark.spec("10.2")
def test_after_a_restart_an_export_is_bound_to_the_experiments_that_are_there(
    project: pw.Project, pipe: pw.Pipeline, open_workspace: Callable[..., pw.Workspace]
) -> None:
    """What a notebook defined needs not be defined again to bind it; to make it, it has to be."""

    def train(ctx: pw.TrainContext) -> None:
        """Train nothing."""

    mine = pw.algorithm("Mine", produces={"lm"})(train)
    pipe.stages[0].update(experiment=project.create_experiment("m", algorithm=mine, seed=5))
    text = pipe.to_yaml()
    del registry.catalogue.defined["Mine"]
    assert [stage.name for stage in project.import_pipeline(text, name="again").stages] == [
        "m",
        "refine",
        "agent",
    ]
    elsewhere = open_workspace("elsewhere").create_project("Letters", advanced_training=True)
    for home, other in ((elsewhere, text), (project, text.replace("seed: 5", "seed: 6"))):
        with pytest.raises(pw.PipelineError, match=r"'m' cannot be imported.*'Mine'"):
            home.import_pipeline(other, name="third", rename=True)


@pytest.mark.spec("10.2")
def test_numbers_and_texts_that_look_like_one_stay_what_they_are(
    project: pw.Project, pipe: pw.Pipeline
) -> None:
    """A gate may be written as 1e-4, and an agent be named so."""
    pipe.stages[2].update(trigger="auto", gate=0.5)
    made = project.import_pipeline(pipe.to_yaml().replace("gate: 0.5", "gate: 1e-4"), name="second")
    assert "gate: 0.0001\n" in made.to_yaml()
    made.stages[2].update(agent_name="1e-4")
    assert "agent: '1e-4'\n" in made.to_yaml()
    assert project.import_pipeline(made.to_yaml(), name="third").stages[2].name == "1e-4"


@pytest.mark.spec("10.2")
def test_the_code_says_which_stage_is_refused(project: pw.Project, pipe: pw.Pipeline) -> None:
    """A stage that fits no longer is in the code with the reason before it."""
    pipe.stages[0].delete()
    at = pipe.to_python().splitlines().index("pipe.add_experiment_stage(refine)")
    assert pipe.to_python().splitlines()[at - 1] == (
        "# This stage is refused until it fits: Refine can't start from scratch: it needs a language model."
    )


# ---- history and undo


def whats(pipe: pw.Pipeline) -> list[str]:
    """Return what was done."""
    return [event.what for event in pipe.history]


@pytest.mark.spec("10.1")
def test_the_history_says_who_did_what_and_when(pipe: pw.Pipeline, finish: Callable[..., pw.Run]) -> None:
    """Edits, triggers and stops are kept, with user, host and time."""
    pipe.update(name="renamed", description="for letters")
    pipe.stages[1].update(trigger="auto")
    finish(pipe.stages[0].trigger(), 0.5)
    assert whats(pipe) == [
        "Created.",
        "Added stage 1 (imitate).",
        "Added stage 2 (refine).",
        "Added stage 3 (agent).",
        "Renamed from 'chain' to 'renamed'. Edited the description.",
        "Edited stage 2 (refine).",
        "Triggered stage 1 (imitate).",
    ]
    frame = pipe.history.df
    assert list(frame.columns) == ["at", "who", "what"]
    assert all("@" in who for who in frame["who"])


EDITS: dict[str, Callable[[pw.Pipeline], object]] = {
    "rename": lambda pipe: pipe.update(name="other", description="x"),
    "move": lambda pipe: pipe.stages[2].move(1),
    "edit": lambda pipe: pipe.stages[1].update(trigger="auto", start="final", gate=0.5),
    "delete": lambda pipe: pipe.stages[1].delete(),
    "delete the first": lambda pipe: pipe.stages[0].delete(),
    "add": lambda pipe: pipe.add_deployment_stage("more", position=1),
}


@pytest.mark.spec("10.1")
@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_undo_restores_and_redo_repeats(pipe: pw.Pipeline, edit: Callable[[pw.Pipeline], object]) -> None:
    """The pipeline is after an undo what it was before the edit, and after a redo what the edit made."""
    before = pipe._now
    edit(pipe)
    after, done = pipe._now, whats(pipe)[-1]
    assert (after.name, after.description, after.stages) != (before.name, before.description, before.stages)
    assert pipe.undo() == done
    assert (pipe.name, pipe.description, pipe._now.stages) == (before.name, before.description, before.stages)
    assert whats(pipe)[-1].endswith(" (undo)")
    assert pipe.redo() == done
    assert (pipe.name, pipe._now.stages) == (after.name, after.stages)
    assert whats(pipe)[-1].endswith(" (redo)")


def test_a_deleted_stage_comes_back_with_its_runs(pipe: pw.Pipeline, finish: Callable[..., pw.Run]) -> None:
    """Runs that lost their stage are its runs again, and so are status and staleness."""
    finish(pipe.stages[0].trigger(), 0.5)
    finish(pipe.stages[1].trigger(), 0.7)
    before = [(stage.name, stage.status, len(stage.runs)) for stage in pipe.stages]
    pipe.stages[1].delete()
    assert len(pipe.stages) == 2
    pipe.undo()
    assert [(stage.name, stage.status, len(stage.runs)) for stage in pipe.stages] == before


@pytest.mark.spec("10.1", "6.7", "6.8")
def test_a_deleted_stage_comes_back_with_what_was_accepted_and_held(
    pipe: pw.Pipeline, finish: Callable[..., pw.Run]
) -> None:
    """Deleting a stage and undoing that loses neither a note nor the reason of a hold."""
    pipe.stages[2].update(trigger="auto", gate=0.9)
    finish(pipe.stages[0].trigger(), 0.5)
    finish(pipe.stages[1].trigger(), 0.6)
    finish(pipe.stages[0].trigger(), 0.55)
    pipe.stages[1].accept_as_fresh("close enough")
    before = [(stage.stale, stage.accepted, stage.held) for stage in pipe.stages]
    assert before[1][1] == "close enough"
    assert before[2][2]
    for at in (1, 2):
        pipe.stages[at].delete()
        pipe.undo()
        assert [(stage.stale, stage.accepted, stage.held) for stage in pipe.stages] == before
    pipe.stages[2].update(gate=0.1)
    assert pipe.stages[2].held is None
    pipe.undo()
    assert pipe.stages[2].held == before[2][2], "it is held by that gate again"


@pytest.mark.spec("10.1", "6.8")
def test_accepting_as_fresh_is_undone_by_itself(pipe: pw.Pipeline, finish: Callable[..., pw.Run]) -> None:
    """Undo takes back the acceptance, no older edit, and a redo gives it back."""
    finish(pipe.stages[0].trigger(), 0.5)
    finish(pipe.stages[1].trigger(), 0.6)
    finish(pipe.stages[0].trigger(), 0.55)
    stage, stages = pipe.stages[1], pipe._now.stages
    stage.accept_as_fresh("fine")
    assert pipe.undo() == "Accepted stage 2 (refine) as fresh: fine."
    assert (stage.stale, stage.accepted, pipe._now.stages) == (True, None, stages)
    assert whats(pipe)[-1] == "Acceptance changed back (undo)"
    pipe.redo()
    assert (stage.stale, stage.accepted, pipe._now.stages) == (False, "fine", stages)


NOTHING: dict[str, Callable[[pw.Pipeline], object]] = {
    "name": lambda pipe: pipe.update(name=f" {pipe.name} "),
    "description": lambda pipe: pipe.update(description=" "),
    "settings": lambda pipe: pipe.stages[1].update(start="final"),
    "place": lambda pipe: pipe.stages[1].move(1),
}


@pytest.mark.spec("10.1")
@pytest.mark.parametrize("edit", NOTHING.values(), ids=NOTHING)
def test_what_changes_nothing_is_no_edit(pipe: pw.Pipeline, edit: Callable[[pw.Pipeline], object]) -> None:
    """It has no place in the history, and leaves the last edit to be undone."""
    pipe.stages[1].update(start="final")
    before, done = pipe._now, whats(pipe)
    edit(pipe)
    assert (pipe._now, whats(pipe)) == (before, done)
    assert pipe.undo() == "Edited stage 2 (refine)."


@pytest.mark.spec("10.1")
def test_the_last_of_a_history_is_read_without_the_rest(pipe: pw.Pipeline) -> None:
    """In the same order as all of it."""
    history = pipe._services.history
    everything = history.events(pipe._id)
    assert history.events(pipe._id, last=2) == everything[-2:]
    assert history.events(pipe._id, last=99) == everything


def test_an_undo_that_concerns_an_active_stage_is_refused(pipe: pw.Pipeline) -> None:
    """It says which stage; what concerns others is undone."""
    pipe.stages[0].update(auto_add_agent=True)
    pipe.stages[0].trigger()
    with pytest.raises(pw.PipelineError, match="concerns stage 1, which is pending"):
        pipe.undo()
    pipe.stages[2].update(checkpoint="final")
    pipe.undo()
    stage = pipe._now.stages[2]
    assert isinstance(stage, DeploymentStage)
    assert stage.choice == "best"


def test_what_was_never_edited_cannot_be_undone(project: pw.Project) -> None:
    """A new pipeline has nothing to undo, and says so."""
    pipe = project.create_pipeline("empty")
    with pytest.raises(pw.PipelineError, match="no edit to undo"):
        pipe.undo()


def test_an_undo_whose_experiment_is_gone_is_refused(project: pw.Project, pipe: pw.Pipeline) -> None:
    """A stage cannot come back without what it is bound to."""
    pipe.stages[1].delete()
    project.experiments["refine"].delete()
    with pytest.raises(pw.PipelineError, match="was deleted since"):
        pipe.undo()
    assert len(pipe.stages) == 2


@pytest.mark.spec("9.8", "10.2")
def test_tags_go_along(project: pw.Project) -> None:
    """Those of the pipeline and of experiments that are made; one that is there keeps its own."""
    made = project.create_experiment("tagged", algorithm="Imitate", config={"steps": 5})
    made.tag("baseline", "2024")
    pipe = project.create_pipeline("with tags")
    pipe.add_experiment_stage(made)
    pipe.tag("to check")
    text = pipe.to_yaml()
    assert "tags:\n- to check\n" in text
    assert '.tag("baseline", "2024")' in pipe.to_python()
    made.untag("2024")
    copy = project.import_pipeline(text, name="again")
    assert (copy.tags, made.tags) == (("to check",), ("baseline",))
    with pytest.raises(pw.ConfigError, match="tag cannot be empty"):
        project.import_pipeline(text.replace("- to check", "- ''"), name="third")
