"""Results of some experiments: what is shown of which runs (spec 9.3)."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from factories.lab import Lab
from factories.values import LOSS

from pipeline_widgets.algorithms import registry
from pipeline_widgets.application import Services
from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.domain.job import MetricReport
from pipeline_widgets.domain.run import Status
from pipeline_widgets.domain.usage import Usage
from pipeline_widgets.services.queries import comparison
from pipeline_widgets.widgets import results
from pipeline_widgets.widgets.refresher import Refresher
from pipeline_widgets.widgets.results import ResultsView


@pytest.fixture
def view(lab: Lab, services: Services) -> ResultsView:
    """Results in which nothing is chosen yet."""
    return ResultsView(services, lab.project.id)


def told(view: ResultsView, command: str, **args: Any) -> dict[str, Any]:
    """Ask a view as the browser does, and return its answer."""
    answers: list[dict[str, Any]] = []
    view.line.answer = answers.append
    view.line._handle_custom_msg({"id": "1", "command": command, "args": args}, [])
    (answer,) = answers
    return answer


def train(lab: Lab, experiment_id: int, *scores: float) -> int:
    """Let an experiment run once, and return the run's id."""
    run = lab.runs.train(experiment_id)
    lab.carry_out(run, *scores)
    return run.id


def drawn(view: ResultsView) -> dict[tuple[str, int], list[Any]]:
    """Return the points of each curve by its metric and run, in the order in which they go down."""
    return {(row["metric"], row["run"]): list(row["points"]) for row in view.curves}


@pytest.mark.spec("9.3")
def test_the_runs_of_any_experiments_stand_side_by_side(lab: Lab, view: ResultsView) -> None:
    """All runs of the chosen experiments are listed, with their scores, and no others."""
    sft, dpo, other = (lab.experiment(name) for name in ("sft", "dpo", "other"))
    runs = [train(lab, sft.id, 0.1, 0.3), train(lab, dpo.id, 0.5), train(lab, sft.id, 0.2)]
    train(lab, other.id, 0.9)
    assert told(view, "choose", experiments=[sft.id, dpo.id])["ok"]
    assert view.title == "Results of sft and dpo"
    assert [(row["experiment"], row["number"], row["evaluation_score"]) for row in view.runs] == [
        ("sft", 2, 0.2),
        ("dpo", 1, 0.5),
        ("sft", 1, 0.3),
    ]
    assert {row["id"] for row in view.runs} == set(runs)
    assert [row["checkpoints"] for row in view.runs] == [1, 1, 2]
    assert all(row["status"] == "Succeeded" and not row["active"] for row in view.runs)
    assert view.total == 3


@pytest.mark.spec("9.3")
def test_each_metric_has_a_curve_of_each_run(lab: Lab, view: ResultsView) -> None:
    """The scores come first; a NaN is a gap; all of it is JSON."""
    made = lab.experiment("sft")
    job = lab.started(lab.runs.train(made.id))
    lab.report(job, 1, 3, aux=1.0, evaluation_score=0.25)
    lab.report(job, 2, 3, aux=math.nan, evaluation_score=1 / 3)
    view.choose((made.id,))
    assert drawn(view) == {
        ("evaluation_score", job.run_id): [(1, 0.25), (2, 0.333333)],
        ("aux", job.run_id): [(1, 1.0), (2, None)],
    }
    assert next(iter(drawn(view)))[0] == "evaluation_score"
    json.dumps([view.runs, view.curves, view.experiments], allow_nan=False)


@pytest.mark.spec("9.3")
def test_it_is_live_while_a_run_is_active(lab: Lab, view: ResultsView) -> None:
    """What is reported shows at the next refresh, though no view of anything else changes by it."""
    made = lab.experiment("sft")
    job = lab.started(lab.runs.train(made.id))
    view.choose((made.id,))
    lab.report(job, 1, 4, loss=0.5)
    assert view.refresh() is True
    assert (view.runs[0]["steps"], drawn(view)) == (1, {("loss", job.run_id): [(1, 0.5)]})
    lab.report(job, 2, 4, loss=0.25)
    assert view.refresh() is True
    assert (view.runs[0]["steps"], drawn(view)) == (2, {("loss", job.run_id): [(1, 0.5), (2, 0.25)]})
    lab.end(job, Status.STOPPED)
    assert view.refresh() is False
    assert view.runs[0]["status"] == "Stopped"


def has_lease(*_: object) -> bool:
    """Say of any view that a page shows it."""
    return True


def test_nothing_is_sent_when_nothing_has_changed(
    lab: Lab, view: ResultsView, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a run is active the database is read, and only what differs goes down."""
    made = lab.experiment("sft")
    job = lab.started(lab.runs.train(made.id))
    lab.report(job, 1, 4, loss=0.5)
    view.choose((made.id,))
    sent: list[Any] = []
    monkeypatch.setattr(view.comm, "publish_msg", lambda *_, **message: sent.append(message["data"]))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    monkeypatch.setattr(Refresher, "is_leased", has_lease)
    assert view.refresh() is True
    assert sent == []
    lab.report(job, 2, 4, loss=0.25)
    view.refresh()
    assert {message["content"]["patch"] for message in sent} == {"runs", "curves", "timelines"}


def test_the_title_names_what_is_shown(lab: Lab, view: ResultsView) -> None:
    """One name, two, or two and how many more; a renamed experiment has its new name at once."""
    made = [lab.experiment(name).id for name in ("sft", "dpo", "grpo", "ppo")]
    assert view.title == "Results"
    titles: list[str] = []
    for count in (1, 2, 3, 4):
        view.choose(made[:count])
        titles.append(view.title)
    assert titles == [
        "Results of sft",
        "Results of sft and dpo",
        "Results of sft, dpo and 1 more",
        "Results of sft, dpo and 2 more",
    ]
    lab.experiments.rename(made[0], "base")
    view.refresh()
    assert view.title == "Results of base, dpo and 2 more"


@pytest.mark.spec("5.11")
def test_experiments_of_elsewhere_are_not_shown(lab: Lab, view: ResultsView) -> None:
    """An experiment of another project, and one that was deleted, are no longer chosen."""
    other = lab.projects.create("Other", advanced_training=False)
    theirs = lab.experiments.duplicate(lab.experiment("sft").id)
    assert other.id != theirs.project_id
    view.choose((theirs.id, 999))
    assert view.chosen == [theirs.id]
    elsewhere = ResultsView(view._services, other.id, chosen=(theirs.id,))
    assert (elsewhere.chosen, elsewhere.runs, elsewhere.title) == ([], [], "Results")
    lab.experiments.delete(theirs.id)
    view.refresh()
    assert (view.chosen, view.title) == ([], "Results")


def test_many_runs_are_cut_to_the_latest(
    lab: Lab, view: ResultsView, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table has the latest, the charts those of each experiment, and the total is told."""
    monkeypatch.setattr(results, "LISTED", 3)
    monkeypatch.setattr(results, "DRAWN", 3)
    sft, dpo = lab.experiment("sft"), lab.experiment("dpo")
    train(lab, dpo.id, 0.5)
    for _ in range(4):
        train(lab, sft.id, 0.5)
    view.choose((sft.id, dpo.id))
    assert [(row["experiment"], row["number"], row["drawn"]) for row in view.runs] == [
        ("sft", 4, True),
        ("sft", 3, True),
        ("sft", 2, False),
        ("dpo", 1, True),  # not among the latest, but drawn
    ]
    assert (view.total, view.latest) == (5, True)


def test_the_latest_runs_of_many_experiments_are_drawn(
    lab: Lab, view: ResultsView, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the newest experiments, where not all can be drawn; these can be chosen first, too."""
    monkeypatch.setattr(results, "DRAWN", 2)
    made = [lab.experiment(name).id for name in ("first", "second", "third")]
    for each in made:
        train(lab, each, 0.5)
    view.choose(made)
    assert [row["experiment"] for row in view.runs if row["drawn"]] == ["third", "second"]
    assert [row["name"] for row in view.experiments] == ["third", "second", "first"]


@pytest.mark.spec("9.3")
def test_runs_are_sorted_by_any_column(lab: Lab, view: ResultsView, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, so that the best is listed however old it is; what has nothing there comes last."""
    monkeypatch.setattr(results, "LISTED", 3)
    monkeypatch.setattr(results, "DRAWN", 1)
    made = lab.experiment("sft")
    for scores in ((0.9,), (0.2,), (math.nan,), (0.5, 0.4)):
        train(lab, made.id, *scores)
    view.choose((made.id,))

    def listed(sort: str, *, descending: bool) -> list[int]:
        assert told(view, "sort", sort=sort, descending=descending)["ok"]
        assert view.order == {"sort": sort, "descending": descending}
        return [row["number"] for row in view.runs]

    assert listed("evaluation", descending=True) == [1, 4, 2]
    assert listed("evaluation", descending=False) == [2, 4, 1]
    monkeypatch.setattr(results, "LISTED", 10)
    assert listed("evaluation", descending=False) == [2, 4, 1, 3]
    assert listed("run", descending=False) == [1, 2, 3, 4]
    assert listed("checkpoints", descending=True)[0] == 4
    for sort in ("experiment", "status", "steps", "training", "duration", "started"):
        assert len(listed(sort, descending=True)) == 4
    refused = told(view, "sort", sort="name", descending=True)
    assert refused["error"]["what"] == "The table of runs cannot be sorted by 'name'."
    assert view.order["sort"] == "started"


@pytest.mark.spec("9.3")
def test_the_best_evaluation_score_is_marked(lab: Lab, view: ResultsView) -> None:
    """Where all scores agree about what is better: a run whose score is not finite never is."""
    sft, low = lab.experiment("sft"), lab.experiment("low", LOSS)
    for score in (0.3, 0.8, math.inf):
        train(lab, sft.id, score)
    for score in (0.3, 0.1):
        train(lab, low.id, score)

    def best() -> list[tuple[str, int]]:
        return [(row["experiment"], row["number"]) for row in view.runs if row["best"]]

    view.choose((sft.id,))
    assert best() == [("sft", 2)]
    view.choose((low.id,))
    assert best() == [("low", 2)]
    view.choose((sft.id, low.id))
    assert best() == []


def test_a_run_keeps_its_colour(lab: Lab, view: ResultsView) -> None:
    """Others are taken out, put back, sorted or come later: its place in the charts stays."""
    made = lab.experiment("sft")
    runs = [train(lab, made.id, 0.1) for _ in range(3)]
    view.choose((made.id,))

    def shown() -> dict[int, int | None]:
        return {row["number"]: row["place"] for row in view.runs}

    assert shown() == {1: 0, 2: 1, 3: 2}
    told(view, "draw", run=runs[0], shown=False)
    assert (shown(), view.latest) == ({1: None, 2: 1, 3: 2}, False)
    train(lab, made.id, 0.1)
    view.refresh()
    told(view, "sort", sort="run", descending=True)
    assert shown() == {1: None, 2: 1, 3: 2, 4: 0}


def test_the_only_experiment_is_chosen_by_itself(lab: Lab, services: Services) -> None:
    """Unless somebody has cleared the choice."""
    view = ResultsView(services, lab.project.id)
    assert view.chosen == []
    made = lab.experiment("sft")
    view.refresh()
    assert view.chosen == [made.id]
    lab.experiment("dpo")
    view.refresh()
    assert view.chosen == [made.id]
    told(view, "choose", experiments=[])
    lab.experiments.delete(lab.experiment("gone").id)
    view.refresh()
    assert view.chosen == []


def a_long_run(lab: Lab, steps: int, *names: str) -> tuple[int, int]:
    """Let an experiment report every step, and return its id and the run's."""
    made = lab.experiment("sft")
    job = lab.started(lab.runs.train(made.id))
    metrics = [
        MetricReport(step=step, total=None, metrics=dict.fromkeys(names, step % 7))
        for step in range(1, steps + 1)
    ]
    lab.supervision.record(job, Batch(reported=metrics))
    lab.end(job)
    return made.id, job.run_id


def test_few_curves_have_more_points(lab: Lab, view: ResultsView, monkeypatch: pytest.MonkeyPatch) -> None:
    """All curves share some points, and what a short one does not take the others have."""
    monkeypatch.setattr(results, "SHARED", 300)
    monkeypatch.setattr(results, "FEWEST", 10)
    experiment, run = a_long_run(lab, 2000, "a", "b")
    job = lab.started(lab.runs.train(experiment))
    lab.report(job, 1, a=1.0)
    view.choose((experiment,))
    assert len(drawn(view)["a", job.run_id]) == 1
    many = len(drawn(view)["a", run])
    assert 70 < many < 150
    assert many == len(drawn(view)["b", run])
    (row,) = (row for row in told(view, "look", metric="a")["result"]["rows"] if row["run"] == run)
    assert many < len(row["points"]) <= 300


@pytest.mark.spec("9.3")
def test_a_part_of_the_steps_is_looked_at_closely(
    lab: Lab, view: ResultsView, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every step that was reported there; what is too much to read is left as it is."""
    monkeypatch.setattr(results, "SHARED", 200)
    experiment, run = a_long_run(lab, 2000, "loss", "aux")
    view.choose((experiment,))
    assert len(drawn(view)["loss", run]) < 200
    told_rows = told(view, "look", part=[500, 540])["result"]["rows"]
    assert [(row["id"], row["run"], row["metric"]) for row in told_rows] == [
        (f"{run} loss", run, "loss"),
        (f"{run} aux", run, "aux"),
    ]
    assert [list(point) for point in told_rows[0]["points"]] == [[step, step % 7] for step in range(500, 541)]
    only = told(view, "look", metric="aux", part=[500, 540])["result"]["rows"]
    assert [row["metric"] for row in only] == ["aux"]
    monkeypatch.setattr(results, "PART", 81)
    assert told(view, "look", part=[500, 540])["result"]["rows"] == []


def test_many_metrics_are_cut(lab: Lab, view: ResultsView, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scores, the loss and the first metrics by name are drawn, and how many are not is told."""
    monkeypatch.setattr(results, "METRICS", 3)
    made = lab.experiment("sft")
    job = lab.started(lab.runs.train(made.id))
    lab.report(job, 1, evaluation_score=0.5, b=1.0, a=2.0, loss=3.0, c=3.0)
    view.choose((made.id,))
    assert [row["metric"] for row in view.curves] == ["evaluation_score", "loss", "a"]
    assert view.undrawn == 2


def test_a_long_run_is_read_in_parts(lab: Lab, view: ResultsView, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first look that would take long shows what it has, and asks to be called again soon."""
    monkeypatch.setattr(results, "AT_ONCE", 2)
    made = lab.experiment("sft")
    job = lab.started(lab.runs.train(made.id))
    for step in (1, 2, 3):
        lab.report(job, step, loss=1.0)
    lab.end(job)
    view.choose((made.id,))
    assert len(drawn(view)["loss", job.run_id]) == 2
    assert view.refresh() is False
    assert len(drawn(view)["loss", job.run_id]) == 3


@pytest.mark.spec("4.7", "10.4")
def test_without_a_kernel_the_table_stays(lab: Lab, view: ResultsView) -> None:
    """The picture and the text have the runs, and a name is text."""
    made = lab.experiment("<b>sft</b>")
    train(lab, made.id, 0.123456)
    view.choose((made.id,))
    html = view.static_html()
    assert "Results of &lt;b&gt;sft&lt;/b&gt;" in html
    assert "0.1235" in html
    assert "<b>" not in html
    assert view.static_text().startswith("Results of <b>sft</b>: 1\n")


@pytest.mark.spec("9.3")
def test_runs_are_drawn_one_by_one(lab: Lab, view: ResultsView, monkeypatch: pytest.MonkeyPatch) -> None:
    """The latest by themselves; one can be taken out, others come on top up to a bound, later ones follow."""
    monkeypatch.setattr(results, "DRAWN", 2)
    monkeypatch.setattr(results, "MOST_DRAWN", 3)
    made = lab.experiment("sft")
    runs = [train(lab, made.id, 0.1) for _ in range(4)]
    view.choose((made.id,))

    def shown() -> list[int]:
        return sorted(row["number"] for row in view.runs if row["drawn"])

    assert shown() == [3, 4]
    assert told(view, "draw", run=runs[3], shown=False)["ok"]
    assert shown() == [3]
    for run in runs[:2]:
        assert told(view, "draw", run=run, shown=True)["ok"]
    assert shown() == [1, 2, 3]
    refused = told(view, "draw", run=runs[3], shown=True)
    assert refused["error"]["what"] == "No more runs can be charted."
    assert (shown(), view.drawn) == ([1, 2, 3], runs[:3])
    told(view, "draw", run=runs[0], shown=False)
    train(lab, made.id, 0.2)
    view.refresh()
    assert shown() == [2, 5]  # run 3 is not among the latest two any more


@pytest.mark.spec("9.3")
def test_the_settings_of_the_drawn_runs_are_shown(lab: Lab, view: ResultsView) -> None:
    """As they were triggered: a text for each run, None where one has no such setting."""
    one = lab.experiment("one", config={"lr": 0.1, "env": {"name": "x" * 300}})
    two = lab.experiment("two", config={"lr": 0.2, "text": "plain"})
    runs = [train(lab, one.id, 0.1), train(lab, two.id, 0.2)]
    view.choose((one.id, two.id))
    assert view.drawn == runs
    rows = {row["id"]: (row["told"], row["differs"]) for row in view.settings}
    assert rows["lr"] == (["0.1", "0.2"], True)
    assert rows["text"] == ([None, "plain"], True)
    assert rows["algorithm"] == (["SFT", "SFT"], False)
    assert rows["env.name"][0][0] == "x" * 200 + "…"
    told(view, "draw", run=runs[0], shown=False)
    assert {row["id"]: row["told"] for row in view.settings}["lr"] == ["0.2"]


def test_settings_are_called_and_written_as_one_reads_them(lab: Lab, view: ResultsView) -> None:
    """By their labels in the form where this process knows it, and a number without its noise."""
    known = lab.experiment("known", registry.find("SFT").spec, config={"learning_rate": 0.1 + 0.2})
    train(lab, known.id, 0.1)
    view.choose((known.id,))
    rows = {row["id"]: row for row in view.settings}
    assert (rows["learning_rate"]["label"], rows["algorithm"]["label"]) == ("Learning rate", "Algorithm")
    assert rows["learning_rate"]["told"] == ["0.3"]
    assert rows["learning_rate"]["whole"] == ["0.30000000000000004"]
    assert rows["algorithm"]["whole"] == [None]


@pytest.mark.spec("9.3", "10.1")
def test_tables_go_out_as_csv(lab: Lab, view: ResultsView, monkeypatch: pytest.MonkeyPatch) -> None:
    """All runs, or what the drawn ones reported; what is too much says how Python does it."""
    monkeypatch.setattr(results, "LISTED", 0)
    made = lab.experiment("=sft")
    job = lab.started(lab.runs.train(made.id))
    lab.report(job, 1, 3, loss=0.1 + 0.2)
    lab.supervision.record(job, Batch(usage=[Usage(seconds=1.0, cpu=0.5, memory=2**30)]))
    lab.end(job)
    view.choose((made.id,))
    metrics = told(view, "csv", table="metrics")["result"]
    assert metrics == {
        "name": "metrics.csv",
        "text": "experiment,run,step,metric,value\r\n'=sft,1,1,loss,0.30000000000000004\r\n",
    }
    text = told(view, "csv", table="runs")["result"]["text"]
    assert text.splitlines()[1].startswith("'=sft,1,Succeeded,1,0,,,2026-01-01T")
    assert text.splitlines()[0].endswith(",peak_cpu,peak_memory,peak_gpu_memory")
    assert text.splitlines()[1].endswith(f",0.5,{2**30},")
    monkeypatch.setattr(comparison, "MOST_METRICS", 0)
    assert "project.results" in told(view, "csv", table="metrics")["error"]["fix"]


@pytest.mark.spec("6.14", "9.3")
def test_the_peak_of_memory_stands_in_the_table_and_sorts_it(lab: Lab, view: ResultsView) -> None:
    """In bytes, as of the last sample; a run without one comes last, whichever way."""
    made = lab.experiment("sft")
    used: list[int | None] = [2**30, None, 2**31]
    for memory in used:
        job = lab.started(lab.runs.train(made.id))
        samples = [] if memory is None else [Usage(seconds=1.0, cpu=1.0, memory=memory)]
        lab.supervision.record(job, Batch(usage=samples))
        lab.end(job)
    view.choose((made.id,))
    for descending, order in ((True, [2**31, 2**30, None]), (False, [2**30, 2**31, None])):
        assert told(view, "sort", sort="memory", descending=descending)["ok"]
        assert [each["peak_memory"] for each in view.runs] == order
    assert {each["peak_gpu_memory"] for each in view.runs} == {None}


@pytest.mark.spec("9.3")
def test_lineage_is_told_in_sentences(lab: Lab, view: ResultsView) -> None:
    """With how deep each descendant lies."""
    pipe = lab.pipeline("SFT", "GRPO")
    first, second = lab.do(pipe.stages[0], 0.1), lab.do(pipe.stages[1], 0.2)
    down = told(view, "lineage", run=first.id)["result"]
    assert (down["from"], down["depths"], down["more"]) == ([], ["1"], 0)
    assert down["into"] == ["run 1 of 'chain-grpo-2' (stage 2 of pipeline 'chain'), from step 10 as policy"]
    up = told(view, "lineage", run=second.id)["result"]["from"]
    assert up == ["Step 10 as policy of run 1 of 'chain-sft-1' (stage 1 of pipeline 'chain')"]


@pytest.mark.spec("9.3")
def test_lineage_is_a_graph_too(lab: Lab, view: ResultsView) -> None:
    """Each node says where it stands, what it leads to, and whether its stage is stale."""
    pipe = lab.pipeline("SFT", "GRPO", "deploy")
    first, second, third = pipe.stages
    for stage, score in ((first, 0.1), (second, 0.2), (third, None), (first, 0.3)):
        lab.do(stage, *([] if score is None else [score]))
    run = lab.runs.of_stage(second.id)[0]
    nodes = told(view, "lineage", run=run.id)["result"]["nodes"]
    shown = [(each["kind"], each["name"], each["column"], each["row"], each["parent"]) for each in nodes]
    assert shown == [
        ("run", "chain-sft-1", 0, 0, None),
        ("run", "chain-grpo-2", 1, 0, 0),
        ("deployment", "letters-agent", 2, 0, 1),
        ("agent", "letters-agent", 2, 1, 1),
    ]
    assert [each["stale"] for each in nodes] == [False, True, True, False]
    assert [each["here"] for each in nodes] == [False, True, False, False]
    assert [each["status"] for each in nodes] == ["Succeeded", "Succeeded", "Succeeded", None]
    assert [each["stage"] for each in nodes] == [first.id, second.id, third.id, None]
    assert [each["handed"] for each in nodes] == ["", "step 10 as policy", "step 10", "step 10"]


@pytest.mark.spec("9.3")
def test_a_single_run_stays_single(lab: Lab, services: Services) -> None:
    """Of its experiment no other run is drawn, also none that comes later, unless it is ticked."""
    sft, dpo = lab.experiment("sft"), lab.experiment("dpo")
    single, _, other = (train(lab, each.id, 0.5) for each in (sft, sft, dpo))
    view = ResultsView(services, lab.project.id, [sft.id, dpo.id], single={sft.id: [single]})
    assert (sorted(view.drawn), view.latest) == ([single, other], False)
    later = [train(lab, each.id, 0.5) for each in (sft, dpo)]
    view.refresh()
    assert sorted(view.drawn) == [single, other, later[1]]
    assert told(view, "draw", run=later[0], shown=True)["ok"]
    assert sorted(view.drawn) == [single, other, *later]
    view.close()


@pytest.mark.spec("9.8")
def test_experiments_to_compare_are_found_by_a_filter(lab: Lab, view: ResultsView) -> None:
    """By their settings and scores; what is suggested are those of the project, and a mistake is named."""
    good, bad = (lab.experiment(name) for name in ("good", "bad"))
    train(lab, good.id, 0.9)
    train(lab, bad.id, 0.1)
    assert told(view, "find", search="evaluation_score>0.5 and seed=0")["result"] == {"ids": [good.id]}
    assert told(view, "find", search="bad or good")["result"] == {"ids": [good.id, bad.id]}
    assert told(view, "find", search="seed=")["error"]["kind"] == "FilterError"
    fields = told(view, "filter_fields")["result"]["fields"]
    assert {"seed", "steps"} <= {each["name"] for each in fields}
