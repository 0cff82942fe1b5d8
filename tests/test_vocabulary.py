"""One word for one thing: words that were given up do not come back as names in the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pipeline_widgets"
GLOSSARY = ROOT / "docs" / "architecture.md"
MOST_WORDS = 40

#: Classes and functions, with the name to use.
RETIRED_NAMES = {
    "Begin": "RunStart",
    "Following": "NextStageDecision",
    "Edited": "PipelineEdit",
    "Declared": "AlgorithmDeclaration",
    "Configured": "ConfiguredAlgorithm",
    "Facts": "PipelineFacts",
    "Part": "DocumentNode",
    "Frozen": "FrozenCopy",
    "Freeze": "FreezeRequest",
    "Reported": "MetricReport",
    "Saved": "SavedCheckpoint",
    "Wanted": "DesiredState",
    "Service": "Lease",
    "Seen": "ProcessState",
    "Pulse": "ProcessObservation",
    "Bearer": "NamedRow",
    "Told": "MetricRow",
    "Work": "UnitOfWork",
    "Cut": "PageRequest",
    "Placed": "DeployedVersion",
    "Undone": "UndoResult",
    "capture_edit": "take_snapshot",
    "is_version_error": "refused_version",
    "Imported": "ImportedPipeline",
    "Child": "Worker",
    "Attempt": "ActiveJob",
    "Line": "CommandChannel",
    "Turn": "PredictionQueue",
    "Front": "ErrorMiddleware",
    "Opened": "LoadedVersion",
    "Watch": "DesiredStateWatcher",
    "Filled": "FormResult",
    "Look": "ExpandedRow",
    "Memories": "Transitions",
    "Word": "PipelineStatus",
    "trimmed": "validate_name",
    "storable": "check_encodable",
    "isolated": "isolate",
    "quoted": "quote",
    "triggered_with": "merge_config",
    "pend": "enqueue_run",
    "rebound": "rebind_stage",
    "with_copy": "bind_copy",
    "home_of": "find_owning_stage",
    "in_parts": "in_chunks",
    "give_back": "restore_runs",
    "let_in": "authorize",
    "carry_out": "execute",
    "filled": "parse_form",
    "unpacked": "unpack",
    "EndpointLease": "Lease",
    "assess_run": "assess",
    "assess_endpoint": "assess",
    "count_relaunch": "count_launch",
    "note_launch": "record_launch",
    "withdraw": "restore_former_version",
    "look": "reconcile",
}

#: Modules, with the module to use.
RETIRED_MODULES = {
    "own_key": "local_credential",
    "endpoint_turn": "serving.queue",
    "endpoint_guard": "serving.auth",
    "endpoint_body": "serving.payload",
    "child": "worker",
    "children": "process_spawner",
    "pending": "run_queue",
    "resuming": "stage_experiments",
    "bindings": "stage_experiments",
    "uses": "references",
    "views": "queries",
    "care": "retention",
    "agent_rows": "agents",
    "experiment_rows": "experiments",
    "results_rows": "results",
    "results_curves": "results",
    "observer": "leases",
}

#: Words within any name, with the word to use.
RETIRED_WORDS = {
    "verdict": "fit",
    "glimpse": "run detail",
    "nursery": "process spawner",
    "judgement": "decision",
    "glyph": "icon",
    "pend": "enqueue",
    "rebound": "rebind",
    "nudge": "notify",
}


def names_of(path: Path) -> Iterator[tuple[int, str, bool]]:
    """Yield line, name and whether it is a class or function, for each name that a module defines."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name, True
            case (
                ast.arg(arg=name)
                | ast.Name(id=name, ctx=ast.Store())
                | ast.Attribute(attr=name, ctx=ast.Store())
            ):
                yield node.lineno, name, False
            case ast.alias(asname=str(name)):
                yield node.lineno, name, False
            case _:
                pass


def words_of(name: str) -> set[str]:
    """Return the words of a name in snake_case or CamelCase, in small letters."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "migrations" not in path.parts)


def better_name(name: str, *, is_definition: bool) -> str | None:
    """Return what to use instead of a name, or of a word within it; None where it is fine."""
    if is_definition and name in RETIRED_NAMES:
        return RETIRED_NAMES[name]
    return next((RETIRED_WORDS[word] for word in sorted(words_of(name)) if word in RETIRED_WORDS), None)


def test_no_module_has_a_retired_name() -> None:
    """Modules are named after the concept that they hold."""
    stems = {*(path.stem for path in MODULES), *(path.parent.name for path in MODULES)}
    assert stems & RETIRED_MODULES.keys() == set()
    assert [stem for stem in stems if better_name(stem, is_definition=False)] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_name_uses_a_retired_word(path: Path) -> None:
    """What a module defines is called as the glossary calls it."""
    found = [
        f"line {line}: {name}; use {better}"
        for line, name, is_definition in names_of(path)
        if (better := better_name(name, is_definition=is_definition)) is not None
    ]
    assert found == []


def test_a_retired_word_is_found_within_a_name() -> None:
    """Words are found in snake_case, in CamelCase and in constants."""
    assert words_of("_RunGlimpse") == {"run", "glimpse"}
    assert words_of("pend_experiment") == {"pend", "experiment"}
    assert words_of("HTTPServer_2") == {"http", "server"}


def test_the_glossary_is_short() -> None:
    """The glossary of the architecture has at most forty rows."""
    text = GLOSSARY.read_text(encoding="utf-8")
    rows = text.partition("## Glossary")[2].partition("\n## ")[0].count("\n| ") - 1
    assert 0 < rows <= MOST_WORDS
