"""The content of the dialog that frees checkpoints, as JSON (spec 8.4)."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline_widgets.domain.retention import RetentionDecision, summarize_by_experiment, summarize_clean_up
from pipeline_widgets.widgets.base import Row
from pipeline_widgets.widgets.encoding import encode, encode_fields

LISTED = 200  # checkpoints that stay, and experiments, in a table


def clean_up_row(found: Sequence[RetentionDecision]) -> Row:
    """Return what a clean-up frees, by experiment, and why the rest stays."""
    kept = [each for each in found if each.is_kept]
    by_experiment = summarize_by_experiment(found)
    return {
        "all": encode(summarize_clean_up(found)),
        "experiments": encode(by_experiment[:LISTED]),
        "more_experiments": max(0, len(by_experiment) - LISTED),
        "kept": [
            encode_fields(each, "experiment", "run", "reasons")
            | encode_fields(each.checkpoint, "step", "size")
            for each in kept[:LISTED]
        ],
        "more_kept": max(0, len(kept) - LISTED),
    }
