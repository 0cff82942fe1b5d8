"""The read models behind the Agents view (spec 8.1)."""

from __future__ import annotations

import pytest
from factories.lab import Lab
from factories.values import LOSS, SFT

from pipeline_widgets.domain.agent import Agent
from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.errors import ConfigError, NotFoundError
from pipeline_widgets.services.queries.agent_detail import AgentDetailQueries
from pipeline_widgets.services.queries.agent_list import AgentListQueries

BASE = {"base_model": "letters-small"}


def saved(lab: Lab, name: str = "sft", *scores: float, **options: object) -> Checkpoint:
    """Return the last checkpoint of an experiment that was trained on its own."""
    experiment = lab.experiment(name, SFT, **options)
    run = lab.runs.train(experiment.id)
    lab.carry_out(run, *(scores or (0.5,)))
    return lab.runs.checkpoints(run.id)[-1]


def agents_named(lab: Lab, *names: str) -> list[Agent]:
    """Make agents of one checkpoint."""
    checkpoint = saved(lab)
    return [lab.agents.create(name, checkpoint.id) for name in names]


def names(lab: Lab, **query: object) -> list[str]:
    """Return the names on a page."""
    return [row.agent.name for row in AgentListQueries(lab.store).page(**query).rows]  # pyright: ignore[reportArgumentType]


@pytest.mark.spec("8.1")
def test_names_sort_as_people_count(lab: Lab) -> None:
    """Step 900 comes before step 1000, in upper or lower case; a search looks for text in the name."""
    agents_named(lab, "sft - step 1000", "SFT - step 900", "dpo")
    assert names(lab) == ["dpo", "SFT - step 900", "sft - step 1000"]
    assert names(lab, descending=True) == ["sft - step 1000", "SFT - step 900", "dpo"]
    assert names(lab, search=" Sft ") == ["SFT - step 900", "sft - step 1000"]
    assert names(lab, search="%") == []


@pytest.mark.spec("8.1")
def test_a_name_may_hold_digits_of_any_script(lab: Lab) -> None:
    """Digits that are no decimal numbers, and numbers at either end, break no order."""
    agents_named(lab, "²", "1", "a1", "1a", "٣")
    assert sorted(names(lab)) == sorted(["²", "1", "a1", "1a", "٣"])


@pytest.mark.spec("8.1")
def test_the_list_has_pages(lab: Lab) -> None:
    """Past the last page comes the last page; counts tell the matching ones from all."""
    agents_named(lab, *(f"a{number}" for number in range(7)), "b")
    page = AgentListQueries(lab.store).page(search="a", page=9, size=3)
    assert [row.agent.name for row in page.rows] == ["a6"]
    assert (page.page, page.pages, page.total, page.all) == (2, 3, 7, 8)


@pytest.mark.spec("8.1")
def test_an_unknown_order_is_refused(lab: Lab) -> None:
    """The error lists the orders that there are."""
    with pytest.raises(ConfigError, match="Choose one of name, experiment, base_model, status"):
        AgentListQueries(lab.store).page(sort="key")  # pyright: ignore[reportArgumentType]


@pytest.mark.spec("8.1")
def test_a_base_model_is_told_by_the_checkpoint(lab: Lab) -> None:
    """It is a facet of its signature; where no agent has one, the page says so."""
    plain = saved(lab, "plain")
    lab.agents.create("plain", plain.id)
    service = AgentListQueries(lab.store)
    assert not service.page().base_models
    lab.agents.create("based", saved(lab, "based", signature=BASE).id)
    page = service.page(sort="base_model", descending=True)
    assert [(row.agent.name, row.base_model) for row in page.rows] == [
        ("based", "letters-small"),
        ("plain", None),
    ]
    assert page.base_models
    assert service.page(search="plain").base_models  # a column does not come and go with a search


@pytest.mark.spec("8.1")
def test_agents_are_made_of_experiments_that_have_saved_something(lab: Lab) -> None:
    """Of all projects of the workspace, the latest experiment of each first."""
    service = AgentListQueries(lab.store)
    lab.experiment("new")
    assert not service.creatable()
    assert service.sources() == ()
    saved(lab, "first")
    saved(lab, "second")
    assert service.creatable()
    assert [(each.name, each.project, each.algorithm) for each in service.sources()] == [
        ("second", "Letters", "SFT"),
        ("first", "Letters", "SFT"),
    ]


@pytest.mark.spec("8.1", "8.2")
def test_a_version_tells_which_run_and_pipeline_made_it(lab: Lab) -> None:
    """Saved by hand, added when a run completed, or deployed: each says so, with the stage and the run."""
    chain = lab.pipeline("SFT", "deploy")
    first, deployment = chain.stages
    lab.do(first, 0.5)
    lab.do(deployment)
    lab.clock.forward(60)
    lab.do(first, 0.6)
    lab.clock.forward(60)
    lab.do(deployment)
    (agent,) = lab.agents.all()
    latest, former = AgentDetailQueries(lab.store).get(agent.id).versions
    assert (latest.version.number, former.version.number) == (2, 1)
    assert former.lineage == (
        "Step 10 of run 1 of experiment 'chain-sft-1', trained in stage 1 of pipeline 'chain'. "
        "Deployed by stage 2 of pipeline 'chain', run 1."
    )
    assert latest.lineage.startswith("Step 10 of run 2 of experiment 'chain-sft-1'")
    assert latest.lineage.endswith("Deployed by stage 2 of pipeline 'chain', run 2.")
    by_hand = lab.agents.create("by hand", former.version.checkpoint.id)
    assert AgentDetailQueries(lab.store).get(by_hand.id).versions[0].lineage.endswith("Saved by hand.")


def test_what_was_saved_as_a_run_ended_is_not_taken_for_its_doing(lab: Lab) -> None:
    """The clock stands still: only what a run itself has made is told as made by it."""
    chain = lab.pipeline("SFT", "deploy")
    trained, deployed = lab.do(chain.stages[0], 0.5), lab.do(chain.stages[1])
    by_hand = lab.agents.create("by hand", lab.runs.checkpoints(trained.id)[0].id)
    assert AgentDetailQueries(lab.store).get(by_hand.id).versions[0].lineage.endswith("Saved by hand.")
    assert [each.current.run_id for each in lab.agents.all()] == [deployed.id, None]


@pytest.mark.spec("5.6", "8.1")
def test_an_agent_that_was_added_by_a_run_says_so(lab: Lab) -> None:
    """It was saved as that run completed; a stage that is gone is not named by a number."""
    chain = lab.pipelines.create(lab.project.id, "chain")
    stage = lab.add(chain.id, lab.experiment("sft"), auto_add_agent=True)
    lab.do(stage, 0.5)
    (agent,) = lab.agents.all()
    service = AgentDetailQueries(lab.store)
    assert service.get(agent.id).versions[0].lineage == (
        "Step 10 of run 1 of experiment 'sft', trained in stage 1 of pipeline 'chain'. "
        "Added when that run completed."
    )
    lab.pipelines.delete(chain.id)
    assert "experiment 'sft', trained on its own." in service.get(agent.id).versions[0].lineage


@pytest.mark.spec("8.1")
def test_a_lineage_names_the_project_where_there_are_several(lab: Lab) -> None:
    """With one project its name says nothing."""
    agent = lab.agents.create("a", saved(lab).id)
    service = AgentDetailQueries(lab.store)
    assert "Letters" not in service.get(agent.id).versions[0].lineage
    lab.projects.create("Numbers", advanced_training=False)
    assert (
        "of experiment 'sft' of project 'Letters', trained on its own."
        in service.get(agent.id).versions[0].lineage
    )
    assert AgentListQueries(lab.store).page().projects == 2


def test_an_agent_that_is_gone_is_not_looked_at(lab: Lab) -> None:
    """The detail is refused, and a page of only that agent is empty."""
    agent = lab.agents.create("a", saved(lab).id)
    lab.agents.delete(agent.id)
    with pytest.raises(NotFoundError):
        AgentDetailQueries(lab.store).get(agent.id)
    assert names(lab, only=agent.id) == []


def test_where_lower_is_better_the_offer_knows(lab: Lab) -> None:
    """An agent's version carries the direction of its algorithm's score."""
    run = lab.runs.train(lab.experiment("loss", LOSS).id)
    lab.carry_out(run, 0.5)
    agent = lab.agents.create("a", lab.runs.checkpoints(run.id)[0].id)
    assert not AgentDetailQueries(lab.store).get(agent.id).agent.current.spec.higher_is_better
