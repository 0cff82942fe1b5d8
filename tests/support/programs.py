"""The programs that the pages of the documentation show, run as a reader would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

# A proxy that the environment names does not lead to this machine.
_PROXIED = dict.fromkeys(("http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"), "http://127.0.0.1:9")


def find(pattern: str, text: str) -> list[str]:
    """Return what a pattern finds, line by line."""
    return re.findall(pattern, text, re.MULTILINE)


def find_blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks of a language, in order."""
    return find(rf"^```{re.escape(language)}\n((?:.*\n)*?)^```$", page.read_text(encoding="utf-8"))


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the interpreter in a folder."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, **_PROXIED, "no_proxy": "", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def check_program(page: Path, folder: Path) -> None:
    """Run the blocks of a page as one script in an empty folder: it prints what its comments promise."""
    code = "\n\n".join(find_blocks(page, "python"))
    (folder / "page.py").write_text(code, encoding="utf-8")
    done = run(folder, "-W", "error", "page.py")
    assert done.returncode == 0, done.stdout + done.stderr
    promised, printed = find(r"^print\(.*\)  # (.+)$", code), done.stdout.splitlines()
    assert promised
    assert [line for line in promised if line not in printed] == [], done.stdout
