"""What the kernel sends, against the types that the front end knows it by.

`tsc` holds that the JavaScript uses the fields of `types.d.ts`; this holds that Python sends these. So a
field that is renamed on one side alone is an error.
"""

from __future__ import annotations

import ast
import re

import pytest

from pipeline_widgets.widgets.assets import STATIC

#: Which function describes what: its largest dict is the message.
MESSAGES = {
    "AgentDetailRow": "agent_messages.detail_row",
    "AgentEndpoint": "agent_messages._endpoint_row",
    "AgentRow": "agent_messages.list_row",
    "AgentSourceRow": "agent_messages.source_rows",
    "AgentVersion": "agent_messages._version_row",
    "CleanUp": "clean_up.clean_up_row",
    "ConfigRow": "experiment_form._config_row",
    "ExperimentDetailRow": "experiments.detail_row",
    "ExperimentFormData": "experiment_form.filled_form",
    "ExperimentOption": "stage_form._experiment_row",
    "FailureRow": "failure_card.failure_row",
    "Lineage": "lineage.lineage_row",
    "LineageNode": "lineage._node_row",
    "OpenEvaluation": "scoring.evaluation_row",
    "PanelRun": "stage_panel._run",
    "Panel": "stage_panel.panel_row",
    "ResultCurve": "results._rows",
    "ResultRow": "results.run_row",
    "ResumableRun": "experiment_form._resumable_row",
    "ResumeOffer": "experiment_form.resume_row",
    "RunRow": "experiments._run_row",
    "SettingRow": "results.setting_rows",
    "ShownComparison": "showing.ShowingView.do_compare_shown",
    "ShownItem": "showing.item_row",
    "ShownSample": "showing._sample_row",
    "ShownStep": "showing.step_row",
    "ShownSummary": "showing.summary_row",
    "Stage": "stage_graph._row",
    "VersionAnswer": "agent_messages._answer_row",
    "StageFormData": "stage_form.form_row",
}
#: Fields that are added to a message after it was described, or come with a value as a whole.
ADDED = {
    "ExperimentDetailRow": {"checkpoints", "evaluations", "saved", "every"},
    "ExperimentOption": {"id", "name", "algorithm", "fits", "reason", "role"},
    "PanelRun": {"evaluations"},
}
#: Fields of `Progress` that not everything has whose progress is shown.
MISSING = {"RunRow": {"begun"}}


def fields(name: str) -> set[str]:
    """Return the fields of an interface of the front end, with those of what it extends."""
    text = (STATIC / "types.d.ts").read_text(encoding="utf-8")
    if short := re.search(rf"^type {name} = \{{(.*)\}};$", text, re.MULTILINE):
        return set(re.findall(r"(\w+)\??:", short[1]))
    found = re.search(
        rf"^interface {name}(?: extends ([\w, ]+))? \{{\n(.*?)^\}}", text, re.MULTILINE | re.DOTALL
    )
    assert found, name
    own = set(re.findall(r"^  (\w+)\??:", found[2], re.MULTILINE))
    return own.union(*(fields(base) for base in (found[1] or "").split(", ") if base))


def sent(path: str) -> set[str]:
    """Return the names of the largest dict that a function writes down."""
    module, *_, name = path.split(".")
    tree = ast.parse((STATIC.parent / f"{module}.py").read_text(encoding="utf-8"))
    function = next(
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == name
    )
    return max((_names(node) for node in ast.walk(function) if isinstance(node, ast.Dict)), key=len)


def _names(node: ast.Dict) -> set[str]:
    """Return the keys of a dict, and the attributes that are encoded into it."""
    encoded = [
        call
        for key, value in zip(node.keys, node.values, strict=True)
        if key is None
        for call in ast.walk(value)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "encode_fields"
    ]
    constants = [*node.keys, *(argument for call in encoded for argument in call.args)]
    return {
        each.value for each in constants if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }


@pytest.mark.parametrize("name", MESSAGES)
def test_the_front_end_knows_a_message_by_the_fields_that_it_has(name: str) -> None:
    """Neither side has a field that the other lacks."""
    assert sent(MESSAGES[name]) | ADDED.get(name, set()) == fields(name) - MISSING.get(name, set())
