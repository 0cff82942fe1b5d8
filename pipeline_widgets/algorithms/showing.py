"""What `ctx.show` is given, checked and brought into the form in which it is kept."""

from __future__ import annotations

import math
import operator
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pipeline_widgets.algorithms import media_files
from pipeline_widgets.algorithms.media_files import Media
from pipeline_widgets.algorithms.scalars import to_scalar
from pipeline_widgets.domain.shown_item import (
    FILE_STEM,
    MEDIA_TYPES,
    MOST_CAPTION,
    MOST_SAMPLES,
    MOST_TEXT,
    MOST_TEXTS,
    ItemKind,
    Sample,
    cut_text,
)
from pipeline_widgets.domain.text import replace_unencodable
from pipeline_widgets.errors import ConfigError, format_value

FIELDS = ("prompt", "output", "score", "reference")
_EXAMPLE = (
    'Write samples=[{"prompt": "2 + 2", "output": "4", "score": 1.0}] or samples=[("2 + 2", "4", 1.0)].'
)
_TEXTS = 3  # of a sample: prompt, output, reference


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedItem:
    """What is to be shown, as it will be kept."""

    kind: ItemKind
    caption: str
    prompt: str | None
    seed: int | None
    samples: tuple[Sample, ...] = ()
    media: Media | None = None

    @property
    def size(self) -> int:
        """Bytes of the file, or characters of the samples."""
        return self.media.size if self.media is not None else sum(each.size for each in self.samples)

    def write(self, folder: Path) -> Path:
        """Write the file of an image or a video into a folder, and return it.

        Raises:
            ConfigError: Samples have no file.
        """
        if self.media is None:
            raise ConfigError("Samples have no file.")
        target = folder / f"{FILE_STEM}.{MEDIA_TYPES[self.media.media_type]}"
        if self.media.source is not None:
            shutil.copyfile(self.media.source, target)
        else:
            target.write_bytes(self.media.data or b"")
        return target


def prepare_item(
    *,
    samples: Any = None,
    image: Any = None,
    video: Any = None,
    caption: str = "",
    prompt: str | None = None,
    seed: Any = None,
    fps: float | None = None,
) -> PreparedItem:
    """Check what is to be shown; the arguments are those of `ctx.show`.

    Raises:
        ConfigError: It is not exactly one of samples, an image and a video, or it cannot be shown.
    """
    given = [
        name
        for name, value in (("samples", samples), ("image", image), ("video", video))
        if value is not None
    ]
    if len(given) != 1:
        what = f"ctx.show was given {' and '.join(given) or 'nothing to show'}."
        raise ConfigError(what, "It shows one thing at a time.", "Pass samples, image or video.")
    if fps is not None and video is None:
        raise ConfigError("Only a video has frames a second.", fix="Leave out fps.")
    facts: dict[str, Any] = {
        "caption": cut_text(_text("caption", caption), MOST_CAPTION),
        "prompt": None if prompt is None else cut_text(_text("prompt", prompt), MOST_TEXT),
        "seed": _seed(seed),
    }
    if samples is not None:
        if prompt is not None:
            raise ConfigError(
                "Samples have a prompt each.", fix="Leave out prompt, or show an image or a video."
            )
        return PreparedItem(kind="samples", samples=_samples(samples), **facts)
    if image is not None:
        return PreparedItem(kind="image", media=media_files.read_image(image), **facts)
    return PreparedItem(kind="video", media=media_files.read_video(video, fps), **facts)


def _samples(given: Any) -> tuple[Sample, ...]:
    if isinstance(given, (str, Mapping)) or not hasattr(given, "__iter__"):
        raise ConfigError("samples is a list.", f"Got {format_value(cast('object', given))}.", _EXAMPLE)
    listed: list[Any] = list(given)
    if not listed:
        raise ConfigError("There are no samples to show.", fix=_EXAMPLE)
    if len(listed) > MOST_SAMPLES:
        why = f"An item has at most {MOST_SAMPLES}."
        fix = f"Show some of them, the same prompts at each step: samples[:{MOST_SAMPLES}]."
        raise ConfigError(f"{len(listed):,} samples are too many.", why, fix)
    most = min(MOST_TEXT, MOST_TEXTS // (_TEXTS * len(listed)))
    return tuple(_sample(at, each, most) for at, each in enumerate(listed))


def _sample(at: int, given: Any, most: int) -> Sample:
    where = f"samples[{at}]"
    if isinstance(given, Sample):
        given = {name: getattr(given, name) for name in FIELDS}
    if isinstance(given, Mapping):
        values: dict[str, Any] = {str(name): value for name, value in given.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        if unknown := [name for name in values if name not in FIELDS]:
            why = f"A sample has {', '.join(FIELDS)}."
            raise ConfigError(f"{where} has the field {unknown[0]!r}.", why, "Leave it out, or rename it.")
    elif isinstance(given, Sequence) and not isinstance(given, str) and 2 <= len(given) <= len(FIELDS):  # pyright: ignore[reportUnknownArgumentType]  # noqa: PLR2004
        values = dict(zip(FIELDS, given, strict=False))  # pyright: ignore[reportUnknownArgumentType]
    else:
        what = f"{where} is {format_value(cast('object', given))}."
        raise ConfigError(what, "It has to be a mapping or a tuple.", _EXAMPLE)
    if missing := [name for name in FIELDS[:2] if values.get(name) is None]:
        raise ConfigError(f"{where} has no {missing[0]}.", fix=_EXAMPLE)
    reference = values.get("reference")
    return Sample(
        prompt=cut_text(_text(f"{where}: prompt", values["prompt"]), most),
        output=cut_text(_text(f"{where}: output", values["output"]), most),
        score=_score(f"{where}: score", values.get("score")),
        reference=None if reference is None else cut_text(_text(f"{where}: reference", reference), most),
    )


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        why = f"Got {format_value(value)}, a {type(value).__name__}."
        raise ConfigError(f"{name} has to be text.", why, "Convert it with str().")
    return replace_unencodable(str.__str__(value))


def _score(name: str, value: Any) -> float | None:
    if value is None:
        return None
    try:
        score = float(to_scalar(value))
    except (TypeError, ValueError, OverflowError) as error:
        why = f"Got {format_value(value)}: {error}."
        raise ConfigError(f"{name} has to be a number.", why, "Convert it with float().") from error
    return score if math.isfinite(score) else None


def _seed(value: Any) -> int | None:
    if value is None:
        return None
    try:
        seed = operator.index(to_scalar(value))
    except TypeError as error:
        fix = "Pass the seed with which the episode was reset."
        raise ConfigError("seed has to be a whole number.", f"Got {format_value(value)}.", fix) from error
    if not -(2**63) <= seed < 2**63:
        raise ConfigError("seed is too large.", f"Got {seed}.", "Pass a number of 64 bits.")
    return seed
