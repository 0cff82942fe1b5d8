"""Logs in parts: every line once, in order, with its time; searched and saved whole (spec 9.7)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_widgets.persistence import log_parts, log_times
from pipeline_widgets.persistence.log_parts import (
    find_time,
    iterate_lines,
    read_part,
    read_raw,
    search_log,
)
from pipeline_widgets.persistence.log_times import LogTimes, LogTimesWriter, read_log_times

LINES = st.lists(st.text("ab ßÄ\x1b[0m%", max_size=12), max_size=40)


def write(folder: Path, data: bytes) -> Path:
    """Return a log with that content."""
    path = folder / "log.txt"
    path.write_bytes(data)
    return path


@pytest.mark.spec("9.7")
@settings(max_examples=60)
@given(lines=LINES, part=st.integers(1, 64), ends=st.booleans())
def test_parts_follow_each_other_whichever_way(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[str],
    part: int,
    ends: bool,  # noqa: FBT001
) -> None:
    """Read forwards or backwards, parts are the whole log, cut between lines unless one is too long."""
    data = "\n".join(lines).encode() + (b"\n" if ends else b"")
    path = write(tmp_path_factory.mktemp("logs"), data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_parts, "PART", part)
        forwards, at = b"", 0
        while at < len(data):
            found = read_part(path, at=at)
            assert found.start == at < found.end
            forwards += data[found.start : found.end]
            assert all(
                data[line.offset - 1 : line.offset] in (b"", b"\n") or line.offset == at
                for line in found.lines
            )
            at = found.end
        assert forwards == data
        backwards, before = b"", len(data)
        while before:
            found = read_part(path, before=before)
            assert found.start < found.end == before
            backwards = data[found.start : found.end] + backwards
            before = found.start
        assert backwards == data


@pytest.mark.spec("9.7")
@settings(max_examples=60)
@given(lines=LINES, text=st.text("abßÄ%", min_size=1, max_size=3), most=st.integers(40, 200))
def test_a_search_finds_every_line_that_holds_a_text(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], text: str, most: int
) -> None:
    """What is found a few bytes at a time are the lines that hold the text, in upper or lower case."""
    data = "".join(f"{line}\n" for line in lines).encode()
    path = write(tmp_path_factory.mktemp("logs"), data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_parts, "SEARCHED", most)
        patch.setattr(log_parts, "MOST_FOUND", 3)
        found: list[int] = []
        at: int | None = 0
        while at is not None:
            part = search_log(path, text, at)
            found += part.offsets
            at = part.next
    expected, offset = [], 0
    either = re.compile("".join({"Ä": "[Ää]", "ß": "ß"}.get(each, f"(?i:{each})") for each in text))
    for line in lines:
        if either.search(line):
            expected.append(offset)
        offset += len(line.encode()) + 1
    assert found == expected


@pytest.mark.spec("9.7")
def test_lines_have_the_time_by_which_they_were_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pair is kept where the log has grown; a line has the time of the first look at which it was there."""
    now = 1000.0
    monkeypatch.setattr(log_times.time, "time", lambda: now)
    path = write(tmp_path, b"")
    writer = LogTimesWriter(path)
    for text in ("one\ntwo\nthr", "", "ee\n", "four\n"):
        now += 10
        path.write_bytes(path.read_bytes() + text.encode())
        writer.note()
    path.write_bytes(path.read_bytes() + b"late\n")
    part = read_part(path)
    assert [(line.text, line.time) for line in part.lines] == [
        ("one", 1010.0),
        ("two", 1010.0),
        ("three", 1010.0),
        ("four", 1040.0),
        ("late", None),
    ]
    assert part.timed
    assert (path.with_name("log-times.bin")).stat().st_size == 3 * 16
    assert find_time(path, 1000.0) == 0
    assert find_time(path, 1011.0) == len("one\ntwo\nthree\n")
    writer.note(ends=True)
    assert [line.time for line in iterate_lines(path)][-1] == 1040.0


@pytest.mark.spec("9.7")
def test_a_log_of_an_older_run_has_no_times(tmp_path: Path) -> None:
    """Without times lines have none, and no moment can be found; damaged ones are left out."""
    path = write(tmp_path, b"one\n")
    assert not read_part(path).timed
    assert find_time(path, 5.0) is None
    path.with_name("log-times.bin").write_bytes(b"damaged")
    assert read_log_times(path) == LogTimes([], [])
    assert read_part(tmp_path / "none.txt").lines == ()
    assert search_log(tmp_path / "none.txt", "a").offsets == ()
    assert read_raw(tmp_path / "none.txt", 0) == (b"", None)


@pytest.mark.spec("9.7")
def test_a_large_log_is_read_where_it_is_looked_at(tmp_path: Path) -> None:
    """Of 200 MB a part, or a search step, reads a few megabytes; what is saved is every byte."""
    path = tmp_path / "log.txt"
    with path.open("wb") as file:
        file.seek(200 << 20)
        file.write(b"\nthe end\n")
    part = read_part(path)
    assert part.lines[-1].text == "the end"
    assert part.end - part.start <= log_parts.PART
    step = search_log(path, "end")
    assert step.next is not None
    assert step.next <= log_parts.SEARCHED
    whole, at = 0, 0
    at = (200 << 20) - 10
    while at is not None:
        data, at = read_raw(path, at)
        whole += len(data)
    assert whole == 10 + len(b"\nthe end\n")
