"""Reading what a training has printed (spec 6.6)."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.persistence import logs
from pipeline_widgets.persistence.logs import read_log, render_log

pytestmark = pytest.mark.spec("6.6")


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    """A run that has not begun has printed nothing."""
    assert (render_log(tmp_path / "log.txt", 5), read_log(tmp_path / "log.txt", 5)) == ("", "")


pieces = st.lists(
    st.sampled_from([b"a", b"\n", b"\r", b"\r\n", "é".encode(), b"\xff", b"x" * 3000]), max_size=30
)


@given(pieces, st.integers(1, 12))
def test_a_tail_is_the_end_of_the_whole(printed: list[bytes], tail: int) -> None:
    """Whatever was printed, the last lines are those of the whole log."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log.txt")
        path.write_bytes(b"".join(printed))
        lines = read_log(path).removesuffix("\n").split("\n")
        assert read_log(path, tail).removesuffix("\n").split("\n") == lines[-tail:]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_in_the_place_of_a_log_is_not_waited_for(tmp_path: Path) -> None:
    """Whoever made the folder may have put anything there; reading it ends at once."""
    os.mkfifo(tmp_path / "log.txt")
    assert (render_log(tmp_path / "log.txt", 5), read_log(tmp_path / "log.txt", 5)) == ("", "")
    assert read_log(tmp_path / "log.txt") == ""


def test_of_an_endless_log_the_end_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of a terabyte, which takes no space on the disk, does not take as much memory."""
    monkeypatch.setattr(logs, "LOG_MOST", 1 << 20)
    with (tmp_path / "log.txt").open("wb") as file:
        file.truncate(1 << 40)
        file.seek(0, 2)
        file.write(b"the end")
    for text in (read_log(tmp_path / "log.txt"), read_log(tmp_path / "log.txt", 3)):
        assert text.endswith("the end")
        assert len(text) <= 4 << 20
