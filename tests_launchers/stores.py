"""Real stores on the loopback interface: S3 by moto's server, behind a proxy that can fail; SFTP by sshd."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

UP_WITHIN = 60.0  # seconds within which a server has to take connections
BUCKET = "artifacts"
EXPIRED = (
    b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>ExpiredToken</Code>"
    b"<Message>The provided token has expired.</Message></Error>"
)


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def await_port(port: int, server: subprocess.Popen[bytes]) -> None:
    """Wait until a server takes connections."""
    until = time.monotonic() + UP_WITHIN
    while True:
        with suppress(OSError), closing(socket.create_connection(("127.0.0.1", port), 1)):
            return
        assert server.poll() is None, f"the server has ended with {server.returncode}"
        assert time.monotonic() < until, "the server takes no connections"
        time.sleep(0.05)


class Proxy:
    """Passes connections on to a server, slowly or not at all when it is told to.

    Args:
        port: The port of the server.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._open: set[socket.socket] = set()
        #: Bytes that were sent to the server, requests with their headers.
        self.sent = 0
        #: Bytes a second that are let through to the server; None for all.
        self.rate: float | None = None
        self._mode = "pass"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Close all connections, and let no other one through."""
        self._mode = "cut"
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def expire(self) -> None:
        """Answer every request as S3 does when the credentials have expired."""
        self.cut()
        self._mode = "expire"

    def mend(self) -> None:
        """Pass everything on again."""
        self._mode = "pass"

    def close(self) -> None:
        """End it."""
        self.cut()
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                if self._mode == "cut":
                    client.close()
                    continue
                answer = self._answer_expired if self._mode == "expire" else self._connect
                threading.Thread(target=answer, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._to))
        for each in (
            client,
            server,
        ):  # else small packets wait 40 ms for an acknowledgement
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open |= {client, server}
        back = threading.Thread(target=self._pass, args=(server, client), daemon=True)
        back.start()
        self._pass(client, server, counted=True)
        back.join()
        self._open -= {client, server}
        client.close()
        server.close()

    def _pass(self, source: socket.socket, target: socket.socket, *, counted: bool = False) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
                if counted:
                    self.sent += len(data)
                    if self.rate is not None:
                        time.sleep(len(data) / self.rate)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _answer_expired(self, client: socket.socket) -> None:
        """Take one request whole, so that its sender gets to hear the answer."""
        with client, suppress(OSError, ValueError):
            stream = client.makefile("rb")
            headers: dict[bytes, bytes] = {}
            stream.readline()
            while (line := stream.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                headers[name.lower()] = value.strip()
            if b"expect" not in headers:
                stream.read(int(headers.get(b"content-length", 0)))
            head = b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nConnection: close\r\n"
            client.sendall(head + b"Content-Length: %d\r\n\r\n" % len(EXPIRED) + EXPIRED)
            client.shutdown(socket.SHUT_WR)
            client.recv(1)


class S3:
    """A bucket in moto's server.

    Args:
        folder: For the server's log.
    """

    def __init__(self, folder: Path) -> None:
        port = free_port()
        with (folder / "moto.log").open("ab") as log:
            command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
            self._server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        await_port(port, self._server)
        self._direct = f"http://127.0.0.1:{port}"
        self.proxy = Proxy(port)
        self.url = f"s3://{BUCKET}/lab"
        self.client.create_bucket(Bucket=BUCKET)

    @property
    def environment(self) -> dict[str, str]:
        """What a user's shell would have."""
        return {
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self.proxy.port}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def client(self) -> Any:
        """A client of another library, which asks the server itself."""
        import boto3

        connect: Any = vars(boto3)["client"]
        return connect(
            "s3",
            endpoint_url=self._direct,
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def list_keys(self) -> list[str]:
        """Return all objects of the bucket."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return [each["Key"] for page in pages for each in page.get("Contents", [])]

    def list_unfinished(self) -> list[str]:
        """Return the objects that were sent in parts, and never finished."""
        found = self.client.list_multipart_uploads(Bucket=BUCKET)
        return [each["Key"] for each in found.get("Uploads", [])]

    def damage(self, key: str) -> None:
        """Change a byte in the middle of an object."""
        data = bytearray(self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read())
        data[len(data) // 2] ^= 1
        self.client.put_object(Bucket=BUCKET, Key=key, Body=bytes(data))

    def close(self) -> None:
        """End it."""
        self.proxy.close()
        self._server.kill()
        self._server.wait()


_SERVER = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/key.pub
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
UseDNS no
MaxSessions 64
MaxStartups 64
Subsystem sftp internal-sftp
"""


class Sftp:
    """A folder that a real sshd serves.

    Args:
        folder: For keys, configuration and files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        port = free_port()
        for name in ("host_key", "key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(command, check=True)
        self.files = folder / "files"
        self.files.mkdir()
        host = (folder / "host_key.pub").read_text()
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host}")
        (folder / "config").write_text(_SERVER.format(port=port, folder=folder))
        program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program is not None, "install openssh-server"
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # for the separation of privileges
        with (folder / "sshd.log").open("ab") as log:
            command = [program, "-D", "-e", "-f", str(folder / "config")]
            self._server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        await_port(port, self._server)
        self.proxy = Proxy(port)
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{self.proxy.port} {host}")
        self.url = f"sftp://127.0.0.1:{self.proxy.port}{self.files}/lab"

    @property
    def environment(self) -> dict[str, str]:
        """What a user's shell would have, in place of files in ~/.ssh."""
        options = {
            "client_keys": [str(self._folder / "key")],
            "known_hosts": str(self._folder / "known_hosts"),
            "config": None,
            "agent_path": None,
        }
        return {"FSSPEC_SFTP": json.dumps(options)}

    def list_keys(self) -> list[str]:
        """Return all files that are there."""
        return [str(each.relative_to(self.files)) for each in self.files.rglob("*") if each.is_file()]

    def damage(self, key: str) -> None:
        """Change a byte in the middle of a file."""
        data = bytearray((self.files / key).read_bytes())
        data[len(data) // 2] ^= 1
        (self.files / key).write_bytes(bytes(data))

    def close(self) -> None:
        """End it."""
        self.proxy.close()
        self._server.kill()
        self._server.wait()


@pytest.fixture
def s3(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Generator[S3]:
    """Yield a bucket, with what the processes of the test find it by."""
    made = S3(tmp_path_factory.mktemp("s3"))
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    _forget_connections()
    yield made
    made.close()


@pytest.fixture
def sftp(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Generator[Sftp]:
    """Yield a folder behind sshd, with what the processes of the test find it by."""
    made = Sftp(tmp_path_factory.mktemp("sftp"))
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    configure_fsspec(monkeypatch)
    yield made
    made.close()


def _forget_connections() -> None:
    """Let no test use a connection of the one before it, whose server is gone."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()


def configure_fsspec(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let fsspec read the environment again, as a process does that starts now."""
    from fsspec import config

    fresh: dict[str, Any] = {}
    config.set_conf_env(fresh)
    for protocol, options in fresh.items():
        monkeypatch.setitem(config.conf, protocol, options)


@pytest.fixture(params=["s3", "sftp"])
def remote_store(request: pytest.FixtureRequest) -> S3 | Sftp:
    """A store, once of each kind."""
    found: S3 | Sftp = request.getfixturevalue(request.param)
    return found
