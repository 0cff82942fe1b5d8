"""Why a run ended without success, as its card shows it: the message first, then the user's own line."""

from __future__ import annotations

from pipeline_widgets.domain.run import RESUMABLE, Run
from pipeline_widgets.widgets.base import Row
from pipeline_widgets.widgets.encoding import encode, encode_fields


def failure_row(run: Run, resume_step: int | None = None) -> Row | None:
    """Return what the card of a run shows; None where it has succeeded, or goes on.

    Args:
        run: The run.
        resume_step: The step of the checkpoint from which it can be resumed now; None where it cannot.
    """
    if run.status not in RESUMABLE:
        return None
    found = run.get_failure()
    return {
        **encode_fields(run, "step", "total"),
        "message": found.message if found else "",
        "place": found.place(run.code.folder if run.code else None) if found else "",
        "function": (found.function or "") if found else "",
        "lines": [[number, text, failed] for number, text, failed in found.lines()] if found else [],
        "resume": encode(resume_step),
    }
