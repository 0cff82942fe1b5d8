"""The templates of a workspace: a YAML file each, beside its artifacts, to be read, shared and versioned."""

from __future__ import annotations

import hashlib
import re
import tempfile
from contextlib import suppress
from pathlib import Path

from pipeline_widgets.persistence import filesystem

_STEM = 48  # characters of a name that a file name repeats
_DIGITS = 8  # of the digest by which names that are alike in a file name are told apart


class TemplateFiles:
    """The files of templates.

    Args:
        folder: Where they lie; it is made when the first one is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read_all(self) -> list[str]:
        """Return the texts of all templates, in the order of their file names."""
        found: list[str] = []
        with filesystem.translate_os_errors(self._folder):
            for path in sorted(self._folder.glob("*.yaml")):
                with suppress(FileNotFoundError):  # deleted meanwhile
                    found.append(path.read_text(encoding="utf-8", errors="replace"))
        return found

    def write(self, name: str, text: str) -> bool:
        """Write the template of a name; return False where there is one.

        The text is there as a whole, or not at all.
        """
        path = self._path(name)
        with filesystem.translate_os_errors(path):
            filesystem.make_private_folder(self._folder)
            with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".part") as draft:
                draft.write(text.encode())
                draft.flush()
                try:
                    path.hardlink_to(draft.name)
                except FileExistsError:
                    return False
        return True

    def delete(self, name: str) -> bool:
        """Delete the template of a name; return False where there is none."""
        path = self._path(name)
        with filesystem.translate_os_errors(path):
            try:
                path.unlink()
            except FileNotFoundError:
                return False
        return True

    def _path(self, name: str) -> Path:
        stem = re.sub(r"[^\w-]+", "-", name)[:_STEM].strip("-") or "template"
        digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]
        return self._folder / f"{stem}-{digest}.yaml"
