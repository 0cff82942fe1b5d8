"""Lineage: checkpoint -> run -> stage -> experiment -> agent, both ways (spec 9.3)."""

from __future__ import annotations

import pytest
from factories.lab import Lab
from factories.values import GRPO

from pipeline_widgets.domain.chain import FromAgent
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import NotFoundError
from pipeline_widgets.services.queries.lineage import LineageQueries

pytestmark = pytest.mark.spec("9.3")


@pytest.fixture
def lineages(lab: Lab) -> LineageQueries:
    """Follows checkpoints in the workspace."""
    return LineageQueries(lab.store)


def test_a_chain_is_followed_both_ways(lab: Lab, lineages: LineageQueries) -> None:
    """Back to scratch, and on to the agent; each with the checkpoint that was handed on."""
    pipe = lab.pipeline("SFT", "GRPO", "deploy")
    first, second, deploy = pipe.stages
    start, middle = lab.do(first, 0.1, 0.9, 0.2), lab.do(second, 0.5)
    end = lab.do(deploy)
    assert str(lineages.of_run(middle.id)).splitlines() == [
        "run 1 of 'chain-grpo-2' (stage 2 of pipeline 'chain')",
        "  from step 20 as policy of run 1 of 'chain-sft-1' (stage 1 of pipeline 'chain')",
        "  used by run 1 of deployment of 'letters-agent' (stage 3 of pipeline 'chain'), from step 10",
        "  used by agent 'letters-agent', version 1, from step 10",
    ]
    down = lineages.of_run(start.id)
    assert down.ancestors == ()
    assert [(each.depth, each.kind, each.name, each.step) for each in down.descendants] == [
        (1, "run", "chain-grpo-2", 20),
        (2, "deployment", "letters-agent", 10),
        (2, "agent", "letters-agent", 10),
    ]
    up = lineages.of_run(end.id)
    assert [(each.depth, each.id, each.step) for each in up.ancestors] == [
        (1, middle.id, 10),
        (2, start.id, 20),
    ]


def test_a_checkpoint_has_only_its_own_descendants(lab: Lab, lineages: LineageQueries) -> None:
    """What started from the run's other checkpoints is not of it."""
    pipe = lab.pipeline("SFT", "GRPO")
    run = lab.do(pipe.stages[0], 0.1, 0.9)
    lab.do(pipe.stages[1], 0.5)
    worse, better = lab.runs.checkpoints(run.id)
    assert lineages.of_checkpoint(worse.id).descendants == ()
    assert [each.name for each in lineages.of_checkpoint(better.id).descendants] == ["chain-grpo-2"]
    assert lineages.of_checkpoint(better.id).of.startswith("step 20 of run 1 of 'chain-sft-1'")


def test_a_resumed_run_descends_from_the_one_that_it_goes_on_from(lab: Lab, lineages: LineageQueries) -> None:
    """As "resume", and what was before that is its ancestor as well."""
    stage = lab.pipeline("SFT").stages[0]
    lab.do(stage, 0.1, status=Status.STOPPED)
    lab.do(stage, 0.2, status=Status.CRASHED, resume=True)
    last = lab.do(stage, 0.3, resume=True)
    assert [(each.number, each.step, each.role) for each in lineages.of_run(last.id).ancestors] == [
        (2, 20, "resume"),
        (1, 10, "resume"),
    ]


def test_an_agent_on_the_way_is_named(lab: Lab, lineages: LineageQueries) -> None:
    """A first stage that starts from a saved Agent descends from the run behind it."""
    run = lab.do(lab.pipeline("SFT", name="a").stages[0], 0.5)
    agent = lab.agents.create("keeper", lab.runs.checkpoints(run.id)[0].id)
    pipe = lab.pipelines.create(lab.project.id, "b")
    stage = lab.add(pipe.id, lab.experiment("more"), start=FromAgent(agent.id))
    found = lineages.of_run(lab.do(stage, 0.6).id)
    assert found.ancestors[0].by_agent == "agent 'keeper', version 1"
    assert "(saved as agent 'keeper', version 1)" in str(found)


def test_a_long_history_is_followed_to_its_ends(lab: Lab, lineages: LineageQueries) -> None:
    """Over a thousand generations, both ways."""
    first = lab.do(lab.pipeline("SFT").stages[0], 0.5)
    last = lab.go_on_from(first, 1_100, resume=False)
    down, up = lineages.of_run(first.id).descendants, lineages.of_run(last.id).ancestors
    assert [each.depth for each in down] == [each.depth for each in up] == list(range(1, 1_101))
    assert (down[-1].id, up[-1].id) == (last.id, first.id)


def test_each_run_comes_right_before_its_own_descendants(lab: Lab, lineages: LineageQueries) -> None:
    """Of two that started from one run the first has all of its own after it; agents come last."""
    pipe = lab.pipeline("SFT", "GRPO", "GRPO")
    first, second, third = pipe.stages
    run = lab.do(first, 0.5)
    lab.agents.create("keeper", lab.runs.checkpoints(run.id)[0].id)
    lab.do(second, 0.5)
    lab.do(third, 0.5)
    lab.do(second, 0.6)
    assert [(each.depth, each.name, each.number) for each in lineages.of_run(run.id).descendants] == [
        (1, "chain-grpo-2", 1),
        (2, "chain-grpo-3", 1),
        (1, "chain-grpo-2", 2),
        (1, "keeper", 1),
    ]


def test_an_agent_shows_which_runs_led_to_its_current_version(lab: Lab, lineages: LineageQueries) -> None:
    """Back to scratch; on from it only what started from that version, not what else used its checkpoint."""
    pipe = lab.pipeline("SFT", "GRPO", "deploy", "GRPO")
    first, second, deploy, other = pipe.stages
    start, middle = lab.do(first, 0.1, 0.9), lab.do(second, 0.5)
    lab.do(deploy)
    lab.do(other, 0.4)
    (agent,) = lab.agents.all()
    user = lab.pipelines.create(lab.project.id, "user")
    started = lab.do(lab.add(user.id, lab.experiment("more", GRPO), start=FromAgent(agent.id)), 0.6)
    graph = lineages.agent_graph(agent.id)
    assert str(graph.lineage).splitlines() == [
        "agent 'letters-agent', version 1",
        "  from step 10 of run 1 of 'chain-grpo-2' (stage 2 of pipeline 'chain')",
        "    from step 20 as policy of run 1 of 'chain-sft-1' (stage 1 of pipeline 'chain')",
        (
            "  used by run 1 of 'more' (stage 1 of pipeline 'user'), from step 10 as policy"
            " (saved as agent 'letters-agent', version 1)"
        ),
    ]
    assert [(each.relative.kind, each.relative.id, each.is_subject) for each in graph.nodes] == [
        ("run", start.id, False),
        ("run", middle.id, False),
        ("agent", agent.id, True),
        ("run", started.id, False),
    ]
    assert graph.statuses[middle.id] is Status.SUCCEEDED
    with pytest.raises(NotFoundError):
        lineages.agent_graph(999)


def test_what_is_gone_has_no_lineage(lab: Lab, lineages: LineageQueries) -> None:
    """It says that there is no such run."""
    with pytest.raises(NotFoundError):
        lineages.of_run(999)
    assert lab.project.id
