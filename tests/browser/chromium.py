"""Find the browser of these tests; run as a program, install it first where that is possible."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

VARIABLE = "PIPELINE_WIDGETS_BROWSER"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: Text is measured in fonts that are there; without any, Chromium draws boxes.
PACKAGES = ("chromium", "fonts-liberation", "fonts-dejavu-core")
MISSING = f"""\
The tests of the widgets need Chromium or Google Chrome, and none is on the PATH or in /usr/bin.
  Debian:  sudo apt-get update && sudo apt-get install {" ".join(PACKAGES)}
  Fedora:  sudo dnf install chromium
  Ubuntu, macOS: install Google Chrome
  Anywhere else, say where it is: {VARIABLE}=/path/to/chrome make test
All other tests run without it: make test TESTS="tests --ignore=tests/browser notebooks"
"""


def executable() -> Path:
    """Return the browser's program, or raise with what to install."""
    named = os.environ.get(VARIABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise FileNotFoundError(f"{VARIABLE} is {named!r}, and no program is there.\n{MISSING}")
        return Path(found)
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/bin"])
    for name in NAMES:
        found = shutil.which(name, path=path)
        if found is not None:
            return Path(found)
    raise FileNotFoundError(MISSING)


def install() -> None:
    """Install Chromium if this is Debian or Ubuntu and the user is root, else do nothing."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    get = ["apt-get", "-qq", "-o=Dpkg::Use-Pty=0"]
    sys.stderr.write(f"Installing {', '.join(PACKAGES)} for the tests of the widgets ...\n")
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", *PACKAGES]):
        subprocess.run([*get, *arguments], env=environment, stdout=subprocess.DEVNULL, check=False)


def main() -> int:
    """Look, install if need be, look again, and say what is missing."""
    for last in (False, True):
        try:
            executable()
        except FileNotFoundError as missing:
            if last or os.environ.get(VARIABLE):
                sys.stderr.write(str(missing))
                return 1
            install()
        else:
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
