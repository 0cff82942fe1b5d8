"""`make planted`: plant ten bugs, one at a time; the tests of the domain or the model find each."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parents[1]
PACKAGE = TESTS.parent / "pipeline_widgets"
STEPS = 6_000
SEED = 1
PATIENCE = 600.0  # seconds that a search for one bug may take


@dataclass(frozen=True)
class Bug:
    """A small mistake.

    Args:
        name: What it does.
        file: The module, below the package.
        old: The code that is changed.
        new: What it is changed to.
    """

    name: str
    file: str
    old: str
    new: str


PLANTED = (
    Bug(
        "a stage starts while the stage before it is active",
        "domain/triggering.py",
        "if before is not None and facts.for_stage(before.id).status.active:",
        "if before is not None and facts.for_stage(before.id).status.active"
        " and stage.trigger is Trigger.AUTO:",
    ),
    Bug(
        "a gate takes a higher score for the better one, always",
        "domain/triggering.py",
        "if sign * score >= sign * wanted:",
        "if score >= wanted:",
    ),
    Bug(
        "a resume goes on from the best checkpoint, not from the last",
        "domain/triggering.py",
        'choose_checkpoint(known.latest_checkpoints, "final", higher_is_better=True)',
        'choose_checkpoint(known.latest_checkpoints, "best", higher_is_better=True)',
    ),
    Bug(
        "a stage starts although its source has no checkpoint at that step",
        "domain/triggering.py",
        "return [Blocker(error.what, error.fix)]",
        "return []",
    ),
    Bug(
        "stale does not pass from stage to stage",
        "domain/staleness.py",
        "if found[source.id].stale:",
        "if found[source.id].stale and source.start == stage:",
    ),
    Bug(
        "the same content of a re-run counts as another one",
        "domain/staleness.py",
        "wanted.digest == known.consumed.digest",
        "wanted.id == known.consumed.id",
    ),
    Bug(
        "what was accepted as fresh stays so after a re-run",
        "domain/staleness.py",
        "ran = known.succeeded.id if known.succeeded else 0",
        "ran = int(known.succeeded is not None)",
    ),
    Bug(
        "a run whose supervisor died before it began is not started again",
        "domain/liveness.py",
        "if lease.holder is None or (seen is ProcessState.GONE and not lease.is_begun):",
        "if lease.holder is None:",
    ),
    Bug(
        "a clean-up deletes what a stopped run would go on from",
        "domain/retention.py",
        "elif run.status in RESUMABLE:",
        "elif run.status.active:",
    ),
    Bug(
        "of equal scores the earlier step is the best",
        "domain/checkpoint.py",
        "max(scored, key=lambda each: each[:2])",
        "max(scored, key=lambda each: each[0])",
    ),
)


def planted(bug: Bug) -> tuple[str, str]:
    """Return a module as it is, and with a bug.

    Raises:
        LookupError: The code that would be changed is not there, or more than once: the bug has to be
            written anew.
    """
    source = (PACKAGE / bug.file).read_text(encoding="utf-8")
    # However the formatter breaks lines, it is the same code.
    pattern = r"\s*".join(re.escape(word) for word in re.findall(r"\w+|[^\w\s]", bug.old))
    found = re.findall(pattern, source)
    if len(found) != 1:
        raise LookupError(f"{bug.file} has {len(found)} times: {bug.old}")
    return source, source.replace(found[0], bug.new)


def main() -> int:
    """Return 0 where each bug was found by the tests of the domain or by the model."""
    missed = 0
    _print(f"| {'planted':66} | tests of its module | model |\n|{'-' * 68}|---|---|")
    for bug in PLANTED:
        with tempfile.TemporaryDirectory(prefix="planted-") as folder:
            copy = Path(folder, "pipeline_widgets")
            shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
            (copy / bug.file).write_text(planted(bug)[1], encoding="utf-8")
            tests = TESTS / "domain" / f"test_{Path(bug.file).name}"
            by_tests = _found(folder, ["pytest", "-x", "-q", "-p", "no:cacheprovider", str(tests)])
            by_model = _found(folder, ["simulate", f"--seed={SEED}", f"--steps={STEPS}"])
        missed += not (by_tests or by_model)
        _print(f"| {bug.name:66} | {by_tests or 'not found':19} | {by_model or 'not found'} |")
    _print(f"{len(PLANTED) - missed} of {len(PLANTED)} were found")
    return int(missed > 0)


def _found(folder: str, arguments: list[str]) -> str:
    """Return after how long a check of the copy has failed; empty where it passed."""
    path = os.pathsep.join([folder, str(TESTS), str(TESTS / "support")])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    # -P: the current folder holds the package without the bug.
    python = [sys.executable, "-P"]

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*python, *command],
            env=environment,
            cwd=TESTS.parent,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    if not run("-c", "import pipeline_widgets; print(pipeline_widgets.__file__)").stdout.startswith(folder):
        raise RuntimeError("The copy with the bug is not what is imported.")
    begun = time.monotonic()
    if run("-m", *arguments).returncode == 0:
        return ""
    return f"found in {time.monotonic() - begun:.0f} s"


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
