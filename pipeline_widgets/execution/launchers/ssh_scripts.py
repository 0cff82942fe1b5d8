"""The shell scripts of the SSH launcher. They need a POSIX shell with the usual tools, on Linux or macOS.

A job has a folder on its host, named by its id: `python` says by what it is run, `process` who it is, `log`
has what it prints, and `exit` its exit code. Who makes the folder starts the job, so that it is started once,
however often it is asked for.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from shlex import quote

from pipeline_widgets.errors import ExecutionError
from pipeline_widgets.execution.launchers.ssh_address import SshAddress
from pipeline_widgets.execution.variables import SERVER_LOG

STOP_GRACE = (
    15  # seconds between the SIGTERM of a stop and the end of everything; a training may save meanwhile
)
STARTS_WITHIN = 60  # seconds after which a job without a process counts as one that could not be started
KEPT_DAYS = 30  # for which the folder of an ended job is kept
MOST_LOG = 1_000_000  # bytes of a log that are read

#: Where jobs are, and which machine this is (as `processes.machine` names it).
_PLACE = """\
mask=$(umask)
umask 077
jobs="${XDG_STATE_HOME:-$HOME/.local/state}/pipeline_widgets/jobs"
here=$(uname -n)
if [ -r /proc/sys/kernel/random/boot_id ]; then
  read -r boot </proc/sys/kernel/random/boot_id
  here="$here|$boot|$(readlink /proc/self/ns/pid)"
else
  here="$here|$(sysctl -n kern.boottime | sed 's/^[^0-9]*\\([0-9]*\\).*/\\1/')"
fi
"""
_OBSERVE = """\
observe() {
  state='' group='' start=''
  if [ -d /proc/self ]; then
    line=$(cat "/proc/$1/stat" 2>/dev/null)
    set -- ${line##*) }
    state=$1 group=$3 start=${20}
  else
    state=$(ps -o stat= -p "$1") group=$(ps -o pgid= -p "$1" | tr -d ' ')
    start=$(ps -o lstart= -p "$1" | tr -s ' ' _)
  fi
}
"""
_LOOK = """\
is_at_work() {
  [ -f "$job/process" ] || return 1
  { read -r pid; read -r began; read -r machine; } <"$job/process"
  [ "$machine" = "$here" ] || return 1
  observe "$pid"
  case $state in ''|Z*|X*|x*) return 1;; esac
  [ "$start" = "$began" ]
}
wait_for_process() {
  count=0
  while [ -d "$job" ] && [ ! -f "$job/process" ] && [ ! -f "$job/exit" ] && [ $count -lt 100 ]; do
    sleep 0.02 2>/dev/null || sleep 1
    count=$((count + 1))
  done
}
"""
_PRELUDE = f"{_PLACE}{_OBSERVE}{_LOOK}"

#: Prints one line: absent, starting, unstarted, "at work", gone, restarted, "elsewhere HOST", or "exit CODE".
_TELL = f"""\
tell_exit() {{
  [ -f "$job/exit" ] && read -r code <"$job/exit" && echo "exit $code"
}}
tell() {{
  tell_exit && return
  [ -d "$job" ] || {{ echo absent; return; }}
  if [ ! -f "$job/process" ]; then
    if [ -z "$(find "$job" -prune -mmin +{STARTS_WITHIN // 60})" ]; then echo starting; return; fi
    echo unstarted
    return
  fi
  is_at_work && {{ echo 'at work'; return; }}
  if [ "$machine" != "$here" ]; then
    if [ "${{machine%%|*}}" = "${{here%%|*}}" ]; then echo restarted; return; fi
    echo "elsewhere ${{machine%%|*}}"
    return
  fi
  for each in 1 2 3 4 5; do  # its exit code may be on its way
    tell_exit && return
    sleep 0.1 2>/dev/null || sleep 1
  done
  tell_exit || echo gone
}}
"""

#: Becomes the job: writes who it is, and executes it in the same process.
_BECOME = (
    _OBSERVE
    + """\
job=$1 here=$2
shift 2
mask=$(umask)
umask 077
observe $$
printf '%s\\n' $$ "$start" "$here" >"$job/process.part" && mv "$job/process.part" "$job/process" || exit 125
umask "$mask"
exec "$@"
"""
)

#: Outlives the connection, and writes the exit code of the job. Signals to the whole session do not end it.
_WATCH = f"""\
trap : HUP INT TERM
/bin/sh -c {quote(_BECOME)} "$0" "$@"
code=$?
printf '%s\\n' "$code" >"$1/exit.part" && mv "$1/exit.part" "$1/exit"
"""

_DETACH = "import os, sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])"

_START = f"""\
if ! problem=$(mkdir -p "$jobs" 2>&1); then echo "refused $problem"; return; fi
if mkdir "$job" 2>/dev/null; then
  if ! printf '%s\\n' "$python" "$path" 2>/dev/null >"$job/python"; then
    rm -rf "$job"
    echo "refused $jobs cannot be written."
    return
  fi
  log=/dev/null
  : 2>/dev/null >"$job/log" && log=$job/log
  (
    cd || exit
    set_variables
    {SERVER_LOG}="${{job##*/}}:${{jobs%/*}}/launch-server.log"
    export {SERVER_LOG}
    [ -z "$path" ] || export PYTHONPATH="$path${{PYTHONPATH:+:$PYTHONPATH}}"
    umask "$mask"
    set -- /bin/sh -c {quote(_WATCH)} pw "$job" "$here" "$python" -P -m pipeline_widgets "$@"
    if command -v setsid >/dev/null; then exec setsid "$@"; else exec "$python" -c {quote(_DETACH)} "$@"; fi
  ) </dev/null >"$log" 2>&1 &
fi
wait_for_process
tell
[ ! -f "$job/process" ] || cat "$job/process"
getconf CLK_TCK 2>/dev/null
find "$jobs" -mindepth 2 -maxdepth 2 -name exit -mtime +{KEPT_DAYS} | while read -r exit; do
  rm -rf "${{exit%/exit}}"
done
"""

_END = """\
import sys
from pipeline_widgets.execution.ownership import end_token
end_token(sys.argv[1])
"""

_STOP = f"""\
trap '' HUP PIPE
wait_for_process
if is_at_work; then
  kill -TERM "$pid"
  count=0
  while is_at_work && [ $count -lt {STOP_GRACE * 10} ]; do
    sleep 0.1 2>/dev/null || sleep 1
    count=$((count + 1))
  done
fi
[ -f "$job/python" ] && ! grep -qx 0 "$job/exit" 2>/dev/null || return
{{ read -r python; read -r path; }} <"$job/python"
[ -z "$path" ] || export PYTHONPATH="$path${{PYTHONPATH:+:$PYTHONPATH}}"
cd "$jobs"
if ! "$python" -P -c {quote(_END)} "${{job##*/}}" >>"$job/log" 2>&1 && is_at_work; then
  kill -KILL "-$group"
fi
sleep 0.1 2>/dev/null
[ -f "$job/exit" ] || is_at_work || echo {128 + signal.SIGKILL.value} >"$job/exit"
"""

#: Prints, as JSON, what there is for a job. It has to run on any Python, to say which one there is.
_FACTS = """\
import json, os, sys
try:
    from importlib import metadata
except ImportError:
    metadata = None
def version(name):
    try:
        return metadata.version(name) if metadata else None
    except Exception:
        return None
def count_gpus():
    if os.path.isdir("/proc/driver/nvidia/gpus"):
        return len(os.listdir("/proc/driver/nvidia/gpus"))
    folders = os.environ["PATH"].split(os.pathsep)
    return None if any(os.path.exists(os.path.join(each, "nvidia-smi")) for each in folders) else 0
usable = getattr(os, "sched_getaffinity", None)
sys.stdout.write(json.dumps({
    "executable": sys.executable,
    "python": ".".join(map(str, sys.version_info[:3])),
    "implementation": getattr(getattr(sys, "implementation", None), "name", "cpython"),
    "system": " ".join(os.uname()[each] for each in (0, 2)),
    "version": version("pipeline-widgets"),
    "missing": [name for name in sys.argv[1:] if version(name) is None],
    "cpu": len(usable(0)) if usable else None,
    "gpu": count_gpus(),
    "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
}) + "\\n")
"""

#: Unpacks a copy of this package, whole or not at all.
_UNPACK = """\
import base64, io, os, shutil, sys, tarfile, tempfile
target = sys.argv[1]
os.makedirs(os.path.dirname(target), exist_ok=True)
part = tempfile.mkdtemp(dir=os.path.dirname(target))
with tarfile.open(fileobj=io.BytesIO(base64.b64decode(sys.stdin.read()))) as archive:
    archive.extractall(part)
try:
    os.rename(part, target)
except OSError:
    shutil.rmtree(part)
    if not os.path.isdir(target):
        raise
"""


def find_job(job_id: str) -> str:
    """Return a script that prints what has become of a job."""
    return f'{_PRELUDE}{_TELL}job="$jobs"/{quote(job_id)}\ntell'


def start_job(
    job_id: str, python: str, path: str, arguments: Sequence[str], environment: Mapping[str, str]
) -> str:
    """Return a script that starts a job, unless it was started, and prints what has become of it.

    Args:
        job_id: Chosen by who asks, so that the same request can be made again.
        python: The interpreter.
        path: A folder with this package; empty where the interpreter finds it.
        arguments: Follow `python -P -m pipeline_widgets`.
        environment: Variables of the job. They are on no command line.

    Raises:
        ExecutionError: A variable has a name that a shell cannot set.
    """
    lines = [":"]
    for name, value in environment.items():
        if not (name.isascii() and name.isidentifier()):
            raise ExecutionError(f"The variable {name!r} has a name that a shell cannot set.")
        lines += [f"{name}={quote(value)}", f"export {name}"]
    chosen = f"""\
job="$jobs"/{quote(job_id)}
python={quote(python)}
path={quote(path)}
set -- {" ".join(map(quote, arguments))}
set_variables() {{
{chr(10).join(lines)}
}}
"""
    return f"{_PRELUDE}{_TELL}{chosen}{_START}"


def stop_job(job_id: str) -> str:
    """Return a script that asks a job to stop, and ends what is left of it after `STOP_GRACE`."""
    return f'{_PRELUDE}job="$jobs"/{quote(job_id)}\n{_STOP}'


def read_log(job_id: str, lines: int) -> str:
    """Return a script that prints the last lines of a job's log."""
    log = f'"$jobs"/{quote(job_id)}/log'
    return f"{_PRELUDE}[ ! -f {log} ] || tail -c {MOST_LOG} {log} | tail -n {max(lines, 0)}"


def find_facts(address: SshAddress, here: str, copy: str, needed: Sequence[str], paths: Sequence[str]) -> str:
    """Return a script that prints what there is for a job.

    It prints the path of the interpreter, `copied` or `not copied`, and `seen` or `not seen` for each of the
    paths, a line each, then facts as JSON; or `no python` and the path alone.

    Args:
        address: Names the interpreter, or leaves the choice.
        here: The interpreter of this process.
        copy: The name of the copy of this package; empty where none is wanted.
        needed: Distributions without which a job cannot run.
        paths: Files that a job has to see.
    """
    seen = "".join(f"[ -e {quote(path)} ] && echo seen || echo 'not seen'\n" for path in paths)
    words = " ".join(map(quote, needed))
    return f"""\
{_PRELUDE}{_choose_python(address.python, here)}
if [ -z "$python" ] || [ ! -x "$python" ]; then echo 'no python'; echo "${{python:-$asked}}"; return; fi
echo "$python"
path=''
{_copy_folder(copy)}
if [ -n "$path" ] && [ -d "$path" ]; then echo copied; else echo 'not copied'; fi
echo "$path"
{seen}mkdir -p "$jobs" && cd "$jobs" || return
[ -z "$path" ] || export PYTHONPATH="$path${{PYTHONPATH:+:$PYTHONPATH}}"
"$python" -c {quote(_FACTS)} {words}"""


def unpack_copy(python: str, copy: str, archive: str) -> str:
    """Return a script that unpacks a copy of this package.

    Args:
        python: The interpreter there.
        copy: The name of the copy.
        archive: A tar file in base 64.
    """
    return f"""\
umask 077
{_copy_folder(copy)}
{quote(python)} -c {quote(_UNPACK)} "$path" <<'END' && echo unpacked
{archive}
END"""


def _copy_folder(copy: str) -> str:
    folder = '"${XDG_CACHE_HOME:-$HOME/.cache}/pipeline_widgets/code/"'
    return f"path={folder}{quote(copy)}" if copy else ""


def _choose_python(asked: str | None, here: str) -> str:
    """Return shell lines that set `python` to the path of an interpreter."""
    if asked is None:
        same = f"asked={quote(here)}; python=$asked\n"
        return f'{same}[ -x "$python" ] || {{ asked=python3; python=$(command -v python3); }}'
    if "/" not in asked:
        return f'asked={quote(asked)}; python=$(command -v "$asked")'
    if asked.startswith("~/"):
        return f'asked="$HOME"/{quote(asked[2:])}; python=$asked'
    root = "" if asked.startswith("/") else '"$HOME"/'
    return f"asked={root}{quote(asked)}; python=$asked"
