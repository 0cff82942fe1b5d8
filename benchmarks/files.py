"""What publishing and freezing a checkpoint costs beside `cp -r` and `sync`, in one run.

    python benchmarks/files.py [--megabytes 1024] [--files 10000] [--rounds 3] [--folder FOLDER]

Bytes read and written are those of the process, as the kernel counts them (`/proc/self/io`: rchar, wchar);
what a training itself writes into its draft does not count. "freeze" is of a checkpoint that another process
has published, "publish and freeze" what the worker does whose training makes an agent. Each way is a process
of its own. No mode keeps root from writing, so that its files are copied, not linked: where root runs this,
the processes are those of nobody.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import ctypes
import fcntl
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pipeline_widgets.domain.job import PublishedFolder
from pipeline_widgets.persistence import artifacts

#: What is imported when it is needed: nobody may read where root's Python is.
IMPORTED = (concurrent.futures.ThreadPoolExecutor, ctypes.CDLL, fcntl.ioctl)
MEBIBYTE = 1 << 20
NOBODY = 65534
PARENT, AGENTS, STEM = Path("runs/00000001/checkpoints"), Path("agents"), "0000000001"


def main() -> None:
    """Print seconds, ratios and bytes of each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1024, help="of the large checkpoint")
    parser.add_argument("--files", type=int, default=10_000, help="of the one with many files, 8 KiB each")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the files are, by default a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as made:
        folder = Path(made)
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        for title, write in (
            (f"{options.megabytes} MiB in one file", partial(write_large, megabytes=options.megabytes)),
            (f"{options.files:,} files", partial(write_many, files=options.files)),
        ):
            found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
            for _ in range(options.rounds):
                for way in WAYS:
                    found[way].append(measure(way, folder, write))
            show(title, found)


def measure(way: str, folder: Path, write: Callable[[Path], None]) -> dict[str, Any]:
    """Measure one way in a process of its own, with a draft that a training has just written."""
    shutil.rmtree(folder / "lab", ignore_errors=True)
    draft = folder / "lab" / PARENT / artifacts.name_draft()
    draft.mkdir(parents=True)
    os.sync()
    write(draft)
    if os.geteuid() == 0:
        for path in [folder / "lab", *(folder / "lab").rglob("*")]:
            os.chown(path, NOBODY, NOBODY)
    if way == "freeze":
        _call(publish, folder)
        os.sync()
    return _call(WAYS[way], folder)


def _call(way: Callable[[Path], Any], folder: Path) -> Any:
    """Do something in a process of its own, which is not root's."""
    mine, its = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_answer, args=(way, folder, its))
    process.start()
    its.close()
    try:
        return mine.recv()
    finally:
        process.join()


def _answer(way: Callable[[Path], Any], folder: Path, its: Connection) -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        ctypes.CDLL(None).prctl(4, 1)  # PR_SET_DUMPABLE: it may read what the kernel counts of it again
    its.send(way(folder))


def write_large(folder: Path, megabytes: int) -> None:
    """Write a checkpoint of one file."""
    block = os.urandom(16 * MEBIBYTE)
    with (folder / "model.safetensors").open("wb") as file:
        for number in range(max(1, megabytes // 16)):
            file.write(number.to_bytes(8, "big") + block[8:])


def write_many(folder: Path, files: int) -> None:
    """Write a checkpoint of many small files."""
    content = os.urandom(8192)
    for number in range(files):
        part = folder / str(number // 100)
        part.mkdir(exist_ok=True)
        (part / f"{number}.bin").write_bytes(content)


def publish(folder: Path) -> dict[str, Any]:
    """Publish the draft: to the disk, digest, name."""
    return _timed(lambda: _publish(folder))


def freeze(folder: Path) -> dict[str, Any]:
    """Freeze a checkpoint that another process has published."""
    (path,) = (folder / "lab" / PARENT).iterdir()
    size, digest = json.loads((folder / "published.json").read_text())
    saved = PublishedFolder(path=path, size=size, digest=digest)
    return _timed(lambda: artifacts.copy(saved, folder / "lab" / AGENTS, stem=STEM))


def publish_and_freeze(folder: Path) -> dict[str, Any]:
    """Do both, as the worker does whose training makes an agent."""
    to = folder / "lab" / AGENTS
    return _timed(lambda: artifacts.copy(_publish(folder), to, stem=STEM))


def copy_and_sync(folder: Path) -> dict[str, Any]:
    """Copy the draft with cp, and sync."""
    (path,) = (folder / "lab" / PARENT).iterdir()
    to = folder / "lab" / "copied"
    began = time.perf_counter()
    subprocess.run(["cp", "-r", path, to], check=True)  # noqa: S607  whichever is meant
    os.sync()
    return {"seconds": time.perf_counter() - began, "read": None, "written": None}


def _publish(folder: Path) -> PublishedFolder:
    (draft,) = (folder / "lab" / PARENT).iterdir()
    saved = artifacts.settle_here(draft, draft.parent, STEM)
    (folder / "published.json").write_text(json.dumps([saved.size, saved.digest]))
    return saved


def _timed(action: Callable[[], object]) -> dict[str, Any]:
    before, began = _bytes_of_process(), time.perf_counter()
    action()
    seconds = time.perf_counter() - began
    read, written = (after - first for after, first in zip(_bytes_of_process(), before, strict=True))
    return {"seconds": seconds, "read": read, "written": written}


def _bytes_of_process() -> tuple[int, int]:
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text("utf-8").splitlines())
    return int(lines["rchar"]), int(lines["wchar"])


WAYS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "cp and sync": copy_and_sync,
    "publish": publish,
    "freeze": freeze,
    "publish and freeze": publish_and_freeze,
}


def show(title: str, found: dict[str, list[dict[str, Any]]]) -> None:
    """Print a row for each way."""
    bare = statistics.median(each["seconds"] for each in found["cp and sync"])
    print(f"\n{title}; seconds are the median of {len(found['publish'])}")
    print(f"{'':20}{'seconds':>9}{'ratio':>8}{'read':>12}{'written':>12}")
    for way, rounds in found.items():
        seconds = statistics.median(each["seconds"] for each in rounds)
        sizes = [rounds[-1]["read"], rounds[-1]["written"]]
        told = "".join(f"{size / MEBIBYTE:8.1f} MiB" for size in sizes if size is not None)
        print(f"{way:20}{seconds:9.2f}{seconds / bare:8.2f}{told}", flush=True)


if __name__ == "__main__":
    main()
