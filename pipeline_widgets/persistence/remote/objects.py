"""Objects below a URL, by fsspec: written whole or in parts, read in ranges, listed, deleted.

fsspec is imported when the first object is asked for, and so never where artifacts are in a folder.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from pipeline_widgets.errors import StorageError
from pipeline_widgets.persistence import filesystem

#: File systems in which a folder is there as soon as something is in it.
_WITHOUT_FOLDERS = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "oss", "r2"})
_S3 = frozenset({"s3", "s3a"})
_SSH = frozenset({"sftp", "ssh"})
READ_TIMEOUT = 60.0  # seconds that S3 may take to answer: it makes a large object of its parts
#: What to install for a protocol: our own extra, or the package itself.
_PACKAGES = {
    **dict.fromkeys(_S3, "'pipeline-widgets[s3]'"),
    **dict.fromkeys(_SSH, "'pipeline-widgets[sftp]'"),
    **dict.fromkeys(("gs", "gcs"), "'pipeline-widgets[gs]'"),
    **dict.fromkeys(("az", "abfs", "abfss", "adl"), "'pipeline-widgets[az]'"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry in the listing of a folder: an object or a folder."""

    name: str
    is_folder: bool
    #: Seconds since 1970; None where it is not told.
    modified_at: float | None


@dataclass(frozen=True, slots=True)
class UnfinishedUpload:
    """An object that was sent in parts, and never finished: it is listed nowhere else, and costs storage."""

    key: str
    id: str
    started_at: float | None


class Parts(Protocol):
    """An object that is sent in parts."""

    def put(self, number: int, data: bytes, md5: str) -> bool:
        """Send a part, counted from 0; return whether the other side has told that it has these bytes.

        Args:
            number: The number of the part.
            data: Its bytes.
            md5: Their MD5, in hexadecimal digits.
        """
        ...

    def finish(self) -> None:
        """Make the object of its parts."""
        ...

    def abort(self) -> None:
        """Leave nothing of it, as far as the other side lets us."""
        ...


class Objects:
    """The objects below a URL. Any thread may use them.

    Args:
        url: The URL, as `parse_artifact_url` returns it.
    """

    #: Whether one part can be sent again when it has failed, without those before it.
    parts_are_independent = False

    def __init__(self, url: str) -> None:
        self.url = url
        self.protocol = url.partition("://")[0].lower()
        self._lock = threading.RLock()
        self._opened: tuple[Any, str] | None = None

    def reconnect(self) -> None:
        """Connect anew with the next use, with the credentials that there are by then."""
        with self._lock:
            self._opened = None
            self._is_fresh = True

    _is_fresh = False

    @property
    def fs(self) -> Any:
        """The file system of fsspec.

        Raises:
            StorageError: What it needs is not installed.
        """
        return self._open()[0]

    def path(self, key: str) -> str:
        """Return an object's path, as the file system takes it."""
        base = self._open()[1]
        return f"{base}/{key}" if key else base

    def write(self, key: str, data: bytes, md5: str) -> bool:  # noqa: ARG002  others compare it
        """Write a whole object; return whether the other side has told that it has these bytes.

        Args:
            key: The object.
            data: Its bytes.
            md5: Their MD5, in hexadecimal digits.
        """
        self.overwrite(key, data)
        return False

    def create(self, key: str, data: bytes) -> bool:
        """Write a whole object unless there is one, and return whether there was none."""
        self._make_parent(key)
        try:
            self.fs.pipe_file(self.path(key), data, mode="create")
        except FileExistsError:
            return False
        self._flush(key)
        return True

    def overwrite(self, key: str, data: bytes) -> None:
        """Write a whole object, instead of one that is there."""
        self._make_parent(key)
        self.fs.pipe_file(self.path(key), data)
        self._flush(key)

    def write_in_parts(self, key: str) -> Parts:
        """Begin an object that is sent in parts."""
        self._make_parent(key)
        return _Stream(self, key)

    def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """Return an object, or its bytes from `start` up to `end`.

        Raises:
            FileNotFoundError: It is not there.
        """
        with self.fs.open(self.path(key), "rb") as file:
            file.seek(start)
            return bytes(file.read() if end is None else file.read(end - start))

    def read_end(self, key: str, size: int) -> bytes:
        """Return the last bytes of an object.

        Raises:
            FileNotFoundError: It is not there.
        """
        total = int(self.fs.info(self.path(key))["size"])
        return self.read(key, max(0, total - size), total) if total else b""

    def entries(self, key: str) -> Iterator[Entry]:
        """Yield what is in a folder; nothing where it is not there."""
        try:
            found = self.fs.ls(self.path(key), detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return
        own = self.path(key).rstrip("/")
        for info in found:
            name = str(info["name"]).rstrip("/")
            if name != own and not name.endswith(f"/{own}"):
                yield Entry(name.rpartition("/")[2], info["type"] == "directory", _modified_at(info))

    def delete(self, key: str) -> None:
        """Delete an object, if it is there."""
        with suppress(FileNotFoundError):
            self.fs.rm_file(self.path(key))

    def delete_below(self, key: str) -> None:
        """Delete a folder with all that is in it, if it is there."""
        with suppress(FileNotFoundError):
            self.fs.rm(self.path(key), recursive=True)

    def list_unfinished(self, key: str) -> list[UnfinishedUpload]:  # noqa: ARG002  most cannot tell
        """Return what was sent in parts below a key and never finished, where the file system can tell."""
        return []

    def abort(self, upload: UnfinishedUpload) -> None:
        """Delete the parts of an object that was never finished."""

    def _open(self) -> tuple[Any, str]:
        with self._lock:
            if self._opened is None:
                self._opened = _connect(self.url, self.protocol, fresh=self._is_fresh)
            return self._opened

    def _make_parent(self, key: str) -> None:
        if self.protocol not in _WITHOUT_FOLDERS:
            self.fs.makedirs(self.path(key).rpartition("/")[0], exist_ok=True)

    def _flush(self, key: str) -> None:
        if self.protocol in {"file", "local"}:  # a network folder, say: it has to outlive a power cut as well
            filesystem.flush(Path(self.path(key)))


class _AsyncObjects(Objects):
    """Objects of a file system that reads ranges without opening a file."""

    def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        whole = start == 0 and end is None
        limits = {} if whole else {"start": start, "end": end}
        return bytes(self.fs.cat_file(self.path(key), **limits))

    def read_end(self, key: str, size: int) -> bytes:
        total = int(self.fs.info(self.path(key))["size"])
        return self.read(key, max(0, total - size), total) if total else b""


class _S3Objects(_AsyncObjects):
    """Objects in S3, which tells the MD5 of what it has got, and takes parts in any order."""

    parts_are_independent = True

    def write(self, key: str, data: bytes, md5: str) -> bool:
        bucket, name = self._split(key)
        told = self.fs.call_s3("put_object", Bucket=bucket, Key=name, Body=data)
        return _confirms(told, md5)

    def write_in_parts(self, key: str) -> Parts:
        return _S3Parts(self, *self._split(key))

    def list_unfinished(self, key: str) -> list[UnfinishedUpload]:
        bucket, prefix = self._split(key)
        found: list[UnfinishedUpload] = []
        more: dict[str, str] = {}
        base = self._split("")[1]
        while True:
            page = self.fs.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=f"{prefix}/", **more)
            for each in page.get("Uploads", []):
                own = each["Key"].removeprefix(f"{base}/") if base else each["Key"]
                found.append(UnfinishedUpload(own, each["UploadId"], _seconds(each.get("Initiated"))))
            if not page.get("IsTruncated"):
                return found
            more = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}

    def abort(self, upload: UnfinishedUpload) -> None:
        bucket, name = self._split(upload.key)
        with suppress(FileNotFoundError):
            self.fs.call_s3("abort_multipart_upload", Bucket=bucket, Key=name, UploadId=upload.id)

    def _split(self, key: str) -> tuple[str, str]:
        bucket, _, name = self.path(key).partition("/")
        return bucket, name


class _S3Parts:
    """An object in S3 that is sent in parts."""

    def __init__(self, objects: _S3Objects, bucket: str, key: str) -> None:
        self._objects = objects
        self._at = {"Bucket": bucket, "Key": key}
        self._lock = threading.Lock()
        self._tags: dict[int, str] = {}
        self._id: str | None = None

    def put(self, number: int, data: bytes, md5: str) -> bool:
        part = {"UploadId": self._begin(), "PartNumber": number + 1}
        told = self._objects.fs.call_s3("upload_part", **self._at, **part, Body=data)
        self._tags[number] = told["ETag"]
        return _confirms(told, md5)

    def finish(self) -> None:
        parts = [{"PartNumber": number + 1, "ETag": tag} for number, tag in sorted(self._tags.items())]
        made = {"UploadId": self._begin(), "MultipartUpload": {"Parts": parts}}
        try:
            self._objects.fs.call_s3("complete_multipart_upload", **self._at, **made)
        except (
            FileNotFoundError
        ):  # no such upload: the first try has made the object, and its answer was lost
            self._objects.fs.call_s3("head_object", **self._at)

    def abort(self) -> None:
        if self._id is not None:
            self._objects.fs.call_s3("abort_multipart_upload", **self._at, UploadId=self._id)

    def _begin(self) -> str:
        with self._lock:
            if self._id is None:
                began = self._objects.fs.call_s3("create_multipart_upload", **self._at)
                self._id = str(began["UploadId"])
            return self._id


class _Stream:
    """An object that is written from its beginning to its end; parts wait for those before them."""

    def __init__(self, objects: Objects, key: str) -> None:
        self._objects, self._key = objects, key
        self._next, self._turn = 0, threading.Condition()
        self._file: Any = None
        self._error: Exception | None = None

    def put(self, number: int, data: bytes, md5: str) -> bool:  # noqa: ARG002  others compare it
        with self._turn:
            self._turn.wait_for(lambda: self._next == number or self._error is not None)
            if self._error is not None:
                raise OSError("A part before this one could not be written.") from self._error
            try:
                if self._file is None:
                    self._file = self._objects.fs.open(self._objects.path(self._key), "wb")
                self._file.write(data)
                self._next += 1
            except Exception as error:
                self._error = self._error or error
                raise
            finally:
                self._turn.notify_all()
        return False

    def finish(self) -> None:
        self._file.close()
        self._objects._flush(self._key)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  of this module

    def abort(self) -> None:
        with suppress(Exception):
            (getattr(self._file, "discard", None) or self._file.close)()
        self._objects.delete(self._key)


class _LoopExecutor(ThreadPoolExecutor):
    """Looks names of hosts up for fsspec, in daemon threads.

    A training that has returned is waited for by ending the executors of `concurrent.futures`, for good
    (`execution/left_threads.py`); its checkpoints are sent after that, too.
    """

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001  it is the one who waits that gets it
                future.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        return future


def open_objects(url: str) -> Objects:
    """Return the objects below a URL. Nothing is connected before the first use."""
    protocol = url.partition("://")[0].lower()
    if protocol in _S3:
        return _S3Objects(url)
    if protocol in _WITHOUT_FOLDERS:
        return _AsyncObjects(url)
    return Objects(url)


def _connect(url: str, protocol: str, *, fresh: bool) -> tuple[Any, str]:
    what = f"Artifacts at {protocol}:// cannot be reached."
    try:
        import fsspec  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]  only where a URL is set
        from fsspec.config import conf  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as error:
        fix = f"pip install {_PACKAGES.get(protocol, chr(39) + 'pipeline-widgets[remote]' + chr(39))}"
        raise StorageError(what, "fsspec is not installed.", fix) from error
    options = _options(protocol, dict(conf.get(protocol, {})))
    open_url: Callable[..., Any] = vars(fsspec)["url_to_fs"]  # fsspec names no types
    try:
        if protocol in _SSH:  # fsspec's own class for SSH would trust any host
            import_module("sshfs")
        fs, path = open_url(url, skip_instance_cache=fresh, **options)
    except ImportError as error:
        fix = (
            f"pip install {_PACKAGES[protocol]}" if protocol in _PACKAGES else "Install the package it names."
        )
        raise StorageError(what, f"{error}.".replace("..", "."), fix) from error
    except ValueError as error:
        why = f"fsspec says: {str(error).rstrip('.')}."
        raise StorageError(what, why, "Name one of fsspec's file systems.") from error
    if (loop := getattr(fs, "loop", None)) is not None:
        loop.call_soon_threadsafe(loop.set_default_executor, _LoopExecutor())
    return fs, str(path).rstrip("/")


def _options(protocol: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return what a file system is opened with: what its user has set up, and what only we can know."""
    if protocol in _SSH:
        # asyncssh's own default: the hosts that this user knows. sshfs would trust any host.
        options.setdefault("known_hosts", ())
        return options
    options["use_listings_cache"] = False  # other processes write, too
    if protocol in _S3:  # the MD5 that S3 tells is compared; another checksum of each request is not needed
        only = "when_required"
        ours = {"request_checksum_calculation": only, "response_checksum_validation": only}
        ours |= {"read_timeout": READ_TIMEOUT}
        options["config_kwargs"] = {**ours, **options.get("config_kwargs", {})}
    return options


def _confirms(told: dict[str, Any], md5: str) -> bool:
    """Return whether S3 told the MD5 of the content; with keys of its own (KMS) it tells something else."""
    return str(told.get("ETag", "")).strip('"') == md5


def _modified_at(info: dict[str, Any]) -> float | None:
    for name in ("LastModified", "mtime", "last_modified", "updated", "modified", "created"):
        if (told := _seconds(info.get(name))) is not None:
            return told
    return None


def _seconds(told: object) -> float | None:
    if isinstance(told, datetime):
        return told.timestamp()
    if isinstance(told, (int, float)):
        return float(told)
    if isinstance(told, str):
        with suppress(ValueError):
            return datetime.fromisoformat(told).timestamp()
    return None
