"""A real OpenSSH server on the loopback interface, with a folder, a port and keys of its own."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

ALIAS = "gpubox"  # and "behind", which is reached over it
ROOT = Path(__file__).parents[1]
MODULES = ("tests", "tests/support", "benchmarks")  # with algorithms that runs import by path
UP_WITHIN = 15.0  # seconds
POLL = 0.02

_SERVER = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/authorized_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
UseDNS no
PermitUserEnvironment no
MaxSessions 64
MaxStartups 64
Subsystem sftp internal-sftp
SetEnv HOME={folder}/home PATH={path} PYTHONPATH={modules}
"""

_CLIENT = """\
Host behind
  ProxyJump {alias}
Host {alias} behind
  HostName 127.0.0.1
  Port {port}
  IdentityFile {folder}/key
  IdentitiesOnly yes
Host *
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
"""


# The client with that configuration. While there is a file "lose", answers are lost on their way.
_SHIM = """\
#!/bin/sh
case " $* " in *' -G '*|*' -O '*) exec {client} -F {config} "$@";; esac
if [ -e {folder}/lose ]; then
  {client} -F {config} "$@" >>{folder}/lost
  exit 255
fi
exec {client} -F {config} "$@"
"""


class SshMissingError(Exception):
    """There is no OpenSSH server to test with."""


class SshHost:
    """A server, and a client's configuration that calls it `gpubox`.

    Args:
        folder: For keys, configuration, logs and the state of jobs.
        shell: The login shell of whoever comes; that of the system by default.
        hides: A folder that is another one there, and empty, as on a machine that does not share it.
    """

    def __init__(self, folder: Path, shell: str = "/bin/sh", hides: Path | None = None) -> None:
        self.folder, self.port = folder, free_port()
        self.bin = folder / "bin"
        self._shell = shell
        self._hides = hides
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The name of the launcher."""
        return f"ssh://{ALIAS}"

    @property
    def home(self) -> Path:
        """The home folder of who comes, so that no file of the real one counts."""
        return self.folder / "home"

    @property
    def jobs(self) -> Path:
        """Where the launcher keeps its jobs."""
        return self.home / ".local/state/pipeline_widgets/jobs"

    @property
    def config(self) -> Path:
        """The configuration of the client, in place of ~/.ssh/config, which OpenSSH finds without $HOME."""
        return self.folder / "config"

    def start(self) -> None:
        """Make keys and configuration, and start the server."""
        self.bin.mkdir(parents=True, exist_ok=True)
        self.home.mkdir(exist_ok=True)
        (self.home / ".bashrc").write_text("echo Welcome to gpubox\necho a warning >&2\n")
        for name in ("host_key", "key"):
            if not (self.folder / name).exists():
                make_key(self.folder / name)
        public = (self.folder / "key.pub").read_text()
        session = self.folder / "session"
        session.write_text(self._session())
        session.chmod(0o755)
        (self.folder / "authorized_keys").write_text(f'command="{session}" {public}')
        host = (self.folder / "host_key.pub").read_text()
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {host}")
        self.config.write_text(_CLIENT.format(alias=ALIAS, port=self.port, folder=self.folder))
        (self.folder / "sshd_config").write_text(
            _SERVER.format(
                port=self.port,
                folder=self.folder,
                path=f"{self.bin}:{os.environ['PATH']}",
                modules=":".join(str(ROOT / each) for each in MODULES),
            )
        )
        client = shutil.which("ssh", path=os.environ["PATH"].replace(str(self.bin), ""))
        shim = self.bin / "ssh"
        shim.write_text(_SHIM.format(client=client, config=shlex.quote(str(self.config)), folder=self.folder))
        shim.chmod(0o755)
        self.listen()

    def listen(self) -> None:
        """Start the server, and wait until it takes connections."""
        program = find_server()
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # for the separation of privileges
        with (self.folder / "sshd.log").open("ab") as log:
            self._server = subprocess.Popen(
                [program, "-D", "-e", "-f", str(self.folder / "sshd_config")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(self._answers, "the server to answer")

    def cut(self) -> None:
        """Cut the network: end the server and every connection that it has; jobs go on."""
        assert self._server is not None
        for process in self.sessions():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._server.kill()
        self._server.wait()

    def freeze(self) -> None:
        """Let the server and every connection be silent, as behind a firewall that drops packets."""
        for process in [psutil.Process(self._pid), *self.sessions()]:
            process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them speak again."""
        for process in [psutil.Process(self._pid), *self.sessions()]:
            process.send_signal(signal.SIGCONT)

    def sessions(self) -> list[psutil.Process]:
        """Return the processes of the server's connections, not those of jobs."""
        below = psutil.Process(self._pid).children(recursive=True)
        return [process for process in below if process.name() == "sshd"]

    def stop(self) -> None:
        """End the server, what is left of jobs, and the connections that clients keep."""
        if self._server is not None and self._server.poll() is None:
            self.cut()
        marker = str(self.folder)
        for process in psutil.process_iter(["environ", "cmdline"]):
            environment: dict[str, str] = process.info["environ"] or {}
            kept = any(marker in word for word in process.info["cmdline"] or ())
            if process.pid != os.getpid() and (environment.get("HOME", "").startswith(marker) or kept):
                with suppress(psutil.NoSuchProcess):
                    process.kill()

    def _session(self) -> str:
        """Return what sshd executes for a session: a login shell, which prints something first."""
        shell = f'exec {self._shell} -c "$SSH_ORIGINAL_COMMAND"'
        if self._hides is not None:
            inner = f"mount -t tmpfs none {shlex.quote(str(self._hides))} && {shell}"
            mapped = "" if os.geteuid() == 0 else "--map-root-user "
            shell = f"exec unshare {mapped}--mount /bin/sh -c {shlex.quote(inner)}"
        return f"#!/bin/sh\necho 'Welcome to gpubox'\necho 'a warning' >&2\n{shell}\n"

    @property
    def _pid(self) -> int:
        assert self._server is not None
        return self._server.pid

    def _answers(self) -> bool:
        assert self._server is not None
        if self._server.poll() is not None:
            raise SshMissingError((self.folder / "sshd.log").read_text())
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0) as connection:
            return connection.recv(4) == b"SSH-"
        return False


def find_server() -> str:
    """Return the path of the server, which has to be absolute.

    Raises:
        SshMissingError: It is not installed.
    """
    found = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise SshMissingError("There is no sshd. On Debian and Ubuntu: apt install openssh-server")
    return found


def make_key(path: Path) -> None:
    """Make a pair of keys without a passphrase."""
    made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path)]
    subprocess.run(made, check=True, stdin=subprocess.DEVNULL)


def make_python(folder: Path, *, with_package: bool = True, with_libraries: bool = True) -> Path:
    """Return another interpreter, as another machine would have: with what there is here, or without it.

    Args:
        folder: Where to make its environment.
        with_package: Whether it has pipeline_widgets.
        with_libraries: Whether it has what pipeline_widgets needs.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    site = next(folder.glob("lib/python*/site-packages"))
    here = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    for entry in here.iterdir() if with_libraries else ():
        ours = "pipeline_widgets" in entry.name
        if (with_package or not ours) and not entry.name.startswith(("_virtualenv", "__pycache__")):
            (site / entry.name).symlink_to(entry)
    return folder / "bin" / "python"


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_for(holds: Callable[[], bool], what: str, within: float = UP_WITHIN) -> None:
    """Wait until something holds."""
    until = time.monotonic() + within
    while not holds():
        assert time.monotonic() < until, f"waited {within} s for {what}"
        time.sleep(POLL)


@contextmanager
def running_host(folder: Path, shell: str = "/bin/sh", hides: Path | None = None) -> Generator[SshHost]:
    """Run a server, and let `ssh` on the PATH be a client that knows it; end both."""
    host = SshHost(folder, shell, hides)
    host.start()
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{host.bin}{os.pathsep}{before}"
    try:
        yield host
    finally:
        os.environ["PATH"] = before
        host.stop()
