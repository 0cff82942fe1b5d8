"""Templates as values, and names that are free (spec 4.12)."""

from __future__ import annotations

from collections.abc import Callable, Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.chain import DeploymentStage
from pipeline_widgets.domain.document import from_plain, to_plain
from pipeline_widgets.domain.names import MAX_NAME_LENGTH, name_numbered
from pipeline_widgets.domain.template import READY, Template, list_deployed_agents, name_parts

pytestmark = pytest.mark.spec("4.12")


class Bearer:
    """Somebody with a name."""

    def __init__(self, name: str) -> None:
        self.name = name


def bearers(*names: str) -> Callable[[Collection[str]], list[Bearer]]:
    """Return what looks up names among these."""
    return lambda asked: [Bearer(each) for each in asked if each in names]


@pytest.mark.parametrize("template", READY, ids=lambda each: each.name)
def test_a_ready_template_is_a_document_like_any(template: Template) -> None:
    """It can be written and read again, begins by hand, and ends in an agent."""
    assert from_plain(to_plain(template.document)) == template.document
    assert isinstance(template.document.stages[-1].stage, DeploymentStage)
    assert template.document.stages[0].stage.trigger == "manual"
    assert template.chain.endswith(" → agent")


@pytest.mark.parametrize("template", READY, ids=lambda each: each.name)
def test_its_parts_are_named_everywhere(template: Template) -> None:
    """Experiments where they are defined and where a stage is bound to them; agents where one is deployed."""
    document = template.document
    experiments = {each.name: f"my {each.name}" for each in document.experiments}
    (agent,) = list_deployed_agents(document)
    named = name_parts(document, "another", experiments, {agent: "my agent"})
    assert from_plain(to_plain(named)) == named
    assert (named.name, list_deployed_agents(named)) == ("another", ("my agent",))
    assert [each.name for each in named.experiments] == list(experiments.values())


@pytest.mark.parametrize(
    ("name", "taken", "free"),
    [
        ("sft", [], "sft"),
        ("sft", ["sft"], "sft 2"),
        ("sft", ["sft", "sft 2"], "sft 3"),
        ("sft 2", ["sft 2"], "sft 3"),
        ("sft 2", ["sft", "sft 2"], "sft 3"),
        ("2", ["2"], "2 2"),
    ],
)
def test_a_name_that_is_taken_gets_a_number(name: str, taken: list[str], free: str) -> None:
    """The next one that is free."""
    assert name_numbered(name, bearers(*taken)) == free


@given(st.text(min_size=1, max_size=MAX_NAME_LENGTH), st.integers(0, 40))
def test_a_free_name_is_free_and_short_enough(name: str, many: int) -> None:
    """However many bear the names before it."""
    taken: set[str] = set()
    for _ in range(many):
        taken.add(name_numbered(name, bearers(*taken)))
    assert len(taken) == many
    assert all(len(each) <= MAX_NAME_LENGTH for each in taken)
