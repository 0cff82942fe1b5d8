"""The code of an algorithm: what its reference leads to, and the user's own modules that this imports.

Files are read, and nothing is imported. A file is parsed once for each version of it; after that, a record
costs a few calls of `stat`.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import decode_source

from pipeline_widgets.algorithms.former_paths import current_path
from pipeline_widgets.algorithms.own_modules import SETTLED, ModuleFinder, OwnModule
from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.code_record import CodePiece, CodeRecord, digest_of_text
from pipeline_widgets.domain.normalised_code import Import, normalise

MOST_FILES = 1000  # of one algorithm; further ones are left out
MOST_TEXT = 1 << 20  # bytes of a file that is parsed and kept; of a larger one, all bytes count
_FORGET_ABOVE = 4000  # files that are remembered


@dataclass(frozen=True, slots=True)
class _File:
    """A version of a file."""

    digest: str
    source: str | None
    text: str | None
    imports: tuple[Import, ...]


_files: dict[str, tuple[tuple[int, int, int], _File]] = {}


def record_code(reference: AlgorithmReference, known: CodeRecord | None = None) -> CodeRecord | None:
    """Return the code behind a reference, with the files as they are on disk now.

    What a cell or a script defines comes with the reference. An algorithm of an installed package has no
    pieces: the version of the package says which code it is. None for a cell's that an older version has
    kept, without a record of it.

    Args:
        reference: Where the algorithm is found.
        known: An earlier record of it. Where its files have the same bytes, none is parsed: that is for
            processes that have parsed nothing yet. Their texts are left out.
    """
    if reference.path is None and reference.code is None:
        return None
    own, start = _of_reference(reference)
    roots = [entry for entry in (reference.root or "").split(os.pathsep) if entry]
    finder = ModuleFinder([*map(_folder_of, filter(_is_script, start)), *roots])
    kept: Mapping[str, str] = {} if reference.code is None else reference.code.texts
    texts = {each.source: kept[each.source] for each in own if each.source and each.source in kept}
    files: list[CodePiece] = (
        [] if known is None else [piece for piece in known.pieces if not piece.definition]
    )
    is_known = known is not None and known.imports == start
    if not (is_known and all(_is_unchanged(piece, finder) for piece in files)):
        files = []
        for module, file in _reach_all(roots, start):
            files.append(CodePiece(file=module.name, digest=file.digest, source=file.source))
            if file.source is not None and file.text is not None:
                texts[file.source] = file.text
    return CodeRecord(pieces=(*own, *files), imports=start, texts=texts)


def confirm_code(reference: AlgorithmReference) -> CodeRecord | None:
    """Return the same, given the record in the reference: for a process that lives for one run."""
    return record_code(reference, reference.code)


def _of_reference(reference: AlgorithmReference) -> tuple[Sequence[CodePiece], tuple[str, ...]]:
    """Return the pieces that come with a reference, and the modules to begin with."""
    if reference.path is not None:
        return (), (current_path(reference.path.partition(":")[0]),)
    if reference.code is None:
        return (), ()
    return [piece for piece in reference.code.pieces if piece.definition], reference.code.imports


def _is_unchanged(piece: CodePiece, finder: ModuleFinder) -> bool:
    name = piece.file.removesuffix("/__init__.py")
    module = finder.find(name.partition(".")[0].replace("/", "."))
    if module is None or module.file is None or module.name != piece.file:
        return False
    try:
        with open(module.file, "rb") as file:  # noqa: PTH123
            data = file.read()
        if piece.source is None:
            return sha256(data).hexdigest() == piece.digest
        return digest_of_text(decode_source(data)) == piece.source
    except (OSError, SyntaxError, UnicodeDecodeError):
        return False


def _is_script(start: str) -> bool:
    """Return whether it is the path of a training script, and not the name of a module."""
    return os.sep in start


def _folder_of(script: str) -> str:
    """Return the folder in which Python finds the modules that a script imports."""
    return os.path.dirname(os.path.realpath(script))  # noqa: PTH120  a Path takes ten times as long


def _reach_all(roots: Sequence[str], start: Sequence[str]) -> Iterator[tuple[OwnModule, _File]]:
    """Yield scripts, and the user's own modules that they or these modules lead to, once each.

    A script finds its modules beside itself; it has no part in the search path of the process that starts it.
    """
    seen = set[str | None]()
    scripts = [each for each in start if _is_script(each)]
    found = list(_reach(ModuleFinder(roots), [each for each in start if not _is_script(each)]))
    for script in scripts:
        if (file := _read(script)) is None:
            continue
        finder = ModuleFinder([_folder_of(script)])
        found.append((OwnModule(script, os.path.basename(script)), file))  # noqa: PTH119
        imported = [name for each in file.imports for name in _modules_of(each, "", finder)]
        found += _reach(finder, imported)
    for module, file in found:
        if module.file not in seen:
            seen.add(module.file)
            yield module, file


def _reach(finder: ModuleFinder, start: Sequence[str]) -> Iterator[tuple[OwnModule, _File]]:
    """Yield the user's own modules that these modules are and import, and what those import, and so on."""
    left, seen = deque(start), set[str]()
    while left and len(seen) < MOST_FILES:
        name = left.popleft()
        for module in _with_packages(name):
            found = finder.find(module)
            if module in seen or found is None:
                continue
            seen.add(module)
            if found.file is None or (file := _read(found.file)) is None:
                continue
            yield found, file
            package = module if found.folders else module.rpartition(".")[0]
            for each in file.imports:
                left += _modules_of(each, package, finder)


def _with_packages(module: str) -> list[str]:
    """Return a module after the packages that are imported with it."""
    parts = module.split(".")
    return [".".join(parts[: at + 1]) for at in range(len(parts))]


def _modules_of(each: Import, package: str, finder: ModuleFinder) -> list[str]:
    """Return the absolute names of what an import may import."""
    base = each.module
    if each.level:
        parts = package.split(".")
        above = parts[: len(parts) - each.level + 1]
        base = ".".join([*above, each.module] if each.module else above)
    if not base or finder.find(base) is None:
        return []
    return [base, *(f"{base}.{name}" for name in each.names if name != "*")]


def _read(path: str) -> _File | None:
    """Return a file, which is parsed once for each version of it."""
    try:
        status = os.stat(path)  # noqa: PTH116  a Path takes ten times as long
        key = (status.st_mtime_ns, status.st_size, status.st_ino)
        known = _files.get(path)
        if known is not None and known[0] == key:
            return known[1]
        with open(path, "rb") as opened:  # noqa: PTH123
            data = opened.read()
    except OSError:
        return None
    file = _parse(data, is_text=path.endswith(".py"))
    if time.time_ns() - status.st_mtime_ns > SETTLED:
        if len(_files) > _FORGET_ABOVE:
            _files.clear()
        _files[path] = (key, file)
    return file


def _parse(data: bytes, *, is_text: bool) -> _File:
    if is_text and len(data) <= MOST_TEXT:
        try:
            text = decode_source(data)
        except (SyntaxError, UnicodeDecodeError):
            text = data.decode(errors="replace")
        normal = normalise(text)
        return _File(normal.digest, digest_of_text(text), text, normal.imports)
    return _File(sha256(data).hexdigest(), None, None, ())
