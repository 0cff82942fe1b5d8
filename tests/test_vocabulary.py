"""One word for one thing: words that were given up come back neither as names nor in what people read."""

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

#: What no sentence of the interface or of a message says any more, as a pattern, with what to say.
RETIRED_PHRASES = {
    r"\bgoes on from\b|\bgo on from\b": "resumed from, or started from",
    r"\b[Cc]ame of it\b": "used by",
    r"\bas init\+reference\b": "starting weights and reference",
    r"\bis held: ": "Held: score 0.29, needs at least 0.9",
    r"\bwanted at least\b": "needs at least",
    r"\bGate\b|\bNo gate\b": "Start only if..., Always",
    r"\bfields? (?:is|are) refused\b": "3 fields need fixing",
    r"(?<![Tt]here )(?<![Hh]ere )\b(?:is|are) no (?!longer\b)": "is not a",
    r"\bis none\.": "is not",
    r"\bnobody can ask\b|\bcannot be asked\b": "cannot be called, or can't answer",
    r"\bis asked to stop\b": "is stopping",
    r"\bshown this once\b|\bMake a key\b": "copy it now, it won't be shown again; Create key",
    r"\brandom numbers are drawn\b": "Random seed: same seed, same run",
    r"\b(?:pairs|rows|answers|units|prompts) (?:an|a|of an|of a) (?:update|layer)\b": "per update, per layer",
    r"\bUpdates in all\b": "Total updates",
    r"\bwas there already\b|\bis bound\.": "Existing experiment reused",
    r"\bno stage stands before\b": "it is now first",
    r"\b(?:about )?under 1 s\b|\bso far\b(?= *;)": "less than 1 s",
    r"\b[Ss]tatic picture\b": "Snapshot; re-run for the live view",
    r"\bdrawn runs\b|\bruns? (?:is|are) drawn\b|\bare drawn, and\b": "charted runs",
    r"\btrains nothing\b": "Nothing left to train; increase Steps",
    r"\bhad it\.$": "Config of run 3",
    r"\bruns go on without it\b": "Kernel disconnected; runs continue",
    r"\bname or description holds\b": "Nothing matches",
    r"\b[Ww]hy it cannot be triggered\b": "Not ready yet",
    r"\bIt becomes stage\b|\bIts source is\b": "Will be stage 2, starting from stage 1",
    r"\bIt waits for\b": "Waiting for",
    r"\btrained by itself\b": "trained on its own",
    r"\b[Tt]here is (?:a|an) [a-z]+ named .* already\b": "A pipeline named 'x' already exists",
    r"\b(?:is|are) there already\b|\b(?:has run|is stopping) already\b": "already exists, has already run",
    r"\bgive yourself the right\b": "get permission",
    r"\bKnown are\b": "Known:",
    r"\btraceback cannot be told\b": "cannot be printed",
    r"[\u201c\u201d]": "straight single quotes around names and labels",
}


def sentences_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text of what a module may say: its strings, of JavaScript all but its comments."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".js":
        text = re.sub(r"/\*.*?\*/", lambda found: "\n" * found.group().count("\n"), text, flags=re.DOTALL)
        for line, words in enumerate(text.splitlines(), start=1):
            yield line, re.sub(r"(^|\s)//.*", "", words)
        return
    tree = ast.parse(text)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def better_phrase(text: str) -> str | None:
    """Return what to say instead of a sentence; None where it is fine."""
    return next((better for worse, better in RETIRED_PHRASES.items() if re.search(worse, text)), None)


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
SCRIPTS = sorted(path for path in PACKAGE.rglob("*.js") if "vendor" not in path.parts)


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


@pytest.mark.parametrize("path", [*MODULES, *SCRIPTS], ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_sentence_uses_a_retired_phrase(path: Path) -> None:
    """What people read, in views and in messages, is said as the interface says it everywhere."""
    found = [
        f"line {line}: {text.strip()}; say: {better}"
        for line, text in sentences_of(path)
        if (better := better_phrase(text)) is not None
    ]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "Goes on with step 3, and goes on from there: go on from it.",
        "It is no number.",
        "There is a pipeline named 'x' already.",
        "Delete \u201cx\u201d?",
        "2 runs are drawn",
    ],
)
def test_a_retired_phrase_is_found(text: str) -> None:
    """Phrases are found within a sentence."""
    assert better_phrase(text)


@pytest.mark.parametrize(
    "text", ["It is no longer used.", "There is no checkpoint yet.", "There are no runs."]
)
def test_what_is_idiomatic_may_be_said(text: str) -> None:
    """To say that there is no such thing is plain English."""
    assert better_phrase(text) is None


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
