"""Filters in the database hold for the rows for which they hold in Python, in one statement a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from factories.lab import Lab, configured
from factories.values import SFT
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from statements import queries, sent

from pipeline_widgets.domain.annotation import AnnotationEdit
from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.domain.filter_subjects import EXPERIMENTS, PIPELINES, RUNS
from pipeline_widgets.domain.filtering import FilterFacts, matches, parse_filter
from pipeline_widgets.domain.usage import Usage
from pipeline_widgets.errors import FilterError
from pipeline_widgets.persistence import schema
from pipeline_widgets.services.annotations import AnnotationService
from pipeline_widgets.services.queries.experiment_list import ExperimentListQueries
from pipeline_widgets.services.queries.overview import OverviewQueries

CONFIGS: list[dict[str, Any]] = [
    {"steps": 10, "lr": 0.1, "flag": True, "optimizer": {"name": "Adam", "betas": [1, 2]}},
    {"steps": 20, "lr": 0.01, "flag": False, "kind": "Größe"},
    {"steps": 20, "loss": 3, "lr": None, "kind": "[x*]"},
]
METRICS: list[dict[str, Any]] = [
    {"loss": 0.5, "eval/accuracy": 0.25},
    {"loss": 1.5, "lr": 9.0, "steps": 10.0},
    {"other": 2.0},
]
TAGS = [("good", "base line"), (), ("Goodness",)]


@pytest.fixture
def told(lab: Lab) -> list[FilterFacts]:
    """Three runs of three experiments, and what is to be known of each."""
    annotations = AnnotationService(lab.store)
    found: list[FilterFacts] = []
    for at, (config, metrics, tags) in enumerate(zip(CONFIGS, METRICS, TAGS, strict=True)):
        name = ("sft", "DPO letters", "Größe 3")[at]
        experiment = lab.experiments.create(lab.project.id, name, configured(SFT, config), seed=at)
        run = lab.runs.train(experiment.id)
        job = lab.started(run)
        early: dict[str, Any] = dict.fromkeys(metrics, 7.0)
        lab.report(job, 5 + at, **early)
        lab.report(job, 9 + at, **metrics)
        lab.report(job, 3, loss=-1.0)  # late: an earlier step does not count
        edit = AnnotationEdit(tags=tags, favourite=at == 0, note="as Before" if at else None)
        annotations.edit("run", [run.id], edit)
        annotations.edit("experiment", [experiment.id], edit)
        known = dict(metrics) if "loss" in metrics else {**metrics, "loss": -1.0}
        fields: dict[str, Sequence[Any]] = {
            "name": (name,),
            "status": ("Running",),
            "tag": tags,
            "note": ("as Before" if at else None,),
            "favourite": (at == 0,),
            "algorithm": ("SFT",),
            "seed": (at,),
            "run": (1,),
            "runs": (1,),
            "step": (9 + at,),
            "evaluation_score": (None,),
        }
        found.append(FilterFacts(names=(name,), fields=fields, config=config, metrics=known))
    return found


WORDS = st.sampled_from(["sft", "größe", "LETTERS", "3", "x", '"[x*]"', '""'])
VALUES = st.sampled_from(
    [
        "0",
        "1",
        "2",
        "10",
        "20",
        "0.1",
        "0.5",
        "-1",
        "9",
        "true",
        "false",
        "adam",
        "GRÖßE",
        '"[X*]"',
        "good",
        '"1"',
    ]
)
FIELDS = st.sampled_from(
    [
        *(
            "name",
            "tag",
            "note",
            "algorithm",
            "seed",
            "steps",
            "lr",
            "flag",
            "kind",
            "loss",
            "optimizer.name",
        ),
        *("optimizer", "optimizer.betas", "config.steps", "config.loss", "metric.steps", "metric.loss"),
        *('"eval/accuracy"', "other", "nothing", "evaluation_score", "favourite", "status"),
    ]
)
CONDITIONS = st.tuples(FIELDS, st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "~"]), VALUES).map("".join)
FILTERS = st.recursive(
    st.one_of(WORDS, CONDITIONS, CONDITIONS),
    lambda parts: st.one_of(
        parts.map("not ({})".format),
        st.tuples(parts, parts).map(" and ".join).map("({})".format),
        st.tuples(parts, parts).map(" or ".join).map("({})".format),
    ),
    max_leaves=5,
)


@pytest.mark.spec("9.8")
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=FILTERS)
@example(text="flag=true")
@example(text="flag=false")
@example(text="not flag~als")
def test_a_filter_finds_in_the_database_what_it_finds_in_python(
    lab: Lab, told: list[FilterFacts], text: str
) -> None:
    """Runs and experiments for which an expression holds are those for which it holds value by value."""
    try:
        runs, experiments = parse_filter(text, RUNS), parse_filter(text, EXPERIMENTS)
    except FilterError:
        return
    expected = [at for at, facts in enumerate(told, 1) if matches(runs, facts, RUNS)]
    assert [*OverviewQueries(lab.store).run_ids(lab.project.id, text)] == expected
    listed = [at for at, facts in enumerate(told, 1) if matches(experiments, facts, EXPERIMENTS)]
    page = ExperimentListQueries(lab.store).page(
        lab.project.id, search=text, sort="created", descending=False
    )
    assert [row.id for row in page.rows] == listed


def scored(lab: Lab) -> dict[str, int]:
    """Make four pipelines: one scored by its second stage, one by its first, one without runs, one empty."""
    both, first, new = (lab.pipeline("SFT", "GRPO", name=name) for name in ("both", "first", "new"))
    lab.do(both.stages[0], 0.3)
    lab.do(both.stages[1], 0.8, 0.7)
    lab.do(first.stages[0], 0.6)
    empty = lab.pipelines.create(lab.project.id, "empty", "says Größe")
    return {"both": both.id, "first": first.id, "new": new.id, "empty": empty.id}


@pytest.mark.spec("9.8")
@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("evaluation_score>0.5", {"both", "first"}),
        ("evaluation_score>0.7", {"both"}),
        ("not evaluation_score>0.5", {"new", "empty"}),
        ("evaluation_score!=0.8", {"first", "new", "empty"}),
        ('status="waiting for you"', {"first", "new"}),
        ("status~waiting or status=succeeded", {"both", "first", "new"}),
        ('status="No stages"', {"empty"}),
        ("algorithm=grpo", {"both", "first", "new"}),
        ("not algorithm=grpo", {"empty"}),
        ("stages=2 and not status~waiting", {"both"}),
        ("größe", {"empty"}),
        ("description~größe", {"empty"}),
        ("steps=10 and seed=0", {"both", "first", "new"}),
        ("steps>10", set[str]()),
        ("tag=keep", {"new"}),
        ("favourite=yes or tag!=keep", {"both", "first", "new", "empty"}),
    ],
)
def test_pipelines_are_filtered_by_what_rules_compute_as_well(lab: Lab, text: str, names: set[str]) -> None:
    """Status and best score of a pipeline can stand within any expression."""
    ids = scored(lab)
    AnnotationService(lab.store).edit(
        "pipeline", [ids["new"]], AnnotationEdit(tags=("keep",), favourite=True)
    )
    found = OverviewQueries(lab.store).pipelines(lab.project.id, search=text)
    assert {row.name for row in found.rows} == names
    assert found.all == 4


@pytest.mark.spec("9.8")
def test_runs_are_filtered_by_the_best_that_they_have_saved(lab: Lab) -> None:
    """The score of a run is its best, by the direction of its algorithm; a run without one has none."""
    scored(lab)
    query = OverviewQueries(lab.store).run_ids
    assert query(lab.project.id, "evaluation_score>=0.8") == (2,)
    assert query(lab.project.id, "evaluation_score<0.8") == (1, 3)
    assert query(lab.project.id, "pipeline=both and evaluation_score<0.8 or run=1 and pipeline=first") == (
        1,
        3,
    )
    assert query(lab.project.id, "training_score>0 or not evaluation_score>0") == ()


@pytest.mark.spec("9.8")
def test_rows_show_stages_and_the_best_score_of_the_last_stage_with_one(lab: Lab) -> None:
    """A pipeline's row has its stages' statuses, and the score with the name of the stage that has it."""
    scored(lab)
    rows = {row.name: row for row in OverviewQueries(lab.store).pipelines(lab.project.id).rows}
    assert [str(each) for each in rows["both"].statuses] == ["Succeeded", "Succeeded"]
    assert [str(each) for each in rows["first"].statuses] == ["Succeeded", "Draft"]
    best = rows["both"].best
    assert best is not None
    assert (best.position, best.score) == (1, 0.8)
    assert rows["new"].best is None


@pytest.mark.spec("9.8")
@pytest.mark.parametrize("descending", [True, False])
def test_lists_are_sorted_by_score_and_what_has_none_comes_last(lab: Lab, descending: bool) -> None:  # noqa: FBT001
    """Pipelines and experiments are sorted by their best score, whichever way."""
    scored(lab)
    found = OverviewQueries(lab.store).pipelines(lab.project.id, sort="best", descending=descending)
    order = ["both", "first"] if descending else ["first", "both"]
    assert [row.name for row in found.rows][:2] == order
    page = ExperimentListQueries(lab.store).page(lab.project.id, sort="best", descending=descending)
    scores = [row.best for row in page.rows]
    assert scores[:3] == sorted((0.3, 0.6, 0.8), reverse=descending)
    assert set(scores[3:]) == {None}


LISTS: dict[str, Callable[[Lab, str], object]] = {
    "runs": lambda lab, text: OverviewQueries(lab.store).run_ids(lab.project.id, text),
    "experiments": lambda lab, text: ExperimentListQueries(lab.store).page(lab.project.id, search=text),
    "pipelines": lambda lab, text: OverviewQueries(lab.store).pipelines(lab.project.id, search=text),
}


@pytest.mark.spec("9.8")
@pytest.mark.parametrize("listed", LISTS)
def test_a_filter_takes_a_statement_whatever_it_asks_for(lab: Lab, listed: str) -> None:
    """The number of statements grows neither with the conditions nor with the rows."""
    scored(lab)
    text = (
        "seed=0 and (steps<20 or loss>0.1 or tag=good) and not favourite=yes and evaluation_score!=0.1 and ~"
    )
    text = text.removesuffix(" and ~") + " and status!=Failed"
    counts: list[int] = []
    for _ in range(2):
        with sent(lab.store) as statements:
            LISTS[listed](lab, text)
        counts.append(len(queries(statements)))
        for at in range(4):
            lab.pipeline("SFT", name=f"more {len(counts)} {at}")
    assert counts[0] == counts[1]
    assert counts[0] <= {"runs": 2, "experiments": 12, "pipelines": 26}[listed]


@pytest.mark.spec("6.14", "9.8")
def test_runs_are_found_by_what_they_used_at_most(lab: Lab) -> None:
    """The peaks of CPU and memory are fields; a run without a sample is neither above nor below."""
    experiment = lab.experiments.create(lab.project.id, "sft", configured(SFT, {"steps": 1}), seed=0)
    runs: list[int] = []
    for usage in ([Usage(seconds=1.0, cpu=1.5, memory=9 * 10**9, gpu_memory=4 * 10**9)], []):
        job = lab.started(lab.runs.train(experiment.id))
        lab.supervision.record(job, Batch(usage=usage))
        lab.end(job)
        runs.append(job.run_id)
    used, unknown = runs
    query = OverviewQueries(lab.store).run_ids
    assert query(lab.project.id, "peak_memory>8e9 and peak_cpu<=1.5") == (used,)
    assert query(lab.project.id, "peak_gpu_memory>=4000000000") == (used,)
    assert query(lab.project.id, "peak_memory<=8e9 or peak_memory>9e9") == ()
    assert query(lab.project.id, "not peak_memory>0") == (unknown,)


def test_a_config_that_is_no_json_ends_no_filter(lab: Lab) -> None:
    """NaN in a config is no JSON by the letter; such a run matches by everything else."""
    experiment = lab.experiments.create(lab.project.id, "odd", configured(SFT, {"steps": 1}), seed=4)
    run = lab.runs.train(experiment.id)
    with lab.store.write() as work:
        changed = update(schema.runs).where(schema.runs.c.id == run.id)
        work.connection.execute(changed.values(config={"steps": float("nan")}))
    query = OverviewQueries(lab.store).run_ids
    assert query(lab.project.id, "seed=4 and steps!=3") == (run.id,)
    assert query(lab.project.id, "steps=1") == ()


def test_pipelines_have_no_fields_of_runs() -> None:
    """What is no field of what is listed is a config field or a metric."""
    assert "run" not in PIPELINES.fields
    assert "stages" not in RUNS.fields
