"""Let tests, and the processes that they start, trust nothing that their user trusts: imported for that."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

#: The folder with what they trust.
TRUSTED = tempfile.mkdtemp(prefix="pipeline-widgets-tests-")
os.environ["PIPELINE_WIDGETS_DATA"] = TRUSTED


@atexit.register
def _forget(of: int = os.getpid()) -> None:
    if os.getpid() == of:
        shutil.rmtree(TRUSTED, ignore_errors=True)
