"""`ctx.show`: what can be shown, what is kept of it, and what is refused (spec 9.4)."""

from __future__ import annotations

import io
import struct
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from direct_runs import context
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.algorithms import context as context_module
from pipeline_widgets.algorithms import media_files
from pipeline_widgets.algorithms.media_files import encode_apng, encode_h264, encode_png, find_sides
from pipeline_widgets.algorithms.showing import prepare_item
from pipeline_widgets.domain.job import ShowReport
from pipeline_widgets.domain.shown_item import MOST_SAMPLES, MOST_TEXT, Sample
from pipeline_widgets.domain.text import is_encodable
from pipeline_widgets.errors import ConfigError

pytestmark = pytest.mark.spec("9.4")

GREY = np.arange(6, dtype=np.uint8).reshape(2, 3)
COLOUR = np.repeat(GREY[:, :, None], 3, axis=2)
VIDEO = np.stack([COLOUR, COLOUR + 1, COLOUR + 1])


def show(folder: Path, step: int = 1, **what: Any) -> ShowReport:
    """Show something, and return the report of it."""
    ctx, run = context(folder)
    assert ctx.show(step, **what)
    (event,) = run.events
    assert isinstance(event, ShowReport)
    return event


def file_of(event: ShowReport) -> Path:
    """Return the only file that was published."""
    assert event.folder is not None
    (file,) = event.folder.path.iterdir()
    return file


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return the chunks of a PNG file, whose checksums have to be right."""
    found, at = list[tuple[bytes, bytes]](), 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + content)
        found.append((kind, content))
        at += 12 + length
    return found


@pytest.mark.parametrize(
    ("given_sample", "kept"),
    [
        ({"prompt": "a", "output": "b"}, Sample("a", "b")),
        ({"prompt": "a", "output": "b", "score": 1, "reference": "c"}, Sample("a", "b", 1.0, "c")),
        (("a", "b"), Sample("a", "b")),
        (("a", "b", np.float32(0.5)), Sample("a", "b", 0.5)),
        (["a", "b", None, "c"], Sample("a", "b", None, "c")),
        (("a", "b", float("nan")), Sample("a", "b", None)),
        (("a", "b", float("-inf")), Sample("a", "b", None)),
        (("<b>a</b>", "\x00\ud800"), Sample("<b>a</b>", "��")),
    ],
)
def test_samples_are_mappings_or_tuples(tmp_path: Path, given_sample: Any, kept: Sample) -> None:
    """Scores may be of any library; one that is not finite is none. What no database stores is replaced."""
    event = show(tmp_path, 7, samples=[given_sample], caption="Held-out prompts")
    assert (event.step, event.kind, event.caption) == (7, "samples", "Held-out prompts")
    assert event.samples == (kept,)
    assert event.folder is None


def test_a_long_text_is_cut_and_says_so(tmp_path: Path) -> None:
    """An answer that does not end is no reason to end the training; a hundred of them share the room."""
    (sample,) = show(tmp_path, samples=[("a", "b" * (MOST_TEXT + 1_234))]).samples
    assert sample.output == "b" * MOST_TEXT + "… [1,234 more characters]"
    many = show(tmp_path, samples=[("a", "b" * 100_000)] * MOST_SAMPLES).samples
    assert sum(each.size for each in many) < 300_000
    assert many[0].output.endswith("more characters]")


@given(
    st.lists(
        st.tuples(
            st.text(max_size=50),
            st.text(max_size=50),
            st.none() | st.floats(),
            st.none() | st.text(max_size=9),
        ),
        min_size=1,
        max_size=MOST_SAMPLES,
    )
)
def test_any_texts_and_scores_can_be_shown(samples: list[tuple[str, str, float | None, str | None]]) -> None:
    """Each keeps its place, and what is kept can be stored and sent as JSON."""
    kept = prepare_item(samples=samples).samples
    assert len(kept) == len(samples)
    for before, after in zip(samples, kept, strict=True):
        assert len(after.prompt) == len(before[0])
        assert is_encodable(after.prompt + after.output + (after.reference or ""))
        assert after.score is None or (after.score == before[2] and abs(after.score) < float("inf"))


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({}, "was given nothing to show. It shows one thing at a time. Pass samples, image or video."),
        ({"image": GREY, "samples": [("a", "b")]}, "was given samples and image."),
        ({"samples": []}, "There are no samples"),
        ({"samples": "ab"}, "samples is a list. Got 'ab'."),
        ({"samples": {"prompt": "a"}}, "samples is a list."),
        ({"samples": [("a",)]}, r"samples\[0\] is \('a',\). It has to be a mapping or a tuple."),
        ({"samples": [("a", "b"), "cd"]}, r"samples\[1\] is 'cd'."),
        ({"samples": [{"prompt": "a"}]}, r"samples\[0\] has no output."),
        (
            {"samples": [{"prompt": "a", "output": "b", "reward": 1}]},
            "has the field 'reward'. A sample has prompt",
        ),
        ({"samples": [("a", 3)]}, r"samples\[0\]: output has to be text. Got 3, a int."),
        ({"samples": [("a", "b", "good")]}, r"samples\[0\]: score has to be a number."),
        ({"samples": [("a", "b")] * 101}, "101 samples are too many. An item has at most 100."),
        ({"samples": [("a", "b")], "prompt": "a"}, "Samples have a prompt each."),
        ({"samples": [("a", "b")], "fps": 3}, "Only a video has frames a second."),
        ({"image": GREY, "seed": 0.5}, "seed has to be a whole number."),
        ({"image": GREY, "seed": 2**63}, "seed is too large."),
        ({"image": GREY, "caption": 3}, "caption has to be text."),
        (
            {"image": np.zeros((3, 8, 9))},
            r"shape \(3, 8, 9\).*Put the channels last: image.transpose\(-2, -1, -3\)",
        ),
        ({"image": np.zeros(4)}, r"The image has the shape \(4,\)."),
        ({"image": np.zeros((0, 4))}, "The picture has 4 by 0 pixels."),
        ({"image": np.zeros((1, 8_193))}, r"8,193 by 1 pixels. A side has 1 to 8,192. .* image\[::2, ::2\]"),
        (
            {"image": np.full((2, 2), 1.5)},
            "The pixels of the image go from 1.5 to 1.5. Integers go from 0 to 255",
        ),
        ({"image": np.full((2, 2), np.nan)}, "go from nan to nan"),
        ({"image": np.full((2, 2), -1)}, "go from -1 to -1"),
        ({"image": object()}, "The image is not an array of pixels."),
        ({"image": [[1], [1, 2]]}, "The image is not an array of pixels."),
        ({"image": "nothing.png"}, "The image 'nothing.png' cannot be read."),
        ({"video": VIDEO, "fps": 0}, "fps is 0. A video has up to 240 frames a second."),
        ({"video": COLOUR[0, 0]}, r"The video has the shape \(3,\)."),
        ({"video": np.zeros((4, 3, 8, 9))}, r"Put the channels last: video.transpose\(0, -2, -1, -3\)"),
        ({"video": np.zeros((0, 8, 9, 3))}, "The video has the shape"),
        (
            {"video": np.broadcast_to(np.uint8(0), (10_001, 8, 8, 3))},
            "10,001 frames of 8 by 8 pixels is too long",
        ),
    ],
)
def test_what_cannot_be_shown_says_why_and_what_to_do(
    tmp_path: Path, what: dict[str, Any], message: str
) -> None:
    """Nothing of it is kept."""
    ctx, run = context(tmp_path)
    with pytest.raises(ConfigError, match=message):
        ctx.show(1, **what)
    assert run.events == []
    assert not list(tmp_path.rglob("*.png"))


@pytest.mark.parametrize("step", [-1, 0.5, None, 2**63])
def test_a_step_is_a_whole_number(tmp_path: Path, step: Any) -> None:
    """As for a report."""
    ctx, _ = context(tmp_path)
    with pytest.raises(ConfigError, match="step has to be a whole number"):
        ctx.show(step, image=GREY)


@pytest.mark.parametrize(
    "image",
    [
        GREY,
        GREY[:, :, None],
        COLOUR,
        np.concatenate([COLOUR, COLOUR[:, :, :1]], axis=2),
        COLOUR / 255,
        GREY.astype(np.int64),
        GREY > 2,
        COLOUR.tolist(),
        COLOUR.astype(np.float32) / 255,
    ],
)
def test_an_array_becomes_a_png_of_the_same_pixels(tmp_path: Path, image: Any) -> None:
    """Whatever numbers it is made of."""
    Image = pytest.importorskip("PIL.Image")
    event = show(tmp_path, image=image, seed=np.int64(3), prompt="a cat")
    assert (event.kind, event.media_type, event.width, event.height) == ("image", "image/png", 3, 2)
    assert (event.seed, event.prompt) == (3, "a cat")
    file = file_of(event)
    assert file.name == "item.png"
    read = np.asarray(Image.open(file))
    expected = np.asarray(image)
    if expected.dtype == bool:
        expected = expected * 255
    if expected.dtype.kind == "f":
        expected = np.rint(expected * 255)
    assert (read.reshape(expected.shape) == expected).all()
    assert find_sides(file.read_bytes(), "image/png") == (3, 2)


def test_tensors_figures_and_pictures_of_pillow_are_images(tmp_path: Path) -> None:
    """A tensor may be on a GPU; a figure saves itself."""
    Image = pytest.importorskip("PIL.Image")

    class Tensor:
        def detach(self) -> Tensor:
            return self

        def cpu(self) -> Tensor:
            return self

        def numpy(self) -> Any:
            return COLOUR

    class Figure:
        def savefig(self, file: io.BytesIO, format: str) -> None:  # noqa: A002  Matplotlib's own
            assert format == "png"
            file.write(encode_png(COLOUR))

    assert show(tmp_path, image=Tensor()).width == 3
    assert show(tmp_path, image=Figure()).width == 3
    for mode in ("RGB", "L", "P", "CMYK", "1"):
        assert show(tmp_path, image=Image.fromarray(COLOUR).convert(mode)).height == 2


@pytest.mark.parametrize(
    ("form", "name", "media_type"),
    [
        ("PNG", "a.png", "image/png"),
        ("JPEG", "a.png", "image/jpeg"),
        ("GIF", "b", "image/gif"),
        ("WEBP", "c.svg", "image/webp"),
    ],
)
def test_a_file_is_known_by_its_content(tmp_path: Path, form: str, name: str, media_type: str) -> None:
    """Whatever it is called; it is kept under a name of ours, byte by byte."""
    Image = pytest.importorskip("PIL.Image")
    path = tmp_path / name
    Image.fromarray(np.repeat(COLOUR, 9, axis=0)).save(path, form)
    event = show(tmp_path / "run", image=str(path))
    assert (event.media_type, event.width, event.height) == (media_type, 3, 18)
    assert file_of(event).read_bytes() == path.read_bytes()
    assert event.folder is not None
    assert event.folder.size == path.stat().st_size


@pytest.mark.parametrize(
    ("content", "noun"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "image"),
        (b"<?xml version='1.0'?><svg/>", "image"),
        (b"<html>", "image"),
        (b"", "image"),
        (b"\x00\x00\x00\x18ftypmp42", "image"),
        (b"\x1a\x45\xdf\xa3 matroska", "video"),
        (b"\xff\xd8\xff\xe0", "video"),
        (b"%PDF-1.7", "video"),
    ],
)
def test_what_is_no_picture_is_refused_whatever_its_name_says(
    tmp_path: Path, content: bytes, noun: str
) -> None:
    """SVG above all, which can hold scripts."""
    path = tmp_path / "drawing.png"
    path.write_bytes(content)
    ctx, run = context(tmp_path)
    what: dict[str, Any] = {noun: path}
    with pytest.raises(ConfigError, match=f"'drawing.png' cannot be shown as an? {noun}.*not SVG"):
        ctx.show(1, **what)
    assert run.events == []


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"\x00\x00\x00\x18ftypisom" + b"\x00" * 20, "video/mp4"),
        (b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm", "video/webm"),
        (b"GIF89a\x03\x00\x02\x00", "image/gif"),
    ],
)
def test_a_video_file_is_kept_as_it_is(tmp_path: Path, content: bytes, media_type: str) -> None:
    """It has its own frames a second."""
    path = tmp_path / "episode"
    path.write_bytes(content)
    event = show(tmp_path / "run", video=path, caption="Walks")
    assert (event.kind, event.media_type) == ("video", media_type)
    assert file_of(event).read_bytes() == content
    with pytest.raises(ConfigError, match="A file has its own frames a second"):
        show(tmp_path / "again", video=path, fps=30)


def test_files_that_are_too_large_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By their bytes, and pictures by their pixels before anything decodes them."""
    monkeypatch.setattr(media_files, "MOST_IMAGE", 1 << 10)
    noise = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    with pytest.raises(ConfigError, match=r"The image has 0.0 MB. An item that is shown has at most 0 MB"):
        show(tmp_path, image=noise)
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", 60_000, 60_000))
    with pytest.raises(ConfigError, match="60,000 by 60,000 pixels"):
        show(tmp_path, image=bomb)


@given(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.randoms(use_true_random=False))
def test_an_animated_png_has_every_frame(count: int, height: int, width: int, random: Any) -> None:
    """Its parts are numbered without a gap, lie within the picture, and are as many as there are frames."""
    frames = np.array(
        [random.choice([0, 255]) for _ in range(count * height * width * 3)], dtype=np.uint8
    ).reshape(count, height, width, 3)
    found = chunks(encode_apng(frames, 25))
    assert [kind for kind, _ in found[:3]] == [b"IHDR", b"acTL", b"fcTL"]
    controls = [content for kind, content in found if kind == b"fcTL"]
    assert len(controls) == count
    numbered = [content[:4] for kind, content in found if kind in {b"fcTL", b"fdAT"}]
    assert [struct.unpack(">I", each)[0] for each in numbered] == list(range(2 * count - 1))
    for control in controls:
        wide, high, left, top, delay, unit = struct.unpack(">IIIIHH", control[4:24])
        assert 1 <= wide <= width - left
        assert 1 <= high <= height - top
        assert (delay, unit) == (40, 1000)


def test_an_animated_png_shows_the_frames(tmp_path: Path) -> None:
    """Read by Pillow, which knows nothing of how it was written."""
    Image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(1)
    frames = np.zeros((6, 20, 30, 3), np.uint8)
    for at, frame in enumerate(frames[1:], start=1):
        frame[:] = frames[at - 1]
        frame[at : at + 5, 2 * at : 2 * at + 4] = rng.integers(0, 256, 3)
    (tmp_path / "a.png").write_bytes(encode_apng(frames, 10))
    with Image.open(tmp_path / "a.png") as opened:
        assert opened.n_frames == 6
        for at, frame in enumerate(frames):
            opened.seek(at)
            assert (np.asarray(opened.convert("RGB")) == frame).all()


def test_a_video_is_h264_with_pyav(tmp_path: Path) -> None:
    """Odd sides as well, and its frames a second are those that were asked for."""
    av: Any = pytest.importorskip("av")
    frames = np.zeros((9, 21, 33, 3), np.uint8)
    for at, frame in enumerate(frames):
        frame[:, : 3 * at] = 200
    event = show(tmp_path, video=frames / 255, fps=12.5, caption="A bar grows")
    assert (event.media_type, event.width, event.height, event.seconds) == ("video/mp4", 33, 21, 9 / 12.5)
    with av.open(str(file_of(event))) as file:
        stream = file.streams.video[0]
        assert (float(stream.average_rate), stream.codec_context.name) == (12.5, "h264")
        read = [each.to_ndarray(format="rgb24") for each in file.decode(stream)]
    assert len(read) == 9
    means = [float(each.mean()) for each in read]
    assert all(before < after for before, after in pairwise(means))


def test_without_pyav_a_video_is_an_animated_png(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can be shown nevertheless; one that gets too large says what to install."""

    def no_h264(*_: object) -> None:
        return None

    monkeypatch.setattr(media_files, "encode_h264", no_h264)
    event = show(tmp_path, video=list(VIDEO))
    assert (event.kind, event.media_type, event.seconds) == ("video", "image/png", 0.1)
    assert show(tmp_path, video=VIDEO[..., 0]).media_type == "image/png"
    assert show(tmp_path, video=np.concatenate([VIDEO, VIDEO[..., :1]], axis=3)).media_type == "image/png"
    monkeypatch.setattr(media_files, "MOST_VIDEO", 100)
    with pytest.raises(
        ConfigError, match=r"pip install 'pipeline-widgets\[video\]'. Show fewer pixels or frames"
    ):
        show(tmp_path, video=VIDEO)


def test_pyav_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it there is no H.264, and no error."""
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    assert encode_h264(VIDEO, 30) is None


def test_a_run_has_room_for_so_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What comes after that is not kept; the log says so once, and the training goes on."""
    monkeypatch.setattr(context_module, "MOST_ITEMS", 3)
    ctx, run = context(tmp_path)
    assert [ctx.show(step, samples=[("a", "b")]) for step in range(5)] == [True] * 3 + [False] * 2
    assert len(run.events) == 3
    said = capsys.readouterr().out
    assert said.count("Warning: this run has no room for more to show. A run keeps 3 items and 2 GB") == 1
    monkeypatch.setattr(context_module, "MOST_OF_RUN", 100)
    ctx, run = context(tmp_path)
    assert ctx.show(1, samples=[("a", "b" * 50)])
    assert not ctx.show(2, samples=[("a", "b" * 50)])
    assert ctx.show(3, samples=[("a", "b" * 10)])
