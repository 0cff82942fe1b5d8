"""What somebody does to a saved checkpoint who goes out of their way: its files are read-only."""

from __future__ import annotations

from pathlib import Path


def overwrite(path: Path, content: str | bytes) -> None:
    """Change a file that was saved, as a damaged disk or a stubborn user would."""
    path.chmod(path.stat().st_mode | 0o200)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
