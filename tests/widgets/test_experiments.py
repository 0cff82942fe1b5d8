"""The Experiments tab: what it shows, and how it answers (spec 9.1, 9.2)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import trainers
from factories.lab import Lab, configured
from factories.values import DPO, GRPO, LOSS
from pages import keep_in_sight

from pipeline_widgets.algorithms.registry import Algorithm
from pipeline_widgets.application import Services
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import ExecutionError
from pipeline_widgets.widgets.experiments import ExperimentsView

COUNTER: Algorithm = trainers.counter
Sent = list[dict[str, Any]]


@pytest.fixture
def view(lab: Lab, services: Services) -> Iterator[ExperimentsView]:
    """The experiments of the project, none of which is there yet."""
    made = ExperimentsView(services, lab.project.id)
    yield made
    made.close()


@pytest.fixture
def sent(view: ExperimentsView, monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What goes to the browser from now on, answers left out."""
    told: Sent = []

    def publish(msg_type: str, data: dict[str, Any] | None = None, **_: object) -> None:
        if msg_type == "comm_msg":
            told.append(json.loads(json.dumps(data, allow_nan=False)))

    monkeypatch.setattr(view.comm, "publish_msg", publish)
    return told


@pytest.fixture
def counter(lab: Lab) -> Experiment:
    """An experiment of an algorithm that this process knows."""
    return lab.experiments.create(lab.project.id, "counter", COUNTER.configure({}), seed=0)


def ask(view: ExperimentsView, command: str, **args: Any) -> dict[str, Any]:
    """Send a command as the browser does, and return the answer as the browser reads it."""
    answers: list[Any] = []
    view.line.answer = answers.append
    view.line._handle_custom_msg({"id": "1", "command": command, "args": args}, [])
    (answer,) = answers
    return json.loads(json.dumps(answer, allow_nan=False))


def names(view: ExperimentsView) -> list[str]:
    """Return the names that are shown, in order."""
    return [row["name"] for row in view.rows]


def values(**typed: str) -> dict[str, str]:
    """Return what the form of the counter sends."""
    return {"steps": "3", "pause": "0.0", "act": "", "folder": "", **typed}


# ---- the list


@pytest.mark.spec("9.1")
def test_a_row_shows_the_experiment_and_its_latest_run(lab: Lab, view: ExperimentsView) -> None:
    """Name, algorithm, status, the better end of its evaluation scores, and what cannot be done now."""
    made = lab.experiment("loss", LOSS)
    for scores in ((0.5, 0.2), (0.4,)):
        lab.carry_out(lab.runs.train(made.id), *scores)
    view.refresh()
    (row,) = view.rows
    why_not = {"train": "", "stop": "Its run 2 is succeeded.", "resume": "", "change": "", "delete": ""}
    assert row == {
        "id": made.id,
        "name": "loss",
        "algorithm": "LOSS",
        "status": "Succeeded",
        "modified_at": made.modified_at.timestamp(),
        "runs": 2,
        "checkpoints": 3,
        "best": 0.2,
        "started_at": None,
        "begun": 0,
        "step": None,
        "total": None,
        "waits": None,
        "pipelines": [],
        "blockers": why_not,
    }


@pytest.mark.spec("9.1")
def test_it_follows_what_others_do(lab: Lab, view: ExperimentsView) -> None:
    """A new experiment, a run's statuses and how far it is show; it asks for more while one runs."""
    assert view.rows == []
    made = lab.experiment("sft")
    assert view.refresh() is False
    job = lab.started(lab.runs.train(made.id))
    lab.report(job, 5, 10, loss=1.0)
    assert view.refresh() is True
    (row,) = view.rows
    assert (row["status"], row["step"], row["total"]) == ("Running", 5, 10)
    lab.end(job, Status.FAILED)
    assert view.refresh() is False
    assert [row["status"] for row in view.rows] == ["Failed"]


@pytest.mark.spec("9.1")
def test_one_change_sends_one_row(lab: Lab, view: ExperimentsView, sent: Sent) -> None:
    """Of four experiments the one that has changed goes down, and nothing where nothing has."""
    keep_in_sight(view)
    made = [lab.experiment(f"e{at}", GRPO) for at in range(4)]
    view.refresh()
    sent.clear()
    view.refresh()
    assert sent == []
    lab.runs.train(made[2].id)
    view.refresh()
    assert [message["content"]["patch"] for message in sent] == ["rows"]
    assert [row["name"] for row in sent[0]["content"]["rows"]] == ["e2"]


@pytest.mark.spec("9.1")
def test_a_score_that_is_no_number_is_left_out(lab: Lab, view: ExperimentsView) -> None:
    """JSON knows no NaN, and the table says N/A then; so it is in an expanded row."""
    made = lab.experiment("sft")
    lab.carry_out(lab.runs.train(made.id), math.nan)
    assert ask(view, "expand", experiment=made.id)["ok"]
    view.refresh()
    assert view.rows[0]["best"] is None
    (saved,) = view.details[0]["checkpoints"]
    assert (saved["training_score"], saved["evaluation_score"], saved["best"], saved["final"]) == (
        None,
        None,
        False,
        True,
    )


@pytest.mark.spec("9.1")
def test_it_is_searched_sorted_and_paged(lab: Lab, view: ExperimentsView) -> None:
    """Past 50 rows there are pages; a refresh changes neither."""
    for number in range(60):
        lab.experiment(f"e{number:02}")
    view.refresh()
    assert (len(view.rows), view.page["pages"], names(view)[0]) == (50, 2, "e59")
    ask(view, "query", sort="name", descending=False, page=1)
    assert (names(view)[0], len(view.rows), view.page["page"]) == ("e50", 10, 1)
    ask(view, "query", search="e1")
    assert (names(view), view.page["total"], view.page["all"]) == ([f"e1{n}" for n in range(10)], 10, 60)
    lab.experiment("e100")
    view.refresh()
    assert (names(view)[:2], view.page["total"]) == (["e10", "e100"], 11)
    assert not ask(view, "query", sort="size")["ok"]


@pytest.mark.spec("9.1")
def test_a_row_that_changes_stays_where_it_is(lab: Lab, view: ExperimentsView) -> None:
    """It would jump under the hands of who works in it."""
    first = lab.experiment("first")
    lab.clock.forward(1)
    lab.experiment("second")
    view.refresh()
    lab.clock.forward(1)
    lab.experiments.update(first.id, configured(config={"steps": 11}), seed=0)
    view.refresh()
    assert names(view) == ["second", "first"]
    ask(view, "query")
    assert names(view) == ["first", "second"]


# ---- an expanded row


@pytest.mark.spec("9.1")
def test_an_expanded_row_shows_config_runs_checkpoints_and_uses(lab: Lab, view: ExperimentsView) -> None:
    """And the metrics of the latest run, whatever its status is."""
    pipeline = lab.pipeline("SFT", name="chain")
    experiment = pipeline.experiment_ids[0]
    job = lab.started(lab.runs.trigger(pipeline.stages[0].id))
    lab.report(job, 5, 10, loss=0.123456789)
    lab.save(job, 5, 0.5, training=0.25)
    lab.end(job, Status.FAILED, "It broke: <b>why</b>.")
    view.refresh()
    assert view.details == []
    assert ask(view, "expand", experiment=experiment)["ok"]
    (detail,) = view.details
    assert (detail["id"], detail["says"]) == (
        experiment,
        "Trains from scratch or from a language model (starting weights). Produces a language model.",
    )
    (use,) = detail["uses"]
    assert (use["pipeline"], use["stage"], use["blocked"], use["reasons"]) == ("chain", 1, "", [])
    assert [(field["name"], field["value"]) for field in detail["config"]] == [("steps", "10"), ("seed", "0")]
    assert (detail["run"]["status"], detail["run"]["error"]) == ("Failed", "It broke: <b>why</b>.")
    assert (detail["metrics"], detail["metric"]) == (["loss"], "loss")
    assert detail["curves"] == [{"name": "loss", "points": [[5, 0.123457]]}]
    (saved,) = detail["checkpoints"]
    assert (saved["step"], saved["run"], saved["training_score"], saved["evaluation_score"]) == (
        5,
        "run 1",
        0.25,
        0.5,
    )
    assert [(run["number"], run["status"], run["pipeline"]) for run in detail["runs"]] == [
        (1, "Failed", "chain")
    ]
    ask(view, "collapse", experiment=experiment)
    assert view.details == []


@pytest.mark.spec("9.1")
def test_the_metric_and_the_run_are_chosen_and_the_chart_is_live(lab: Lab, view: ExperimentsView) -> None:
    """Both scores come in one chart at first; a choice stays when there is more to show."""
    made = lab.experiment("sft")
    lab.carry_out(lab.runs.train(made.id), 0.9)
    job = lab.started(lab.runs.train(made.id))
    lab.report(job, 1, 10, loss=1.0, training_score=0.1, evaluation_score=0.2)
    view.refresh()
    ask(view, "expand", experiment=made.id)
    (detail,) = view.details
    assert detail["metrics"] == ["scores", "training_score", "evaluation_score", "loss"]
    assert (detail["metric"], detail["run"]["number"]) == ("scores", 2)
    assert [curve["name"] for curve in detail["curves"]] == ["training_score", "evaluation_score"]
    ask(view, "look", experiment=made.id, metric="loss")
    lab.report(job, 2, 10, loss=math.inf)
    view.refresh()
    assert view.details[0]["curves"] == [{"name": "loss", "points": [[1, 1.0], [2, None]]}]
    first = view.details[0]["runs"][1]["id"]
    ask(view, "look", experiment=made.id, run=first)
    (detail,) = view.details
    assert (detail["run"]["number"], detail["metrics"], detail["curves"]) == (1, [], [])


@pytest.mark.spec("9.1")
def test_checkpoints_follow_the_chosen_run(lab: Lab, view: ExperimentsView) -> None:
    """Its best and its final one come first, then the latest; those of all runs on demand."""
    made = lab.experiment("sft")
    lab.carry_out(lab.runs.train(made.id), 0.1, 0.9, 0.2, 0.3)
    lab.carry_out(lab.runs.train(made.id), 0.5, 0.4)
    view.refresh()
    ask(view, "expand", experiment=made.id)

    def listed() -> list[tuple[str, int, str]]:
        return [
            (each["run"], each["step"], "best" * each["best"] + "final" * each["final"])
            for each in view.details[0]["checkpoints"]
        ]

    assert listed() == [("run 2", 10, "best"), ("run 2", 20, "final")]
    ask(view, "look", experiment=made.id, run=view.details[0]["runs"][1]["id"])
    assert listed() == [
        ("run 1", 20, "best"), ("run 1", 40, "final"), ("run 1", 30, ""), ("run 1", 10, ""),
    ]  # fmt: skip
    assert (view.details[0]["saved"], view.details[0]["every"]) == (4, False)
    ask(view, "look", experiment=made.id, every=True)
    assert listed()[:3] == [("run 1", 20, "best"), ("run 2", 20, "final"), ("run 2", 10, "")]
    assert (view.details[0]["saved"], view.details[0]["every"]) == (6, True)
    ask(view, "look", experiment=made.id, metric="loss")
    assert view.details[0]["every"] is True
    ask(view, "look", experiment=made.id, every=False)
    assert len(listed()) == 4


@pytest.mark.spec("9.1")
def test_the_config_is_that_of_the_chosen_run(lab: Lab, view: ExperimentsView) -> None:
    """What the experiment has now is said beside what differs; None and an empty text are words."""
    first: dict[str, Any] = {"steps": 10, "limit": None, "mode": "", "sizes": [1, 2]}
    made = lab.experiments.create(lab.project.id, "sft", configured(config=first), seed=0)
    lab.carry_out(lab.runs.train(made.id), 0.1)
    lab.experiments.update(made.id, configured(config={**first, "steps": 11, "mode": "fast"}), seed=7)
    lab.carry_out(lab.runs.train(made.id), 0.1)
    view.refresh()
    ask(view, "expand", experiment=made.id)

    def shown() -> list[tuple[str, str, str | None]]:
        return [(each["name"], each["value"], each["now"]) for each in view.details[0]["config"]]

    now = [("limit", "none", None), ("mode", "fast", None), ("seed", "7", None), ("sizes", "[1, 2]", None)]
    assert sorted(shown()) == [*now, ("steps", "11", None)]
    ask(view, "look", experiment=made.id, run=view.details[0]["runs"][1]["id"])
    assert sorted(shown()) == [
        ("limit", "none", None), ("mode", "empty", "fast"), ("seed", "0", "7"), ("sizes", "[1, 2]", None),
        ("steps", "10", "11"),
    ]  # fmt: skip


@pytest.mark.spec("9.1")
def test_more_checkpoints_are_listed_on_demand(lab: Lab, view: ExperimentsView) -> None:
    """Fifty at first; how many there are is known."""
    made = lab.experiment("sft")
    lab.carry_out(lab.runs.train(made.id), *(0.1 for _ in range(60)))
    view.refresh()
    ask(view, "expand", experiment=made.id)
    assert (len(view.details[0]["checkpoints"]), view.details[0]["saved"]) == (50, 60)
    ask(view, "look", experiment=made.id, more=True)
    assert len(view.details[0]["checkpoints"]) == 60


def test_a_row_stays_expanded_while_another_page_is_shown(lab: Lab, view: ExperimentsView) -> None:
    """One whose experiment others have deleted is closed; one that is gone already is refused."""
    made = [lab.experiment(name) for name in "ab"]
    view.refresh()
    for each in made:
        ask(view, "expand", experiment=each.id)
    ask(view, "query", search="a")
    assert [detail["id"] for detail in view.details] == [made[0].id]
    ask(view, "query", search="")
    lab.experiments.delete(made[1].id)
    view.refresh()
    assert ([detail["id"] for detail in view.details], view.trouble) == ([made[0].id], "")
    assert ask(view, "expand", experiment=made[1].id)["error"]["kind"] == "NotFoundError"


# ---- doing


@pytest.mark.spec("9.1")
def test_train_and_stop(lab: Lab, view: ExperimentsView, counter: Experiment, services: Services) -> None:
    """A process trains it; what cannot be done is refused with the reason that the row gives."""
    view.refresh()
    assert ask(view, "stop", experiment=counter.id)["error"]["why"] == "Experiment 'counter' is not running."
    started: list[object] = []
    services.reconciler.launch = started.append  # pyright: ignore[reportAttributeAccessIssue]
    assert ask(view, "train", experiment=counter.id)["ok"]
    assert (view.rows[0]["status"], len(started)) == ("Pending", 1)
    again = ask(view, "train", experiment=counter.id)
    assert again["error"]["why"] == view.rows[0]["blockers"]["train"] == "Its run 1 is pending."
    assert ask(view, "stop", experiment=counter.id)["ok"]
    assert view.rows[0]["status"] == "Stopped"
    needs = lab.experiment("needs", replace(DPO, name="no algorithm of this process"))
    view.refresh()
    refused = ask(view, "train", experiment=needs.id)
    assert refused["error"]["why"] == view.rows[0]["blockers"]["train"]


@pytest.mark.spec("9.1")
def test_resume_makes_a_new_experiment_from_the_chosen_checkpoint(
    lab: Lab, view: ExperimentsView, services: Services
) -> None:
    """The offer has the runs with their checkpoints, a name, and what happens to the pipeline."""
    pipeline = lab.pipeline("SFT", name="chain")
    experiment = pipeline.experiment_ids[0]
    lab.do(pipeline.stages[0], 0.9, 0.5)
    services.reconciler.launch = lambda _: None  # pyright: ignore[reportAttributeAccessIssue]
    view.refresh()
    offer = ask(view, "resume_form", experiment=experiment)["result"]
    assert offer["name"] == "chain-sft-1 (resumed)"
    assert "Stage 1 will be bound to the new experiment, and triggered." in offer["warning"]
    (run,) = offer["runs"]
    assert (run["label"], run["best"]["step"], run["final"]["step"]) == ("Run 1", 10, 20)
    taken = ask(view, "resume", experiment=experiment, run=run["id"], choice="best", name="chain-sft-1")
    assert taken["error"]["kind"] == "NameTakenError"
    done = ask(view, "resume", experiment=experiment, run=run["id"], choice="best", name=offer["name"])
    assert names(view)[0] == done["result"]["name"] == "chain-sft-1 (resumed)"
    assert lab.pipelines.get(pipeline.id).experiment_ids == (done["result"]["id"],)
    (new,) = lab.runs.of_experiment(done["result"]["id"])
    start = lab.runs.start_checkpoint(new)
    assert (new.stage_id, start and start.step) == (pipeline.stages[0].id, 10)


@pytest.mark.spec("9.1")
def test_what_is_complete_is_resumed_with_more_steps(
    lab: Lab, view: ExperimentsView, counter: Experiment, services: Services
) -> None:
    """The offer says where it ends and by which field; a value that the model refuses is refused by name."""
    services.reconciler.launch = lambda _: None  # pyright: ignore[reportAttributeAccessIssue]
    steps = counter.config["steps"]
    job = lab.started(lab.runs.train(counter.id))
    lab.report(job, steps, steps)
    lab.save(job, steps, 0.5)
    lab.end(job)
    view.refresh()
    (run,) = ask(view, "resume_form", experiment=counter.id)["result"]["runs"]
    assert (run["ends"], run["length"]) == (steps, {"name": "steps", "label": "Steps"})
    wanted = {"experiment": counter.id, "run": run["id"], "choice": "final", "name": "longer"}
    refused = ask(view, "resume", **wanted, config={"steps": "many"})
    assert "steps" in refused["error"]["what"]
    made = ask(view, "resume", **wanted, config={"steps": str(steps + 5)})["result"]
    assert lab.experiments.get(made["id"]).config == {**counter.config, "steps": steps + 5}


@pytest.mark.spec("9.1")
def test_duplicate_asks_for_a_name(lab: Lab, view: ExperimentsView) -> None:
    """The one that is offered is free; one that is taken is refused."""
    made = lab.experiment("sft")
    assert ask(view, "copy_name", experiment=made.id)["result"] == "sft (copy)"
    assert ask(view, "duplicate", experiment=made.id, name="sft")["error"]["kind"] == "NameTakenError"
    assert ask(view, "duplicate", experiment=made.id, name=" other ")["result"]["name"] == "other"
    assert sorted(names(view)) == ["other", "sft"]


@pytest.mark.spec("9.1", "8.4")
def test_delete_of_an_experiment_and_of_a_checkpoint(lab: Lab, view: ExperimentsView) -> None:
    """What is used is kept, and the refusal lists its users."""
    made = lab.experiment("sft")
    lab.carry_out(lab.runs.train(made.id), 0.1, 0.2)
    first, second = lab.experiments.checkpoints(made.id)
    lab.agents.create("kept", first.id)
    view.refresh()
    ask(view, "expand", experiment=made.id)
    assert (
        ask(view, "delete_checkpoint", checkpoint=first.id)["error"]["why"] == "It is used by agent 'kept'."
    )
    assert ask(view, "delete_checkpoint", checkpoint=second.id)["ok"]
    assert [saved["step"] for saved in view.details[0]["checkpoints"]] == [10]
    assert "agent 'kept'" in ask(view, "delete", experiment=made.id)["error"]["why"]
    lab.agents.delete(lab.agents.all()[0].id)
    assert ask(view, "delete", experiment=made.id)["ok"]
    assert (view.rows, view.details) == ([], [])


@pytest.mark.spec("9.1")
def test_deploy_saves_a_checkpoint_as_an_agent(
    lab: Lab, view: ExperimentsView, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connected only if that is wished; it gets its key where it is shown."""
    made = lab.experiment("sft")
    lab.carry_out(lab.runs.train(made.id), 0.1)
    (saved,) = lab.experiments.checkpoints(made.id)
    connected: list[int] = []
    monkeypatch.setattr(type(services.endpoints), "connect", lambda _, agent: connected.append(agent))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    answer = ask(view, "deploy", checkpoint=saved.id, name=" one ", description="to try")
    (agent,) = lab.agents.all()
    assert answer["result"] == {"id": agent.id, "name": "one", "trouble": None}
    assert (agent.description, agent.current.checkpoint.id, connected) == ("to try", saved.id, [])
    assert ask(view, "deploy", checkpoint=saved.id, name="one")["error"]["kind"] == "NameTakenError"
    assert ask(view, "deploy", checkpoint=saved.id, name="two", connect=True)["ok"]
    assert connected == [lab.agents.all()[1].id]


@pytest.mark.spec("9.1")
def test_an_agent_that_cannot_be_connected_is_saved_all_the_same(
    lab: Lab, view: ExperimentsView, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer names the agent and the trouble, so that nobody deploys it again."""
    made = lab.experiment("sft")
    lab.carry_out(lab.runs.train(made.id), 0.1)
    (saved,) = lab.experiments.checkpoints(made.id)

    def fail(*_: object) -> None:
        raise ExecutionError("No process could be started.", "The disk is full.")

    monkeypatch.setattr(type(services.endpoints), "connect", fail)
    told = ask(view, "deploy", checkpoint=saved.id, name="one", connect=True)["result"]
    (agent,) = lab.agents.all()
    assert (told["id"], told["name"]) == (agent.id, "one")
    assert (told["trouble"]["what"], told["trouble"]["why"]) == (
        "No process could be started.",
        "The disk is full.",
    )


@pytest.mark.spec("9.1")
def test_results_open_where_somebody_opens_them(lab: Lab, services: Services, view: ExperimentsView) -> None:
    """Without anybody they are not offered."""
    opened: list[int] = []
    other = ExperimentsView(services, lab.project.id, on_results=opened.append)
    assert (view.results, other.results) == (False, True)
    ask(other, "results", experiment=7)
    assert opened == [7]


# ---- the form


@pytest.mark.spec("9.2")
def test_the_form_offers_every_algorithm_and_the_fields_of_the_chosen_one(view: ExperimentsView) -> None:
    """Each says what it starts from and makes; each field has its default, unit and bounds."""
    form = ask(view, "form", algorithm="SFT")["result"]
    offered = {each["name"]: each for each in form["algorithms"]}
    assert {"PPO", "DQN", "Supervised", "LatentPPO", "SFT", "DPO", "GRPO", "Counter"} <= set(offered)
    assert offered["SFT"]["says"].startswith("Trains from scratch")
    steps = next(field for field in form["fields"] if field["name"] == "steps")
    assert (steps["value"], steps["unit"], steps["bounds"]) == ("600", "steps", "at least 1")
    assert (form["seed"]["value"], form["algorithm"]) == ("0", "SFT")
    usable = [each["name"] for each in form["algorithms"] if not each["problem"]]
    assert ask(view, "form")["result"]["algorithm"] == usable[0]
    assert ask(view, "form", algorithm="none")["error"]["kind"] == "AlgorithmNotFoundError"


@pytest.mark.spec("9.2")
def test_a_form_makes_an_experiment(lab: Lab, view: ExperimentsView) -> None:
    """With the config and the seed that were typed; it is shown."""
    form = {"name": " mine ", "algorithm": "Counter", "seed": "7", "values": values(steps="1e2")}
    made = ask(view, "create", **form)["result"]
    experiment = lab.experiments.get(made["id"])
    assert (experiment.name, experiment.seed, experiment.config["steps"]) == ("mine", 7, 100)
    assert experiment.config == COUNTER.configure({"steps": 100}).config
    assert names(view) == ["mine"]


@pytest.mark.spec("9.2")
def test_all_that_is_wrong_with_a_form_is_said_at_once(lab: Lab, view: ExperimentsView) -> None:
    """Name, seed and every field; nothing is made."""
    lab.experiment("taken")
    wrong = {"name": "taken", "algorithm": "Counter", "seed": "-1", "values": values(steps="x", pause="[]")}
    refused = ask(view, "create", **wrong)["result"]["refused"]
    assert "An experiment named 'taken' already exists." in refused["about"]["name"]
    assert refused["about"]["seed"] == "This is to be from 0 to 2,147,483,647."
    assert set(refused["fields"]) == {"steps", "pause"}
    assert len(lab.experiments.of_project(lab.project.id)) == 1


@pytest.mark.spec("9.2", "5.13")
def test_a_config_is_edited(lab: Lab, view: ExperimentsView, counter: Experiment) -> None:
    """The form has what the experiment has; one that is based on an older config is refused."""
    form = ask(view, "form", experiment=counter.id)["result"]
    assert (form["name"], form["seed"]["value"]) == ("counter", "0")
    assert {field["name"]: field["value"] for field in form["fields"]} == values()
    sent = {"experiment": counter.id, "name": "counted", "seed": "1", "algorithm": "Counter"}
    bad = ask(view, "change", **sent, values=values(steps=""), version=form["version"])
    assert bad["ok"]  # an empty field has its default
    old = ask(view, "change", **sent, values=values(steps="9"), version=form["version"])
    assert old["error"]["kind"] == "StaleWriteError"
    version = ask(view, "form", experiment=counter.id)["result"]["version"]
    assert ask(view, "change", **sent, values=values(steps="9"), version=version)["ok"]
    now = lab.experiments.get(counter.id)
    assert (now.name, now.seed, now.config["steps"]) == ("counted", 1, 9)
    lab.started(lab.runs.train(counter.id))
    assert ask(view, "change", **sent, values=values(), version=now.version)["error"]["kind"] == "InUseError"


# ---- without a kernel


@pytest.mark.spec("4.7")
def test_without_a_kernel_the_table_stays(lab: Lab, view: ExperimentsView) -> None:
    """The picture and the text have the rows, and a name is text."""
    lab.experiment("<b>sft</b>")
    view.refresh()
    html = view.static_html()
    assert "&lt;b&gt;sft&lt;/b&gt;" in html
    assert "<b>" not in html
    assert "Draft" in html
    assert "<b>sft</b>" in view.static_text()
