"""What runs have shown, in a view: one step at a time, two runs side by side, files in parts (spec 9.4)."""

from __future__ import annotations

from pipeline_widgets.domain.shown_item import Comparable, Sample, ShownItem, ShownSummary, cut_text
from pipeline_widgets.services.queries.shown_items import LATEST, ShownStep
from pipeline_widgets.widgets.base import Attached, Row, View
from pipeline_widgets.widgets.encoding import encode, encode_fields

PART = 512 << 10  # bytes of a file in one message: a picture is one, and a video does not hold up the rest
READ = 4_000  # characters of a text that a view shows; Python has all of it
PAIRS = 100  # that two runs side by side show


class ShowingView(View):
    """A view that shows what runs have shown."""

    def do_shown(self, run: int, at: int = LATEST) -> Row:
        """Return what a run has shown at one of its steps, counted from 0; -1 is the last one."""
        found = self._services.shown_items.step(run, at)
        if found is None:
            return {"step": None, "items": []}
        return {"step": step_row(found), "items": [item_row(each) for each in found.items]}

    def do_shown_part(self, item: int, offset: int) -> Attached:
        """Return the bytes of a file from some offset on, as many as a message takes."""
        part = self._services.shown_items.read_part(item, offset, PART)
        return Attached({"length": len(part)}, [part])

    def do_compare_shown(
        self, left: int, right: int, left_at: int = LATEST, right_at: int = LATEST, follows: str = ""
    ) -> Row:
        """Return what two runs have shown, side by side.

        Args:
            left: A run.
            right: The other run.
            left_at: Which of the steps of the first one, counted from 0.
            right_at: The same of the other one.
            follows: Which of the sides goes to the step that is nearest to that of the other one.
        """
        found = self._services.shown_items.compare(left, right, left_at, right_at, follows=follows)
        return {
            "left": step_row(found.left) if found.left else None,
            "right": step_row(found.right) if found.right else None,
            "matched": sum(pair.is_match for pair in found.pairs),
            "more": max(0, len(found.pairs) - PAIRS),
            "pairs": [
                {"label": cut_text(pair.label, READ), "left": _cell(pair.left), "right": _cell(pair.right)}
                for pair in found.pairs[:PAIRS]
            ],
        }


def summary_row(summary: ShownSummary) -> Row:
    """Return how much a run has shown."""
    return {
        "id": summary.run_id,
        **encode_fields(summary, "items", "steps", "title"),
        "full": summary.is_full,
    }


def step_row(step: ShownStep) -> Row:
    """Return at which of its steps a run is shown."""
    return {"run": step.run_id, **encode_fields(step, "steps", "at", "step", "more")}


def item_row(item: ShownItem) -> Row:
    """Return what a view shows of an item; the bytes of a file are asked for when it is in sight."""
    media = item.media
    return {
        **encode_fields(item, "id", "kind", "caption", "seed", "description", "size"),
        "prompt": None if item.prompt is None else cut_text(item.prompt, READ),
        "media": encode_fields(media, "media_type", "width", "height", "seconds") if media else None,
        "samples": [_sample_row(each) for each in item.samples],
    }


def _sample_row(sample: Sample) -> Row:
    reference = None if sample.reference is None else cut_text(sample.reference, READ)
    return {
        "prompt": cut_text(sample.prompt, READ),
        "output": cut_text(sample.output, READ),
        "score": encode(sample.score),
        "reference": reference,
    }


def _cell(side: Comparable | None) -> Row | None:
    if side is None:
        return None
    sample = _sample_row(side.sample) if side.sample is not None else None
    return {"item": {**item_row(side.item), "samples": []}, "sample": sample}
