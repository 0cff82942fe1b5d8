"""What a training has shown at a step: samples of text, an image, or a video; and which of two runs match."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pipeline_widgets.directions import quote

ItemKind = Literal["samples", "image", "video"]

#: The types of image and video files that are kept, with the end of their names. Never SVG, which can hold
#: scripts.
MEDIA_TYPES = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "video/mp4": "mp4",
    "video/webm": "webm",
}
#: The name of the file in the folder of an item, before the end that tells its type.
FILE_STEM = "item"

MOST_SAMPLES = 100  # in one item
MOST_TEXT = 20_000  # characters of a prompt, an output or a reference
MOST_TEXTS = 600_000  # characters of all texts of an item
MOST_CAPTION = 1_000  # characters
MOST_IMAGE = 20 << 20  # bytes of a file
MOST_VIDEO = 100 << 20
MOST_ITEMS = 10_000  # of a run
MOST_OF_RUN = 2 << 30  # bytes of all files and texts of a run


@dataclass(frozen=True, slots=True)
class Sample:
    """A prompt, and what the policy has made of it."""

    prompt: str
    output: str
    #: None where there is none, or where it is not finite.
    score: float | None = None
    #: What it should have been.
    reference: str | None = None

    @property
    def size(self) -> int:
        """How many characters it has."""
        return len(self.prompt) + len(self.output) + len(self.reference or "")


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaFile:
    """An image or a video as it is kept: a folder with one file."""

    path: Path
    #: Bytes.
    size: int
    #: SHA-256 of the folder.
    digest: str
    media_type: str
    #: Pixels; None where the file does not tell.
    width: int | None = None
    height: int | None = None
    #: How long a video takes, in seconds; None where that is not known.
    seconds: float | None = None

    @property
    def file_name(self) -> str:
        """The name of the file in the folder."""
        return f"{FILE_STEM}.{MEDIA_TYPES.get(self.media_type, 'bin')}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownItem:
    """What `ctx.show` was called with once, as it is stored."""

    id: int
    run_id: int
    step: int
    kind: ItemKind
    caption: str
    #: What an image or a video was made from, by which two runs are compared.
    prompt: str | None
    seed: int | None
    #: How many samples it has; 0 for an image or a video.
    sample_count: int
    #: Empty for an image or a video, and where only a listing was read.
    samples: tuple[Sample, ...]
    media: MediaFile | None
    #: Bytes of its file, or of its texts.
    size: int
    created_at: datetime

    @property
    def description(self) -> str:
        """What stands for it where it cannot be seen, as in "Video at step 600: The walker falls"."""
        subject = ", ".join(filter(None, [quote(self.prompt) if self.prompt else "", _name_seed(self.seed)]))
        told = self.caption or subject
        return f"{self.kind.capitalize()} at step {self.step:,}{f': {told}' if told else ''}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownSummary:
    """How much a run has shown."""

    run_id: int
    items: int = 0
    #: How many different steps they have.
    steps: int = 0
    #: The kinds that there are, in the order of `ItemKind`.
    kinds: tuple[ItemKind, ...] = ()

    @property
    def title(self) -> str:
        """What to call them, as in "Samples and videos"."""
        names = [{"samples": "samples", "image": "images", "video": "videos"}[kind] for kind in self.kinds]
        return " and ".join([", ".join(names[:-1]), *names[-1:]] if len(names) > 1 else names).capitalize()

    @property
    def is_full(self) -> bool:
        """Whether it has as many as a run can have, so that no later one was kept."""
        return self.items >= MOST_ITEMS


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparable:
    """One thing that two runs may both have shown: a sample, an image or a video."""

    #: Equal for what was made from the same prompt or seed; None where neither is known.
    key: Hashable
    #: The prompt or the seed, in words.
    label: str
    item: ShownItem
    sample: Sample | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedPair:
    """What two runs have made of the same prompt or seed; None on one side where only the other has it."""

    label: str
    left: Comparable | None
    right: Comparable | None

    @property
    def is_match(self) -> bool:
        """Whether both have it."""
        return self.left is not None and self.right is not None


def list_comparables(items: Iterable[ShownItem]) -> list[Comparable]:
    """Return what can be compared of the items of a step, in their order."""
    found: list[Comparable] = []
    counted: dict[Hashable, int] = {}
    for item in items:
        subjects: Sequence[tuple[str | None, Sample | None]] = (
            [(sample.prompt, sample) for sample in item.samples]
            if item.kind == "samples"
            else [(item.prompt, None)]
        )
        for prompt, sample in subjects:
            named = prompt is not None or item.seed is not None
            key = (item.kind, prompt, item.seed)
            # The second answer to a prompt is compared with the second one to it.
            counted[key] = counted.get(key, 0) + 1
            label = ", ".join(filter(None, [prompt or "", _name_seed(item.seed)]))
            made = (*key, counted[key]) if named else None
            found.append(Comparable(key=made, label=label or item.description, item=item, sample=sample))
    return found


def match_items(left: Iterable[ShownItem], right: Iterable[ShownItem]) -> tuple[ComparedPair, ...]:
    """Return what two runs have shown, side by side: what matches first, then what only one has.

    Two things match where they are of one kind and have the same prompt and the same seed.

    Args:
        left: The items of a step of one run.
        right: The items of a step of the other run.
    """
    ours, theirs = list_comparables(left), list_comparables(right)
    by_key = {each.key: each for each in theirs if each.key is not None}
    matched = [
        ComparedPair(label=each.label, left=each, right=by_key[each.key])
        for each in ours
        if each.key is not None and each.key in by_key
    ]
    keys = {pair.left.key for pair in matched if pair.left is not None}
    alone = [ComparedPair(label=each.label, left=each, right=None) for each in ours if each.key not in keys]
    alone += [
        ComparedPair(label=each.label, left=None, right=each) for each in theirs if each.key not in keys
    ]
    return (*matched, *alone)


def cut_text(text: str, most: int) -> str:
    """Return at most `most` characters of a text; one that is longer says how many more there are."""
    return text if len(text) <= most else f"{text[:most]}… [{len(text) - most:,} more characters]"


def find_nearest(steps: Sequence[int], step: int) -> int:
    """Return the place of the step that is nearest to another one; of two the later one.

    Args:
        steps: In order; not empty.
        step: The other one.
    """
    after = min(bisect_left(steps, step), len(steps) - 1)
    return after - 1 if after and step - steps[after - 1] < steps[after] - step else after


def _name_seed(seed: int | None) -> str:
    return "" if seed is None else f"seed {seed}"
