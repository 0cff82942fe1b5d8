"""The builder of one pipeline, with messages in and traits out: no browser and no kernel."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from factories.lab import Lab
from factories.values import PPO
from pages import keep_in_sight

from pipeline_widgets.application import Services
from pipeline_widgets.domain.chain import DeploymentStage, ExperimentStage, FromSource, Pipeline, Trigger
from pipeline_widgets.domain.run import Status
from pipeline_widgets.execution.launchers import LaunchedJob, LaunchRequest
from pipeline_widgets.execution.launchers.local import LocalLauncher
from pipeline_widgets.widgets.pipeline import PipelineView

LONG = 1000


@dataclass
class Bench:
    """A view, and what goes to the browser and comes from it."""

    view: PipelineView
    sent: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    answers: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def __post_init__(self) -> None:
        view: Any = self.view
        view.comm.publish_msg = self._publish
        view.line.comm.publish_msg = self._answer

    def ask(self, command: str, **args: Any) -> dict[str, Any]:
        """Send a command as the browser does, and return the answer."""
        self.view.line._handle_custom_msg({"id": "7", "command": command, "args": args}, [])
        answer = self.answers.pop()
        assert answer.pop("id") == "7"
        return answer

    def do(self, command: str, **args: Any) -> Any:
        """Send a command that is carried out, and return its result."""
        answer = self.ask(command, **args)
        assert answer["ok"], answer
        return answer["result"]

    def refused(self, command: str, **args: Any) -> dict[str, str]:
        """Send a command that is refused, and return the error."""
        answer = self.ask(command, **args)
        assert not answer["ok"], answer
        return answer["error"]

    def stage(self, number: int) -> dict[str, Any]:
        """Return the row of a stage."""
        return self.view.stages[number - 1]

    @property
    def version(self) -> int:
        """The version of the pipeline that the browser sees."""
        return self.view.pipeline["version"]

    def _publish(self, _: str, data: dict[str, Any] | None = None, **__: Any) -> None:
        self.sent.append(json.loads(json.dumps(data, allow_nan=False)))

    def _answer(self, _: str, data: dict[str, Any] | None = None, **__: Any) -> None:
        if data:  # else the line is closed
            self.answers.append(json.loads(json.dumps(data["content"], allow_nan=False)))


@pytest.fixture(autouse=True)
def launched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids of runs for which a process would have been started."""
    ids: list[int] = []

    def submit(_: LocalLauncher, request: LaunchRequest) -> LaunchedJob:
        ids.append(int(request.arguments[1]))
        return LaunchedJob(id="none")

    monkeypatch.setattr(LocalLauncher, "submit", submit)
    return ids


@pytest.fixture
def show(services: Services) -> Iterator[Callable[[Pipeline], Bench]]:
    """Return what shows a pipeline; all views are closed in the end."""
    shown: list[PipelineView] = []

    def make(pipeline: Pipeline) -> Bench:
        shown.append(PipelineView(services, pipeline.id))
        return Bench(shown[-1])

    yield make
    for view in shown:
        view.close()


Show = Callable[[Pipeline], Bench]


def long_chain(lab: Lab) -> Pipeline:
    """Make a pipeline of a thousand stages."""
    pipeline = lab.pipeline("SFT")
    more = tuple(DeploymentStage(agent_name=f"agent-{number}") for number in range(2, LONG + 1))
    with lab.store.write() as work:
        revision = work.projects.touch(pipeline.project_id)
        return work.pipelines.save(
            replace(pipeline, stages=(*pipeline.stages, *more)), revision, before=pipeline
        )


def size(messages: list[dict[str, Any]]) -> int:
    """Return how many bytes messages are."""
    return len(json.dumps(messages).encode())


# ---- what is sent


def test_a_view_opens_at_the_first_stage_that_is_not_done(lab: Lab, show: Show) -> None:
    """The panel shows it, and the rows stand in order."""
    pipeline = lab.pipeline("SFT", "GRPO")
    lab.do(pipeline.stages[0], 0.5)
    bench = show(pipeline)
    assert [(row["n"], row["name"], row["status"]) for row in bench.view.stages] == [
        (1, "chain-sft-1", "Succeeded"),
        (2, "chain-grpo-2", "Draft"),
    ]
    assert bench.view.selected == bench.view.panel["stage"] == pipeline.stages[1].id
    assert bench.view.pipeline["name"] == "chain"


@pytest.mark.spec("4.4")
def test_nothing_is_sent_when_nothing_changed(lab: Lab, show: Show) -> None:
    """However often the view is refreshed, at work or not."""
    pipeline = lab.pipeline("SFT", "GRPO")
    bench = show(pipeline)
    assert [bench.view.refresh() for _ in range(3)] == [False] * 3
    assert bench.sent == []
    lab.started(lab.runs.trigger(pipeline.stages[0].id))
    assert bench.view.refresh()
    assert bench.sent
    bench.sent.clear()
    assert [bench.view.refresh() for _ in range(3)] == [True] * 3
    assert bench.sent == []


@pytest.mark.spec("4.4")
def test_a_change_in_a_long_chain_sends_its_rows_only(lab: Lab, show: Show) -> None:
    """One status among a thousand: at most 1 kB beside the changed rows, and the list is whole in Python."""
    pipeline = long_chain(lab)
    lab.do(pipeline.stages[0], 0.5)
    bench = show(pipeline)
    keep_in_sight(bench.view)
    bench.do("follow", on=False)  # else the stage that runs comes into the panel
    bench.sent.clear()
    assert [row["n"] for row in bench.view.stages] == list(range(1, LONG + 1))
    lab.runs.trigger(pipeline.stages[499].id)
    bench.view.refresh()
    (patch,) = [message["content"] for message in bench.sent if message["method"] == "custom"]
    assert patch["patch"] == "stages"
    assert [(row["n"], row["status"]) for row in patch["rows"]] == [(500, "Pending"), (501, "Draft")]
    assert size(bench.sent) <= size(patch["rows"]) + 1000
    assert bench.stage(500)["status"] == "Pending"


@pytest.mark.spec("4.4")
def test_two_changes_at_once_both_arrive(lab: Lab, show: Show) -> None:
    """Rows that a patch has brought are the base of the next one."""
    pipeline = long_chain(lab)
    lab.do(pipeline.stages[0], 0.5)
    bench = show(pipeline)
    keep_in_sight(bench.view)
    mirror = {row["id"]: row for row in bench.view.stages}
    for number in (500, 700):
        lab.carry_out(lab.runs.trigger(pipeline.stages[number - 1].id))
        bench.view.refresh()
    for message in bench.sent:
        mirror |= {row["id"]: row for row in message.get("content", {}).get("rows", [])}
    assert list(mirror.values()) == bench.view.stages
    assert [bench.stage(number)["status"] for number in (500, 700)] == ["Succeeded", "Succeeded"]


def test_a_pipeline_that_cannot_be_read_leaves_the_last_state(lab: Lab, show: Show) -> None:
    """The view says since when it is old, and recovers."""
    pipeline = lab.pipeline("SFT")
    bench = show(pipeline)
    rows = bench.view.stages
    lab.pipelines.delete(pipeline.id)
    assert not bench.view.refresh()
    assert bench.view.trouble.startswith("Not updated since ")
    assert bench.view.stages == rows


# ---- looking


def test_the_panel_follows_the_selection(lab: Lab, show: Show) -> None:
    """Selecting a stage brings its run; a stage that is gone selects nothing."""
    pipeline = lab.pipeline("SFT", "GRPO")
    lab.do(pipeline.stages[0], 0.5)
    bench = show(pipeline)
    bench.do("select", stage=pipeline.stages[0].id)
    assert bench.view.selected == bench.view.panel["stage"] == pipeline.stages[0].id
    assert bench.view.panel["run"]["checkpoints"][0]["evaluation_score"] == 0.5
    bench.do("select", stage=10_000)
    assert bench.view.panel == {}


@pytest.mark.spec("4.9")
def test_the_selection_follows_the_running_stage_until_another_is_selected(lab: Lab, show: Show) -> None:
    """Whoever selects another stage stays there; "Follow", or a trigger in the view, follows again."""
    pipeline = lab.pipeline("SFT", "GRPO", "SFT", trigger="auto")
    first, second, third = pipeline.stages
    bench = show(pipeline)
    run = lab.runs.trigger(first.id)
    bench.view.refresh()
    assert (bench.view.selected, bench.view.following) == (first.id, True)
    lab.carry_out(run, 0.5)
    bench.view.refresh()
    assert bench.view.selected == bench.view.panel["stage"] == second.id

    bench.do("select", stage=third.id)
    assert not bench.view.following
    bench.view.refresh()
    assert bench.view.selected == third.id
    bench.do("follow", on=True)
    assert bench.view.selected == bench.view.panel["stage"] == second.id
    bench.do("select", stage=third.id)
    bench.do("select", stage=second.id)  # the running one itself
    assert bench.view.following
    bench.do("follow", on=False)
    assert (bench.view.selected, bench.view.following) == (second.id, False)


@pytest.mark.spec("4.9")
def test_a_view_opens_at_the_running_stage(lab: Lab, show: Show) -> None:
    """Also where a stage before it has not finished."""
    pipeline = lab.pipeline("SFT", "GRPO")
    lab.do(pipeline.stages[0], 0.5)
    lab.runs.trigger(pipeline.stages[1].id)
    assert show(pipeline).view.selected == pipeline.stages[1].id


@pytest.mark.spec("4.10")
def test_a_card_says_algorithm_score_and_a_source_that_is_not_the_stage_before(lab: Lab, show: Show) -> None:
    """A second deployment deploys what the first does, and an experiment after it starts from the same."""
    pipeline = lab.pipeline("SFT")
    lab.do(pipeline.stages[0], 0.5)
    for name in ("one", "two"):
        lab.pipelines.add_stage(pipeline.id, DeploymentStage(agent_name=name))
    last = lab.experiment("last")
    lab.pipelines.add_stage(pipeline.id, ExperimentStage(experiment_id=last.id, start=FromSource()))
    rows = show(lab.pipelines.get(pipeline.id)).view.stages
    assert [row.get("algorithm") for row in rows] == ["SFT", None, None, "SFT"]
    assert [row.get("source") for row in rows] == [None, None, 1, 1]
    assert rows[0]["score"] == 0.5


@pytest.mark.spec("8.2")
def test_the_panel_follows_the_agent_of_a_deployment(lab: Lab, services: Services, show: Show) -> None:
    """It belongs to no project, but what is done with it elsewhere is seen; once deleted it is gone here."""
    pipeline = lab.pipeline("SFT", "deploy")
    training, deployment = pipeline.stages
    lab.do(training, 0.5)
    lab.do(deployment)
    bench = show(pipeline)
    bench.do("select", stage=deployment.id)
    (agent,) = lab.agents.all()
    services.endpoint_service.disconnect(agent.id)
    bench.view.refresh()
    bench.view.agent.refresh()
    assert (bench.view.agent_shown, bench.view.agent.rows[0]["status"]) == (agent.id, "Undeployed")
    lab.agents.delete(agent.id)
    bench.view.refresh()
    assert bench.view.agent_shown == 0
    assert "was deleted. Trigger the stage" in bench.view.panel["agent"]["note"]


@pytest.mark.spec("6.6")
def test_the_panel_is_live_while_its_run_is_active(lab: Lab, show: Show) -> None:
    """Progress, metrics and the end come without a command."""
    pipeline = lab.pipeline("SFT")
    bench = show(pipeline)
    job = lab.started(lab.runs.trigger(pipeline.stages[0].id))
    lab.report(job, 120, total=600, loss=0.5)
    bench.view.refresh()
    assert (bench.view.panel["run"]["step"], bench.view.panel["run"]["total"]) == (120, 600)
    lab.report(job, 130, total=600, loss=0.25)
    bench.view.refresh()
    assert bench.view.panel["run"]["curves"][0]["points"] == [[120, 0.5], [130, 0.25]]
    lab.end(job, Status.FAILED, "ValueError: no")
    assert not bench.view.refresh()
    assert bench.view.panel["run"]["error"] == "ValueError: no"


@pytest.mark.spec("6.4")
def test_a_plan_is_told_before_a_trigger(lab: Lab, show: Show) -> None:
    """What re-runs finished work is to be confirmed, and a first run is not."""
    pipeline = lab.pipeline("SFT", "GRPO")
    first, second = pipeline.stages
    bench = show(pipeline)
    assert not bench.do("plan", stage=first.id)["confirm"]
    lab.do(first, 0.5)
    lab.do(second, 0.6)
    plan = bench.do("plan", stage=first.id)
    assert plan["confirm"]
    assert plan["reruns"]
    assert "chain-grpo-2" in plan["turns_stale"][0]


@pytest.mark.spec("5.7")
def test_a_plan_says_that_the_experiment_ran_elsewhere(lab: Lab, show: Show) -> None:
    """Then a duplicate is offered, but not when its own run is resumed."""
    experiment = lab.experiment("alone")
    lab.carry_out(lab.runs.train(experiment.id), 0.5)
    made = lab.pipelines.create(lab.project.id, "chain")
    stage = lab.add(made.id, experiment)
    bench = show(made)
    plan = bench.do("plan", stage=stage.id)
    assert (plan["duplicate"], plan["confirm"]) == (True, True)
    lab.do(stage, 0.5, status=Status.FAILED)
    assert not bench.do("plan", stage=stage.id, resume=True)["duplicate"]


@pytest.mark.spec("5.12")
def test_problems_are_listed_by_stage(lab: Lab, show: Show) -> None:
    """An unfit pair is found before anything is triggered."""
    pipeline = lab.pipeline("SFT", "GRPO")
    bench = show(pipeline)
    assert bench.do("check") == []
    other = lab.pipeline("PPO", name="other")
    second = ExperimentStage(experiment_id=lab.experiment("unfit", PPO).id, start=FromSource("best"))
    unfit = replace(other, stages=(*other.stages, second))
    with lab.store.write() as work:
        work.pipelines.save(unfit, work.projects.touch(other.project_id), before=other)
    (problem,) = show(other).do("check")
    assert "unfit" in problem["stage"] + problem["problem"]


@pytest.mark.spec("4.3")
def test_results_open_and_close_below_the_graph(lab: Lab, show: Show) -> None:
    """For the experiment of a stage; a Deployment has none."""
    pipeline = lab.pipeline("SFT", "deploy")
    bench = show(pipeline)
    bench.do("results", stage=pipeline.stages[0].id)
    assert bench.view.results is not None
    assert "no results" in bench.refused("results", stage=pipeline.stages[1].id)["what"]
    bench.do("close_results")
    assert bench.view.results is None


@pytest.mark.spec("4.3")
def test_results_may_open_elsewhere(lab: Lab, services: Services) -> None:
    """In a project they are a tab: the view only says for which experiment."""
    pipeline = lab.pipeline("SFT")
    asked: list[int] = []
    bench = Bench(PipelineView(services, pipeline.id, on_results=asked.append))
    bench.do("results", stage=pipeline.stages[0].id)
    assert asked == list(pipeline.experiment_ids)
    assert bench.view.results is None
    bench.view.close()


# ---- editing


def settings(experiment: int, **more: Any) -> dict[str, Any]:
    """Return what a form sends for an Experiment stage."""
    start = {
        "kind": "experiment",
        "trigger": "manual",
        "start": "best",
        "auto_add_agent": False,
        "gate": None,
    }
    return {**start, "experiment": experiment, **more}


@pytest.mark.spec("4.2")
def test_a_stage_is_added_and_selected(lab: Lab, show: Show) -> None:
    """At whatever position."""
    pipeline = lab.pipeline("SFT", "GRPO")
    bench = show(pipeline)
    new = lab.experiment("new")
    added = bench.do("add", settings=settings(new.id), position=1, version=bench.version)
    assert [row["name"] for row in bench.view.stages] == ["chain-sft-1", "new", "chain-grpo-2"]
    assert bench.view.selected == added["stage"] == bench.stage(2)["id"]


@pytest.mark.spec("4.2", "5.3")
def test_what_an_edit_changes_along_is_answered(lab: Lab, show: Show) -> None:
    """A stage that becomes the first turns manual and starts from scratch."""
    pipeline = lab.pipeline("SFT", "GRPO", trigger="auto")
    bench = show(pipeline)
    also = bench.do("move", stage=pipeline.stages[1].id, to=0, version=bench.version)["also"]
    assert any("manual" in sentence.lower() for sentence in also)
    assert [row["name"] for row in bench.view.stages] == ["chain-grpo-2", "chain-sft-1"]
    assert "auto" not in bench.stage(1)


@pytest.mark.spec("4.2")
def test_settings_are_edited(lab: Lab, show: Show) -> None:
    """The form gets the stage as it is, and sends it back changed."""
    pipeline = lab.pipeline("SFT", "GRPO")
    bench = show(pipeline)
    second = pipeline.stages[1]
    form = bench.do("form", stage=second.id)
    assert form["position"] == 1
    changed = settings(pipeline.experiment_ids[1], trigger="auto", start="final")
    bench.do("edit", stage=second.id, settings=changed, version=bench.version)
    assert bench.stage(2)["auto"]
    assert isinstance(second, ExperimentStage)
    edited = replace(second, trigger=Trigger.AUTO, start=FromSource("final"))
    assert lab.pipelines.get(pipeline.id).stages[1] == edited


@pytest.mark.spec("4.2")
def test_after_a_removal_the_neighbour_is_selected(lab: Lab, show: Show) -> None:
    """The next stage, else the one before, else none."""
    pipeline = lab.pipeline("SFT", "GRPO", "SFT")
    first, second, third = pipeline.stages
    bench = show(pipeline)
    bench.do("remove", stage=second.id, version=bench.version)
    assert bench.view.selected == third.id
    bench.do("remove", stage=third.id, version=bench.version)
    assert bench.view.selected == first.id
    bench.do("remove", stage=first.id, version=bench.version)
    assert (bench.view.selected, bench.view.panel, bench.view.stages) == (0, {}, [])


@pytest.mark.spec("5.13")
def test_an_edit_based_on_an_old_view_is_refused(lab: Lab, show: Show) -> None:
    """The error says what changed meanwhile, and nothing is lost."""
    pipeline = lab.pipeline("SFT", "GRPO")
    bench = show(pipeline)
    seen = bench.version
    lab.pipelines.delete_stage(pipeline.stages[1].id)
    error = bench.refused("add", settings=settings(lab.experiment("new").id), position=2, version=seen)
    assert error["kind"] == "StaleWriteError"
    assert "chain" in error["what"]
    assert len(lab.pipelines.get(pipeline.id).stages) == 1


@pytest.mark.spec("5.13")
def test_an_edit_based_on_a_very_old_view_is_refused(lab: Lab, show: Show) -> None:
    """However many edits were made since, nothing is overwritten, and it says what was changed."""
    pipeline = lab.pipeline("SFT")
    bench = show(pipeline)
    seen = bench.version
    for number in range(60):
        lab.pipelines.update(pipeline.id, description=str(number))
        bench.view.refresh()
    error = bench.refused("describe", name="other", version=seen)
    assert (error["kind"], error["why"]) == ("StaleWriteError", "Its description was edited.")
    assert bench.view.pipeline["name"] == "chain"


@pytest.mark.spec("3.5")
def test_name_and_description_are_edited(lab: Lab, show: Show) -> None:
    """And are shown at once."""
    bench = show(lab.pipeline("SFT"))
    bench.do("describe", name="<b>other</b>", description="why", version=bench.version)
    assert (bench.view.pipeline["name"], bench.view.pipeline["description"]) == ("<b>other</b>", "why")


@pytest.mark.spec("5.10")
def test_an_active_stage_is_locked(lab: Lab, show: Show) -> None:
    """Edit, move and delete are refused, and the row says why before anybody tries."""
    pipeline = lab.pipeline("SFT", "GRPO")
    stage = pipeline.stages[0]
    lab.runs.trigger(stage.id)
    bench = show(pipeline)
    assert "Stop it first" in bench.stage(1)["locked"]
    assert "Stop it first" in bench.refused("remove", stage=stage.id, version=bench.version)["fix"]
    assert "Stop it first" in bench.refused("move", stage=stage.id, to=1, version=bench.version)["fix"]


# ---- running


@pytest.mark.spec("6.1", "4.2")
def test_a_trigger_starts_a_run_and_selects_its_stage(lab: Lab, show: Show, launched: list[int]) -> None:
    """A process is started for it, and the row shows it at once."""
    pipeline = lab.pipeline("SFT", "GRPO")
    bench = show(pipeline)
    bench.do("select", stage=pipeline.stages[1].id)
    assert bench.do("trigger", stage=pipeline.stages[0].id) == {"run": 1}
    assert bench.stage(1)["status"] == "Pending"
    assert bench.view.selected == pipeline.stages[0].id
    run = lab.state(pipeline.stages[0]).run
    assert run is not None
    assert launched == [run.id]


@pytest.mark.spec("6.1")
def test_a_refused_trigger_says_which_condition_fails(lab: Lab, show: Show, launched: list[int]) -> None:
    """The error has what, why and what to do, and the row the same reason."""
    pipeline = lab.pipeline("SFT", "GRPO")
    bench = show(pipeline)
    error = bench.refused("trigger", stage=pipeline.stages[1].id)
    assert error["kind"] == "TriggerError"
    assert error["why"] in bench.stage(2)["blockers"]
    assert error["fix"]
    assert launched == []


@pytest.mark.spec("5.7")
def test_a_trigger_may_duplicate_the_experiment_first(lab: Lab, show: Show) -> None:
    """The stage is bound to the copy then, and the copy is what runs."""
    experiment = lab.experiment("alone")
    lab.carry_out(lab.runs.train(experiment.id), 0.5)
    made = lab.pipelines.create(lab.project.id, "chain")
    stage = lab.add(made.id, experiment)
    bench = show(lab.pipelines.get(made.id))
    assert bench.do("trigger", stage=stage.id, duplicate=True) == {"run": 1}
    assert bench.stage(1)["experiment"] != experiment.id
    assert len(lab.runs.of_experiment(experiment.id)) == 1


@pytest.mark.spec("5.7")
def test_a_trigger_that_is_refused_duplicates_nothing(lab: Lab, show: Show) -> None:
    """The stage stays bound to its experiment, and no copy of that is left."""
    experiment = lab.experiment("alone")
    lab.carry_out(lab.runs.train(experiment.id), 0.5)
    made = lab.pipeline("SFT")
    stage = lab.add(made.id, experiment)
    bench = show(lab.pipelines.get(made.id))
    error = bench.refused("trigger", stage=stage.id, duplicate=True)
    assert "Waiting for a checkpoint from Stage 1" in error["why"]
    assert bench.stage(2)["experiment"] == experiment.id
    assert [each.name for each in lab.experiments.of_project(lab.project.id)] == ["alone", "chain-sft-1"]


@pytest.mark.spec("6.5")
def test_stop_and_resume(lab: Lab, show: Show) -> None:
    """Stopping, then Stopped; a resumed stage goes on from its own last checkpoint."""
    pipeline = lab.pipeline("SFT")
    stage = pipeline.stages[0]
    bench = show(pipeline)
    bench.do("trigger", stage=stage.id)
    run = lab.state(stage).run
    assert run is not None
    job = lab.started(run)
    lab.save(job, 20, 0.5)
    bench.do("stop", stage=stage.id)
    assert bench.stage(1)["status"] == "Stopping"
    lab.end(job, Status.STOPPED)
    bench.view.refresh()
    assert bench.stage(1)["status"] == "Stopped"
    assert bench.stage(1)["resumable"]
    assert bench.view.panel["run"]["checkpoints"][0]["step"] == 20
    assert bench.do("trigger", stage=stage.id, resume=True) == {"run": 2}
    assert bench.view.panel["run"]["start"] == "Resumed from step 20 of run 1 of 'chain-sft-1'."


@pytest.mark.spec("4.8")
def test_a_pipeline_is_planned_and_run_from_what_is_next(lab: Lab, show: Show) -> None:
    """The row says why it cannot be run; the plan what waits, and the run selects the stage that begins."""
    pipeline = lab.pipeline("SFT", "GRPO")
    first, second = pipeline.stages
    bench = show(pipeline)
    assert bench.view.pipeline["runs"]["next"] == ""
    lab.do(first, 0.5)
    bench.view.refresh()
    planned = bench.do("plan_run", goal="run", run_through=True)
    assert (planned["stage"], planned["confirm"], planned["manual"]) == (second.id, False, [])
    bench.do("select", stage=first.id)
    assert bench.do("run", goal="run", stage=second.id) == {"run": 1}
    assert bench.view.selected == second.id
    assert bench.view.pipeline["runs"]["next"] == (
        "Stage 2 (chain-grpo-2) is pending. Wait for it, or stop it first."
    )
    refused = bench.ask("run", goal="run", stage=second.id)
    assert "pending" in refused["error"]["why"]
    nothing = bench.do("plan_run", goal="bring up to date")
    assert (nothing["stage"], nothing["plan"]) == (None, None)


@pytest.mark.spec("4.8", "6.8")
def test_a_stage_is_run_again_and_manual_stages_after_it(lab: Lab, show: Show) -> None:
    """The plan names them, and they are run through where that was chosen."""
    pipeline = lab.pipeline("SFT", "GRPO", "GRPO")
    first, second, third = pipeline.stages
    for stage in (first, second, third, first):
        lab.do(stage, 0.5)
    bench = show(pipeline)
    planned = bench.do("plan_rerun", stage=second.id)
    assert (planned["plan"]["runs_now"], planned["manual"]) == (
        "Stage 2 (chain-grpo-2)",
        ["Stage 3 (chain-grpo-3)"],
    )
    assert bench.do("rerun", stage=second.id, run_through=True) == {"run": 2}
    assert bench.view.selected == second.id
    run = lab.runs.latest_of_stage(second.id)
    assert run is not None
    assert run.run_through == (third.id,)


@pytest.mark.spec("6.8")
def test_a_stale_stage_is_accepted_with_a_note(lab: Lab, show: Show) -> None:
    """The row loses its mark, and keeps the note; a second acceptance is refused."""
    pipeline = lab.pipeline("SFT", "GRPO")
    first, second = pipeline.stages
    for stage in (first, second, first):
        lab.do(stage, 0.5)
    bench = show(pipeline)
    assert bench.stage(2)["stale"] == ["Stage 1 was re-run: used run 1, latest is run 2"]
    bench.do("accept", stage=second.id, note="  same data ")
    assert "stale" not in bench.stage(2)
    assert bench.stage(2)["accepted"] == bench.view.panel["accepted"] == "same data"
    assert bench.refused("accept", stage=second.id)["kind"] == "RuleError"


@pytest.mark.spec("6.7")
def test_a_held_stage_says_why(lab: Lab, show: Show) -> None:
    """An Auto stage that could not start is no silent one."""
    pipeline = lab.pipeline("SFT", "GRPO", trigger="auto")
    bench = show(pipeline)
    lab.do(pipeline.stages[0])
    bench.view.refresh()
    assert bench.stage(2)["held"] == "Waiting for a checkpoint from Stage 1 (chain-sft-1)."


# ---- errors


def test_an_unknown_command_is_told_from_a_failed_one(
    lab: Lab, show: Show, caplog: pytest.LogCaptureFixture
) -> None:
    """A page that is older than its kernel gets a sentence, and so does a fault of ours."""
    bench = show(lab.pipeline("SFT"))
    assert bench.refused("no_such_command")["kind"] == "Unknown"
    with caplog.at_level(logging.CRITICAL):
        assert bench.refused("select", nonsense=1)["kind"] == "Fault"


def test_a_message_without_an_id_is_not_answered(lab: Lab, show: Show) -> None:
    """What is only told is carried out."""
    pipeline = lab.pipeline("SFT", "GRPO")
    bench = show(pipeline)
    stage = pipeline.stages[1].id
    bench.view.line._handle_custom_msg({"command": "select", "args": {"stage": stage}}, [])
    assert bench.view.selected == stage
    assert bench.answers == []


@pytest.mark.spec("4.7")
def test_without_a_kernel_the_last_state_is_shown(lab: Lab, show: Show) -> None:
    """As a picture and as text, with hostile names as text."""
    pipeline = lab.pipeline("SFT")
    lab.pipelines.update(pipeline.id, name="<script>alert(1)</script>")
    view = show(pipeline).view
    assert "chain-sft-1" in view.static_html()
    assert "<script>" not in view.static_html()
    assert "chain-sft-1" in view.static_text()
