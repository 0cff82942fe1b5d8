"""What it costs to tell whether code has changed, against a bare hash of the same files.

    python benchmarks/code_digest.py [--modules 10] [--lines 300]

The modules import one another in a row. "first" parses them; "again" looks at files that have not changed,
as a view does every five seconds; "confirmed" is what the process of a run does, which has parsed nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pipeline_widgets.algorithms.code_digest import confirm_code, record_code
from pipeline_widgets.domain.algorithm import AlgorithmReference

PART = '''
def function_{at}(value, by=2):
    """Grow a value."""
    total: float = value * by  # as before
    for step in range(10):
        total += step if step % 2 else -step
    return {{"total": total, "step": [total, by, "text"]}}

'''


def main() -> None:
    """Print the milliseconds of each way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--modules", type=int, default=10)
    parser.add_argument("--lines", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = write(Path(folder), options.modules, options.lines)
        time.sleep(0.1)  # a file that was just saved is read again
        reference = AlgorithmReference(path="module_0:train", root=folder)
        began = time.perf_counter()
        record = record_code(reference)
        first = time.perf_counter() - began
        kept = replace(reference, code=record)
        print(f"{options.modules} modules of {options.lines} lines")
        show("first", first)
        show("again", timed(lambda: record_code(reference)))
        show("confirmed", timed(lambda: confirm_code(kept)))
        show("a bare hash of the files", timed(lambda: [hash_of(file) for file in files]))


def write(folder: Path, modules: int, lines: int) -> list[Path]:
    """Write modules that import one another."""
    parts = lines // PART.count("\n")
    files = [folder / f"module_{at}.py" for at in range(modules)]
    for at, file in enumerate(files):
        following = f"import module_{at + 1}\n" if at + 1 < modules else ""
        imports = f"import os\nimport sys\nimport json\nimport numpy\nimport pydantic\n{following}"
        file.write_text(imports + "".join(PART.format(at=part) for part in range(parts)))
    return files


def hash_of(file: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def timed(action: Callable[[], object], times: int = 50) -> float:
    """Return the median seconds of an action."""
    taken: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def show(what: str, seconds: float) -> None:
    """Print one line."""
    print(f"{what:26} {seconds * 1e3:8.2f} ms")


if __name__ == "__main__":
    main()
