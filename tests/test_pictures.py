"""The pictures of the README: each is there, small, and in both themes; `make pictures` makes them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PICTURES = ROOT / "docs" / "pictures"
NAMED = sorted(set(re.findall(r"docs/pictures/[\w.-]+", README)))
LARGEST = {".png": 300_000, ".webp": 1_500_000}  # bytes
ALL = 4_000_000  # bytes


@pytest.mark.parametrize("name", NAMED)
def test_a_picture_is_there_and_small(name: str) -> None:
    """What the README names is a file of its kind, under the limit."""
    path = ROOT / name
    assert 0 < path.stat().st_size <= LARGEST[path.suffix]
    with Image.open(path) as picture:
        assert picture.format == path.suffix[1:].upper()
        assert min(picture.size) >= 300


def test_each_picture_is_shown_light_and_dark() -> None:
    """A reader who likes it dark sees the dark one of about the same size."""
    stems = [re.sub(r"-(light|dark)$", "", Path(name).stem) for name in NAMED]
    assert NAMED
    assert all(stems.count(stem) == 2 for stem in stems), stems
    for name in NAMED:
        if "-light" in name:
            with Image.open(ROOT / name) as light, Image.open(ROOT / name.replace("-light", "-dark")) as dark:
                assert light.size[0] == dark.size[0]


def test_what_is_kept_is_shown_and_small_together() -> None:
    """Nothing lies in the folder that the README does not show; all together are a few MB."""
    kept = sorted(path.relative_to(ROOT).as_posix() for path in PICTURES.iterdir())
    assert kept == NAMED
    assert sum((ROOT / name).stat().st_size for name in kept) <= ALL


def test_each_picture_says_what_it_shows() -> None:
    """Who cannot see it reads what it shows."""
    images = re.findall(r"<img[^>]*>", README)
    assert len(images) == len(re.findall(r"<picture>", README))
    assert all(re.search(r'alt="[^"]{20,}"', image) for image in images)
