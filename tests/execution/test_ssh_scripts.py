"""What the SSH launcher sends: addresses and values that can be no option and no command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from benches import until
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline_widgets.errors import ExecutionError
from pipeline_widgets.execution.launchers import ssh_connection, ssh_package, ssh_scripts
from pipeline_widgets.execution.launchers.ssh_address import SshAddress

pytestmark = pytest.mark.spec("11.2")
MARKER = "pipeline-widgets-0"
JOB = "0123456789abcdef" * 2
#: Any text that an environment can hold, with what shells read in their own way.
VALUES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    | st.sampled_from("'\"`$!\\\n ;&|*~#%(){}"),
    max_size=40,
)
#: What a shell, or OpenSSH in a ProxyCommand, would read in its own way.
DANGEROUS = set(" \t\n'\"`$!\\;&|<>(){}[]*?~#^=,\0")


def run(script: str, folder: Path, **variables: str) -> str:
    """Run a script as a host would, and return what it has printed between the markers."""
    done = subprocess.run(
        ["/bin/sh", "-s"],
        input=os.fsencode(ssh_connection.wrap(script, MARKER)),
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **variables},
        capture_output=True,
        check=True,
        timeout=60,
    )
    return os.fsdecode(done.stdout).split(f"{MARKER}\n")[1]


def make_program(path: Path, text: str) -> str:
    """Make a program in the place of an interpreter."""
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o700)
    return str(path)


@given(
    host=st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9._-]{0,20}[A-Za-z0-9]\Z"),
    user=st.none() | st.from_regex(r"\A[A-Za-z0-9_.][A-Za-z0-9_.@+-]{0,12}\Z"),
    port=st.none() | st.integers(1, 65535),
    python=st.none() | VALUES.filter(lambda value: value.isprintable() and value != ""),
    copies=st.booleans(),
)
def test_an_address_reads_what_it_writes(
    *, host: str, user: str | None, port: int | None, python: str | None, copies: bool
) -> None:
    """Any address is the same after it was written as a name and read again."""
    address = SshAddress(host=host, user=user, port=port, python=python, copies_package=copies)
    assert SshAddress.parse(str(address)) == address


@given(
    rest=VALUES,
    before=st.sampled_from(["ssh://", "ssh://me@", "ssh://-", "ssh://-oProxyCommand=", "ssh://%2D"]),
)
@example(rest="oProxyCommand=touch /tmp/x", before="ssh://-")
@example(rest="%0ahost", before="ssh://")
@example(rest="$(touch x)@host", before="ssh://")
@example(rest="[::1]:22", before="ssh://")
def test_no_name_becomes_an_option_or_a_command(rest: str, before: str) -> None:
    """Any text is refused, or a host and a user come out that nobody reads as anything else."""
    try:
        address = SshAddress.parse(before + rest)
    except ExecutionError:
        return
    for word in (address.host, address.user or "x"):
        assert word
        assert not word.startswith("-")
        assert not DANGEROUS & {*word}
    assert address.arguments[-2:] == ("--", address.host)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("ssh://-oProxyCommand=x", "is not a launcher over SSH"),
        ("ssh://me:secret@host", "no password"),
        ("ssh://host/path", "is not a launcher over SSH"),
        ("ssh://host:port", "is not a launcher over SSH"),
        ("ssh://host?python=", "is not a launcher over SSH"),
        ("ssh://host?pyhton=/x", "'pyhton' is not an option"),
        ("ssh://host?package=yes", "package can be 'copy'"),
        ("ssh://", "is not a launcher over SSH"),
        ("http://host", "is not a launcher over SSH"),
    ],
)
def test_a_wrong_name_is_refused_with_the_right_one(name: str, what: str) -> None:
    """A name that means nothing is refused, and the error shows how one is written."""
    with pytest.raises(ExecutionError, match=what) as caught:
        SshAddress.parse(name)
    assert "secret" not in str(caught.value).replace("Use a key", "")
    assert caught.value.fix


def test_an_alias_keeps_its_case_and_an_address_its_brackets_out() -> None:
    """An alias of ~/.ssh/config is as the user writes it, and an IPv6 address as OpenSSH wants it."""
    assert SshAddress.parse("ssh://GpuBox").host == "GpuBox"
    assert SshAddress.parse("ssh://me@[fe80::1]:2222").arguments == (
        "-l",
        "me",
        "-p",
        "2222",
        "--",
        "fe80::1",
    )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=VALUES, argument=VALUES, name=st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_]{0,9}\Z"))
@example(value="VARIABLES ARGUMENTS", argument="'; touch pwned; '", name="A")
@example(value="postgresql+psycopg://u:p'w\"$HOME`x`!\\@h/db\n", argument="-c", name="PIPELINE_WIDGETS_URL")
def test_values_arrive_as_they_are(tmp_path: Path, value: str, argument: str, name: str) -> None:
    """Arguments and variables of a job arrive there byte for byte, whatever a shell would make of them."""
    folder = tmp_path / os.urandom(8).hex()
    folder.mkdir()
    program = make_program(
        folder / "py thon",
        f"import json, os, sys\nprint(json.dumps([sys.argv[1:], os.environ['pw_{name}']]))\n",
    )
    script = ssh_scripts.start_job(JOB, program, "", ["supervise", argument], {f"pw_{name}": value})
    run(script, folder, XDG_STATE_HOME=str(folder / "state"))
    job = folder / "state/pipeline_widgets/jobs" / JOB
    until((job / "exit").exists)
    assert json.loads((job / "log").read_text()) == [
        ["-P", "-m", "pipeline_widgets", "supervise", argument],
        value,
    ]
    assert (job / "exit").read_text() == "0\n"
    assert job.stat().st_mode & 0o77 == 0


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(part=st.floats(0, 1))
@example(part=0.999)
def test_a_script_that_arrives_in_part_does_nothing(tmp_path: Path, part: float) -> None:
    """Where the connection breaks while a script is sent, nothing of it is executed."""
    program = make_program(tmp_path / "python", "")
    script = ssh_scripts.start_job(JOB, program, "", ["supervise", "1"], {"A": "b"})
    whole = ssh_connection.wrap(script, MARKER)
    until = min(int(part * len(whole)), whole.index("\nmain </dev/null") + 1)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    subprocess.run(
        ["/bin/sh", "-s"],
        input=whole[:until].encode(),
        env=environment,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert {path.name for path in tmp_path.iterdir()} == {"python"}


def test_the_same_job_is_started_once(tmp_path: Path) -> None:
    """However often the same start is asked for, and also at once, one process is started."""
    program = make_program(
        tmp_path / "python",
        f"open({str(tmp_path / 'started')!r}, 'a').write('x')\nimport time\ntime.sleep(1)\n",
    )
    script = ssh_scripts.start_job(JOB, program, "", ["supervise", "1"], {})
    asked = [
        subprocess.Popen(
            ["/bin/sh", "-s"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        )
        for _ in range(6)
    ]
    for each in asked:
        assert each.stdin is not None
        each.stdin.write(ssh_connection.wrap(script, MARKER).encode())
        each.stdin.close()
    answers: list[list[str]] = []
    for each in asked:
        with each:
            assert each.stdout is not None
            answers.append(each.stdout.read().decode().split(f"{MARKER}\n")[1].split())
    assert {tuple(answer) for answer in answers} == {tuple(answers[0])}
    assert answers[0][:2] == ["at", "work"]
    until((tmp_path / ".local/state/pipeline_widgets/jobs" / JOB / "exit").exists)
    assert (tmp_path / "started").read_text() == "x"


def test_a_name_that_a_shell_cannot_set_is_refused() -> None:
    """A variable whose name could carry a command is refused before anything is sent."""
    with pytest.raises(ExecutionError, match="a name that a shell cannot set"):
        ssh_scripts.start_job(JOB, "python3", "", [], {"A=1; touch x; B": "c"})


def test_sockets_are_in_a_private_folder_with_a_short_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of shared connections is the user's alone, and its path leaves room for a socket."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / ("x" * 80)))
    folder = ssh_connection.socket_folder()
    assert folder is not None
    assert folder.stat().st_mode & 0o77 == 0
    assert len(os.fsencode(folder)) + 1 + 40 + 17 < 104

    runtime = Path("/tmp", f"pw-{os.getpid()}")  # noqa: S108  a short path is what this is about
    (runtime / f"pw-ssh-{os.getuid()}").mkdir(parents=True, mode=0o755)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    try:
        assert ssh_connection.socket_folder() == folder, "one that others can enter is not used"
    finally:
        (runtime / f"pw-ssh-{os.getuid()}").rmdir()
        runtime.rmdir()


def test_a_copy_of_the_package_is_whole_and_works_by_itself(tmp_path: Path) -> None:
    """What is copied to a host is this package with its entry points, and its name tells its content."""
    name, archive = ssh_package.pack()
    assert name.startswith(f"{ssh_package.find_version()}-")
    script = ssh_scripts.unpack_copy(sys.executable, name, archive)
    for _ in range(2):  # again, it is there already
        assert run(script, tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache")).strip() == "unpacked"
    copied = tmp_path / "cache/pipeline_widgets/code" / name
    code = (
        "import importlib.metadata as m, pipeline_widgets as p\n"
        "print(p.__file__)\n"
        "print(m.version('pipeline-widgets'))\n"
        "print(m.entry_points(group='pipeline_widgets.algorithms')['SFT'].load().__class__.__name__)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(copied)}
    printed = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    assert Path(printed[0]).is_relative_to(copied)
    assert printed[1:] == [ssh_package.find_version(), "Algorithm"]
    assert [path.name for path in copied.parent.iterdir()] == [name]
