"""What the dialog that frees checkpoints shows, as JSON (spec 8.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice

from pipeline_widgets.domain.care import Fate, share, shares
from pipeline_widgets.widgets.base import Row
from pipeline_widgets.widgets.steps import step_down

LISTED = 200  # checkpoints that stay, and experiments, in a table


def clean_up_row(found: Sequence[Fate]) -> Row:
    """Return what a clean-up frees, by experiment, and why the rest stays."""
    kept = [each for each in found if each.kept]
    by_experiment = shares(found)
    return {
        "all": asdict(share(found)),
        "experiments": [asdict(each) for each in by_experiment[:LISTED]],
        "more_experiments": max(0, len(by_experiment) - LISTED),
        "kept": [_kept(each) for each in islice(kept, LISTED)],
        "more_kept": max(0, len(kept) - LISTED),
    }


def _kept(fate: Fate) -> Row:
    return {
        "experiment": fate.experiment,
        "run": fate.run,
        "step": step_down(fate.checkpoint.step),
        "size": fate.checkpoint.size,
        "why": list(fate.reasons),
    }
