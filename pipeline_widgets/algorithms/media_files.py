"""Images and videos as files that a browser shows: what a file really is, and files made of arrays of pixels.

PNG and animated PNG are written here, with the standard library and numpy. With PyAV (the extra `video`) a
video is H.264, which takes a fraction of the room.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from pipeline_widgets.domain.shown_item import MEDIA_TYPES, MOST_IMAGE, MOST_VIDEO
from pipeline_widgets.domain.text import with_article
from pipeline_widgets.errors import ConfigError, format_value

Pixels: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]

MOST_SIDE = 8_192  # pixels of an image
MOST_FRAMES = 10_000  # of a video that is made of an array
MOST_PIXELS = 2 << 30  # of all frames together, three bytes each
FPS, MOST_FPS = 30.0, 240.0  # frames a second
_HEAD = 512 << 10  # bytes of a file in which its type and size are looked for
_PNG = b"\x89PNG\r\n\x1a\n"
_EBML = b"\x1a\x45\xdf\xa3"
_STILL = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})
_MOVING = frozenset({"image/png", "image/webp", "image/gif", "video/mp4", "video/webm"})
_COLOURS = {1: 0, 3: 2, 4: 6}  # of PNG, by the number of channels


@dataclass(frozen=True, kw_only=True, slots=True)
class Media:
    """A file that is to be kept: its bytes, or where it lies."""

    media_type: str
    data: bytes | None = None
    source: Path | None = None
    width: int | None = None
    height: int | None = None
    seconds: float | None = None

    @property
    def size(self) -> int:
        """Bytes."""
        return (
            len(self.data)
            if self.data is not None
            else 0
            if self.source is None
            else self.source.stat().st_size
        )


def read_image(image: Any) -> Media:
    """Return an image as a file.

    Args:
        image: A path; an array (height, width) or (height, width, 1, 3 or 4) of uint8, or of floats from 0
            to 1; a tensor of that shape; an image of Pillow, or a figure of Matplotlib.

    Raises:
        ConfigError: It is none of these, or too large.
    """
    if isinstance(image, (str, Path)):
        return _read_file(Path(image), _STILL, "image", MOST_IMAGE)
    if callable(getattr(image, "savefig", None)):
        data = io.BytesIO()
        image.savefig(data, format="png")
        return _check_size(_describe(data.getvalue()), "image", MOST_IMAGE)
    if callable(getattr(image, "save", None)) and hasattr(image, "mode"):
        data = io.BytesIO()
        (image if image.mode in {"L", "RGB", "RGBA"} else image.convert("RGBA")).save(data, format="PNG")
        return _check_size(_describe(data.getvalue()), "image", MOST_IMAGE)
    pixels = _to_pixels(image, "image", "(height, width), (height, width, 3) or (height, width, 4)")
    if pixels.ndim == 2:  # noqa: PLR2004  height and width
        pixels = pixels[:, :, None]
    if pixels.ndim != 3 or pixels.shape[2] not in _COLOURS:  # noqa: PLR2004
        raise _wrong_shape("image", "(height, width), (height, width, 3) or (height, width, 4)", pixels.shape)
    _check_sides(pixels.shape[1], pixels.shape[0], "image[::2, ::2]")
    media = Media(
        media_type="image/png", data=encode_png(pixels), width=pixels.shape[1], height=pixels.shape[0]
    )
    return _check_size(media, "image", MOST_IMAGE)


def read_video(video: Any, fps: float | None) -> Media:
    """Return a video as a file.

    Args:
        video: A path of an MP4, WebM or GIF file, or an array (frames, height, width), or (frames, height,
            width, 1, 3 or 4), of uint8 or of floats from 0 to 1; a list of such frames.
        fps: Frames a second of an array; 30 by default.

    Raises:
        ConfigError: It is neither, or too large.
    """
    if isinstance(video, (str, Path)):
        if fps is not None:
            raise ConfigError("A file has its own frames a second.", fix="Leave out fps.")
        return _read_file(Path(video), _MOVING, "video", MOST_VIDEO)
    rate = FPS if fps is None else float(fps)
    if not 0 < rate <= MOST_FPS:
        raise ConfigError(
            f"fps is {fps!r}.", f"A video has up to {MOST_FPS:g} frames a second.", "Pass fps=30."
        )
    shapes = "(frames, height, width) or (frames, height, width, 3)"
    pixels = _to_pixels(video, "video", shapes)
    if pixels.ndim == 3:  # noqa: PLR2004  frames, height and width
        pixels = pixels[..., None]
    if pixels.ndim != 4 or pixels.shape[3] not in _COLOURS or not len(pixels):  # noqa: PLR2004
        raise _wrong_shape("video", shapes, pixels.shape)
    if len(pixels) > MOST_FRAMES or pixels[..., 0].size > MOST_PIXELS // 3:
        what = (
            f"A video of {len(pixels):,} frames of {pixels.shape[2]} by {pixels.shape[1]} pixels is too long."
        )
        why = f"At most {MOST_FRAMES:,} frames and {MOST_PIXELS >> 20:,} MB of pixels are encoded."
        raise ConfigError(what, why, "Show every second frame, video[::2], or half of the height and width.")
    _check_sides(pixels.shape[2], pixels.shape[1], "video[:, ::2, ::2]")
    colour = pixels.repeat(3, axis=3) if pixels.shape[3] == 1 else pixels[..., :3]
    encoded = encode_h264(colour, rate)
    data, media_type = (encoded, "video/mp4") if encoded else (encode_apng(colour, rate), "image/png")
    media = Media(
        media_type=media_type,
        data=data,
        width=pixels.shape[2],
        height=pixels.shape[1],
        seconds=len(pixels) / rate,
    )
    install = "" if encoded else "Install what compresses videos: pip install 'pipeline-widgets[video]'. "
    return _check_size(media, "video", MOST_VIDEO, install)


def find_media_type(head: bytes) -> str | None:
    """Return the type of a file by what it begins with; None where it is none that is kept."""
    if head.startswith(_PNG):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[:6] in {b"GIF87a", b"GIF89a"}:
        return "image/gif"
    if head[4:8] == b"ftyp":
        return "video/mp4"
    if head.startswith(_EBML) and b"webm" in head[:128]:
        return "video/webm"
    return None


def find_sides(head: bytes, media_type: str) -> tuple[int, int] | None:
    """Return the width and the height of an image in pixels; None where its first bytes do not tell."""
    try:
        match media_type:
            case "image/png":
                return struct.unpack(">II", head[16:24])
            case "image/gif":
                return struct.unpack("<HH", head[6:10])
            case "image/webp":
                return _find_webp_sides(head)
            case "image/jpeg":
                return _find_jpeg_sides(head)
            case _:
                return None
    except (struct.error, IndexError):
        return None


def encode_png(pixels: Pixels) -> bytes:
    """Return pixels (height, width, 1, 3 or 4) as a PNG file."""
    return b"".join([_PNG, _header(pixels), _chunk(b"IDAT", _compress(pixels)), _chunk(b"IEND", b"")])


def encode_apng(frames: Pixels, fps: float) -> bytes:
    """Return frames (frames, height, width, 3) as an animated PNG file that begins again at its end.

    Of each frame only the rectangle is kept that differs from the frame before.
    """
    delay = struct.pack(">HH", max(1, round(1000 / fps)), 1000)
    parts = [_PNG, _header(frames[0]), _chunk(b"acTL", struct.pack(">II", len(frames), 0))]
    number = 0
    for at, frame in enumerate(frames):
        top, bottom, left, right = (
            _changed(frames[at - 1], frame) if at else (0, len(frame), 0, frame.shape[1])
        )
        place = struct.pack(">IIIII", number, right - left, bottom - top, left, top)
        parts.append(_chunk(b"fcTL", place + delay + b"\x00\x00"))
        number += 1
        data = _compress(frame[top:bottom, left:right])
        if at == 0:
            parts.append(_chunk(b"IDAT", data))
        else:
            parts.append(_chunk(b"fdAT", struct.pack(">I", number) + data))
            number += 1
    return b"".join([*parts, _chunk(b"IEND", b"")])


def encode_h264(frames: Pixels, fps: float) -> bytes | None:
    """Return frames (frames, height, width, 3) as an MP4 file; None without PyAV."""
    try:
        import av  # noqa: PLC0415  an extra, which takes its time
    except ImportError:
        return None
    _, height, width, _ = frames.shape
    padded = ((0, height % 2), (0, width % 2), (0, 0))  # the colours of H.264 have half of the sides
    written: Any = io.BytesIO()
    coder: Any = av
    with coder.open(written, "w", format="mp4") as file:
        rate = Fraction(fps).limit_denominator(1000)
        stream = file.add_stream("libx264", rate=rate, options={"crf": "23", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
        for frame in frames:
            picture = np.ascontiguousarray(np.pad(frame, padded, mode="edge"))
            file.mux(stream.encode(coder.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())
    return written.getvalue()


def _header(pixels: Pixels) -> bytes:
    height, width, channels = pixels.shape
    return _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, _COLOURS[channels], 0, 0, 0))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return b"".join([struct.pack(">I", len(data)), kind, data, struct.pack(">I", zlib.crc32(kind + data))])


def _compress(pixels: Pixels) -> bytes:
    """Return the lines of an image, each as the difference to the one above, compressed."""
    height = pixels.shape[0]
    lines = np.ascontiguousarray(pixels).reshape(height, -1)
    filtered = np.empty((height, lines.shape[1] + 1), np.uint8)
    filtered[:, 0] = 2  # the filter "Up"
    filtered[0, 1:] = lines[0]
    np.subtract(lines[1:], lines[:-1], out=filtered[1:, 1:])
    return zlib.compress(filtered.tobytes(), 6)


def _changed(before: Pixels, now: Pixels) -> tuple[int, int, int, int]:
    """Return top, bottom, left and right of what differs; one pixel where nothing does."""
    differs = (before != now).any(axis=2)
    rows, columns = differs.any(axis=1).nonzero()[0], differs.any(axis=0).nonzero()[0]
    if not len(rows):
        return 0, 1, 0, 1
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _to_pixels(value: Any, noun: str, shapes: str) -> Pixels:
    """Return an array of uint8."""
    if callable(getattr(value, "detach", None)) and callable(getattr(value, "cpu", None)):
        value = value.detach().cpu().numpy()  # a tensor, which may be on a GPU
    try:
        found = np.asarray(value)
    except Exception as error:
        why = f"{type(error).__name__}: {error}."
        raise ConfigError(
            f"The {noun} is not an array of pixels.", why, f"Pass an array {shapes}."
        ) from error
    if found.dtype == np.bool_:
        return (found * np.uint8(255)).astype(np.uint8)
    if found.dtype == np.uint8:
        return found
    if found.dtype.kind not in "iuf":
        why = f"It is {format_value(value)}, of type {type(value).__name__}."
        fix = f"Pass an array {shapes}, or the path of a file."
        raise ConfigError(f"The {noun} is not an array of pixels.", why, fix)
    most = 1 if found.dtype.kind == "f" else 255
    low, high = (float(found.min()), float(found.max())) if found.size else (0.0, 0.0)
    if not (low >= 0 and high <= most):  # also where it holds NaN
        what = f"The pixels of the {noun} go from {low:g} to {high:g}."
        why = "Integers go from 0 to 255, floats from 0 to 1."
        raise ConfigError(what, why, f"Scale them: ({noun} - low) / (high - low).")
    return (found * (255 if most == 1 else 1) + (0.5 if most == 1 else 0)).astype(np.uint8)


def _wrong_shape(noun: str, shapes: str, shape: tuple[int, ...]) -> ConfigError:
    axes = ", ".join(str(each) for each in (*range(len(shape) - 3), -2, -1, -3)) if len(shape) > 2 else ""  # noqa: PLR2004
    first = len(shape) > 2 and shape[-3] in _COLOURS  # noqa: PLR2004
    fix = f"Put the channels last: {noun}.transpose({axes})." if first else f"Pass an array {shapes}."
    return ConfigError(f"The {noun} has the shape {tuple(shape)}.", f"It has to be {shapes}.", fix)


def _check_sides(width: int, height: int, smaller: str) -> None:
    if not (0 < width <= MOST_SIDE and 0 < height <= MOST_SIDE):
        what = f"The picture has {width:,} by {height:,} pixels."
        raise ConfigError(what, f"A side has 1 to {MOST_SIDE:,}.", f"Show a smaller one: {smaller}.")


def _check_size(media: Media, noun: str, most: int, install: str = "") -> Media:
    if media.size > most:
        what = f"The {noun} has {media.size / 2**20:.1f} MB."
        why = f"An item that is shown has at most {most >> 20} MB."
        raise ConfigError(what, why, f"{install}Show fewer pixels{'' if noun == 'image' else ' or frames'}.")
    return media


def _read_file(path: Path, allowed: frozenset[str], noun: str, most: int) -> Media:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise ConfigError(
            f"The {noun} {str(path)!r} cannot be read.", f"{error}.", "Check the path."
        ) from error
    found = find_media_type(head)
    if found is None or found not in allowed:
        kinds = sorted({MEDIA_TYPES[each].upper() for each in allowed})
        kept = f"{', '.join(kinds[:-1])} and {kinds[-1]}"
        why = (
            f"Its content is {found or 'of another kind'}. Kept are {kept}; not SVG, which can hold scripts."
        )
        raise ConfigError(
            f"{path.name!r} cannot be shown as {with_article(noun)}.", why, "Save it as one of these."
        )
    sides = find_sides(head, found)
    if sides is not None:
        _check_sides(*sides, "half of its width and height")
    width, height = sides or (None, None)
    media = Media(media_type=found, source=path.absolute(), width=width, height=height)
    return _check_size(media, noun, most)


def _describe(data: bytes) -> Media:
    width, height = find_sides(data[:_HEAD], "image/png") or (0, 0)
    _check_sides(width, height, "half of its width and height")
    return Media(media_type="image/png", data=data, width=width, height=height)


def _find_webp_sides(head: bytes) -> tuple[int, int] | None:
    kind = head[12:16]
    if kind == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return None


def _find_jpeg_sides(head: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 < len(head) and head[at] == 0xFF:  # noqa: PLR2004  each segment begins with it
        marker, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:  # noqa: PLR2004  start of frame
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return width, height
        at += 2 + length
    return None
