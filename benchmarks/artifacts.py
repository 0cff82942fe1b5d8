"""What it costs to send a checkpoint to S3 and to bring it back, against s3fs itself, on moto's server.

    pip install -e '.[s3]' --group stores
    python benchmarks/artifacts.py [--megabytes 1024] [--rounds 2] [--back]

Each way is a process of its own and is measured by the kernel: bytes that it has read from files, and the
memory that it has needed at most beyond what it had when it was connected. "send" is what a worker does after
a train function has saved a checkpoint, with the digest, the check of what has arrived, and the manifest.
"put" is `s3fs.put`, which does none of that.
With `--back` "bring" is what a machine does that has none of it, with the digest, and
"get" is `s3fs.get`: moto's server reads the whole object for each range that it is asked for, so that these
tell little of S3. The rounds alternate, so that a machine that is busy is so for both.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

BUCKET = "benchmark"
KEY = "runs/00000001/checkpoints"
MEBIBYTE = 1 << 20
BLOCK = 16  # MiB that are written at once


def main() -> None:
    """Print seconds, ratios, bytes read and memory of each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--back", action="store_true", help="measure the way back as well")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way is not None:
        print(json.dumps(measure(WAYS[options.way], options.folder)))
        return
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write(folder / "checkpoint", options.megabytes)
        found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for _ in range(options.rounds):
            for there, back in (("send", "bring"), ("put", "get")):
                with server(folder):
                    for way in (there, back) if options.back else (there,):
                        found[way].append(run(way, folder))
                        print(f"{way}: {found[way][-1]['seconds']:.1f} s", file=sys.stderr, flush=True)
                shutil.rmtree(folder / "here", ignore_errors=True)
        show(options.megabytes, found)


def write(folder: Path, megabytes: int) -> None:
    """Write a checkpoint: one large file, and a few that are small."""
    folder.mkdir()
    block = os.urandom(BLOCK * MEBIBYTE)
    with (folder / "model.safetensors").open("wb") as file:
        for number in range(max(1, megabytes // BLOCK)):
            file.write(number.to_bytes(8, "big") + block[8:])
    for name in ("config.json", "tokenizer.json", "generation_config.json"):
        (folder / name).write_text('{"vocab_size": 32000}')


class server:  # noqa: N801  it is used like a function
    """A new bucket within the block, in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        with closing(socket.socket()) as found:
            found.bind(("127.0.0.1", 0))
            port = int(found.getsockname()[1])
        with (self._folder / "moto.log").open("ab") as log:
            command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        os.environ.update(
            AWS_ENDPOINT_URL_S3=f"http://127.0.0.1:{port}",
            AWS_ACCESS_KEY_ID="testing",
            AWS_SECRET_ACCESS_KEY="testing",  # noqa: S106  any will do
            AWS_DEFAULT_REGION="us-east-1",
            # moto copies a large object about before it answers, and is asked by both for as long
            FSSPEC_S3='{"config_kwargs": {"read_timeout": 600}}',
        )
        until = time.monotonic() + 60
        while True:
            with suppress(OSError), closing(socket.create_connection(("127.0.0.1", port), 1)):
                break
            if time.monotonic() > until or self._process.poll() is not None:
                raise SystemExit("moto's server does not start: pip install --group stores")
            time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def run(way: str, folder: Path) -> dict[str, float]:
    """Measure one way in a process of its own."""
    command = [sys.executable, __file__, "--way", way, "--folder", str(folder)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, float] = json.loads(said.splitlines()[-1])
    return found


def measure(prepare: Callable[[Path], Callable[[], object]], folder: Path) -> dict[str, float]:
    """Return seconds, bytes that were read from files, and bytes of memory."""
    action = prepare(folder)
    read, memory = _kernel("io", "rchar"), _kernel("status", "VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    began = time.perf_counter()
    action()
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "read": _kernel("io", "rchar") - read,
        "memory": (_kernel("status", "VmHWM") - memory) * 1024,
    }


def _kernel(file: str, name: str) -> int:
    lines = Path("/proc/self", file).read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def prepare_send(folder: Path) -> Callable[[], object]:
    """Connect, and return what sends the checkpoint."""
    from pipeline_widgets.persistence import artifacts
    from pipeline_widgets.persistence.artifact_store import ArtifactStore

    _make_bucket()
    store = ArtifactStore(folder / "here", f"s3://{BUCKET}/lab")
    store.remote.list_runs()
    parent = store.root / KEY
    draft = artifacts.make_draft(parent)
    shutil.copytree(folder / "checkpoint", draft, dirs_exist_ok=True)

    def send() -> None:
        saved = store.settle(draft, parent, "0000000001")
        (folder / "saved.json").write_text(json.dumps([saved.path.name, saved.size, saved.digest]))

    return send


def prepare_bring(folder: Path) -> Callable[[], object]:
    """Connect, and return what brings back the checkpoint that was sent."""
    from pipeline_widgets.domain.job import PublishedFolder
    from pipeline_widgets.persistence.artifact_store import ArtifactStore

    shutil.rmtree(folder / "here")
    name, size, digest = json.loads((folder / "saved.json").read_text())
    store = ArtifactStore(folder / "here", f"s3://{BUCKET}/lab")
    store.remote.list_runs()
    saved = PublishedFolder(path=store.root / KEY / name, size=size, digest=digest)
    return lambda: (store.open(saved), shutil.rmtree(folder / "here"))


def prepare_put(folder: Path) -> Callable[[], object]:
    """Connect, and return what puts the checkpoint there by s3fs alone."""
    fs = _make_bucket()
    return lambda: fs.put(str(folder / "checkpoint"), f"{BUCKET}/put", recursive=True)


def prepare_get(folder: Path) -> Callable[[], object]:
    """Connect, and return what gets it back by s3fs alone."""
    fs = _make_bucket()
    return lambda: (
        fs.get(f"{BUCKET}/put", str(folder / "got"), recursive=True),
        shutil.rmtree(folder / "got"),
    )


def _make_bucket() -> Any:
    fs: Any = import_module("s3fs").S3FileSystem()  # it has no types
    if not fs.exists(BUCKET):
        fs.mkdir(BUCKET)
    return fs


WAYS = {"send": prepare_send, "bring": prepare_bring, "put": prepare_put, "get": prepare_get}


def show(megabytes: int, found: dict[str, list[dict[str, float]]]) -> None:
    """Print a row for each way."""
    print(f"a checkpoint of {megabytes} MiB; seconds are the median of {len(found['send'])}")
    print(f"{'':8}{'seconds':>9}{'ratio':>8}{'read':>12}{'memory':>12}")
    for way, bare in (("send", "put"), ("put", "put"), ("bring", "get"), ("get", "get")):
        if not found[way]:
            continue
        seconds, other = (statistics.median(each["seconds"] for each in found[name]) for name in (way, bare))
        read, memory = (max(each[name] for each in found[way]) / MEBIBYTE for name in ("read", "memory"))
        print(f"{way:8}{seconds:9.2f}{seconds / other:8.2f}{read:8.0f} MiB{memory:8.0f} MiB")


if __name__ == "__main__":
    main()
