"""What the dialog that frees checkpoints shows, as JSON (spec 8.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice

from pipeline_widgets.domain.retention import RetentionDecision, summarize_by_experiment, summarize_clean_up
from pipeline_widgets.widgets.base import Row
from pipeline_widgets.widgets.steps import step_down

LISTED = 200  # checkpoints that stay, and experiments, in a table


def clean_up_row(found: Sequence[RetentionDecision]) -> Row:
    """Return what a clean-up frees, by experiment, and why the rest stays."""
    kept = [each for each in found if each.is_kept]
    by_experiment = summarize_by_experiment(found)
    return {
        "all": asdict(summarize_clean_up(found)),
        "experiments": [asdict(each) for each in by_experiment[:LISTED]],
        "more_experiments": max(0, len(by_experiment) - LISTED),
        "kept": [_kept(each) for each in islice(kept, LISTED)],
        "more_kept": max(0, len(kept) - LISTED),
    }


def _kept(decision: RetentionDecision) -> Row:
    return {
        "experiment": decision.experiment,
        "run": decision.run,
        "step": step_down(decision.checkpoint.step),
        "size": decision.checkpoint.size,
        "why": list(decision.reasons),
    }
