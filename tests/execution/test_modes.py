"""What a workspace leaves on disk can be read by its user only, whatever the umask."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import databases
from benches import Bench, end_all


def test_row_14_nobody_else_can_read_a_workspace(tmp_path: Path, umask: Callable[[int], None]) -> None:
    """With umask 0 folders are 0700 and files 0600; what the train function has written is read-only."""
    umask(0)
    bench = Bench(tmp_path / "new" / "folder")
    try:
        pipe = bench.chain({}, {})
        pipe.add_deployment_stage("agent", trigger="auto")
        pipe.stages[0].trigger()
        pipe.wait(60)
        assert [stage.status for stage in pipe.stages] == ["Succeeded"] * 3
        made = [tmp_path / "new", *(tmp_path / "new").rglob("*")]
        names = {path.name for path in made}
        files = {"log.txt", "supervisor.log", "00000001.key", "00000001.log"}
        assert names >= (files if databases.is_postgresql() else {*files, "lab.db"})
        loose = [
            str(path.relative_to(tmp_path))
            for path in made
            if stat.S_IMODE(path.stat().st_mode) != (0o700 if path.is_dir() else 0o600)
        ]
        assert {path.split("/")[-3] for path in loose} == {
            "checkpoints",
            "agents",
        }  # .../checkpoints/NAME/state.txt
        assert all(path.endswith("state.txt") for path in loose)
        assert not any(
            (tmp_path / path).stat().st_mode & 0o222 for path in loose
        )  # an agent's copy may share it
    finally:
        for agent in bench.ws.agents:
            agent.disconnect()
        end_all(bench)
