"""The commands of the terminal, and the entry point of the processes that launchers start."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import platform
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_widgets.execution.variables import LAUNCHED_FOR, SERVER_LOG, START_METHOD, URL

if TYPE_CHECKING:
    from pipeline_widgets.execution.assembly import Execution

DEFAULT = "sqlite:///lab.db"
PATIENCE = 60.0  # seconds that a database may refuse before a process that was launched for it ends
RETRY_EVERY = 1.0
SUPERVISOR_WITHIN = 15.0  # seconds that a launch server leaves to the supervisor beside which it was started


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit code."""
    if arguments is None and SERVER_LOG in os.environ and sys.argv[1:2] == ["supervise"]:
        from pipeline_widgets.execution.hosted_job import run_forked  # noqa: PLC0415  only for jobs over SSH

        if (code := run_forked(sys.argv[1:])) is not None:
            return code
    options = _parser().parse_args(arguments)
    from pipeline_widgets.errors import PipelineError  # noqa: PLC0415  --help need not wait for it

    try:
        options.command(options)
    except PipelineError as error:
        with suppress(OSError):  # a log on a full disk
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


@cache  # what a launch server forks finds it made
def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pipeline-widgets", description="Run pipelines, and look after workspaces, without a notebook."
    )
    parser.add_argument("--url", help=f"the workspace; else ${URL}, else {DEFAULT}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    _add_commands(commands)
    _add_entry_points(commands)
    return parser


def _add_commands(commands: Any) -> None:
    """Add what people call."""
    run = commands.add_parser("run", help="run what is next in a pipeline; its runs outlive this command")
    run.add_argument("project")
    run.add_argument("pipeline")
    run.add_argument("--bring-up-to-date", action="store_true", help="run again what is stale instead")
    run.add_argument("--run-through", action="store_true", help="start manual stages on the way, too")
    run.add_argument("--start-over", action="store_true", help="do not resume a stage that was stopped")
    run.add_argument("--plan", action="store_true", help="print what it would do, and do nothing")
    run.add_argument(
        "--wait", action="store_true", help="until it is done; exit 1 where a stage did not succeed"
    )
    run.set_defaults(command=_run)
    reconcile = commands.add_parser("reconcile", help="find crashed and never-started runs, say from cron")
    reconcile.set_defaults(command=_reconcile)
    trust = commands.add_parser("trust", help="let a workspace that somebody else made run code, from now on")
    trust.add_argument("workspace", nargs="?", help="its file or URL; else as --url")
    trust.set_defaults(command=_trust)
    backup = commands.add_parser("backup", help="make a whole copy in a new folder, also while it works")
    backup.add_argument("path", help="the folder to make")
    backup.set_defaults(command=_backup)
    copy = commands.add_parser("copy", help="copy a workspace into another database, or move it there")
    copy.add_argument("source", help="its file or URL")
    copy.add_argument("target", help="a file that is not there yet, or the URL of an empty database")
    copy.add_argument("--artifacts", help="the folder of the copy; by default NAME-artifacts beside a file")
    copy.add_argument("--move", action="store_true", help="take the place of the source, with its folder")
    copy.set_defaults(command=_copy)
    demo = commands.add_parser("demo", help="run SFT -> DPO -> GRPO -> an agent in a few seconds")
    demo.add_argument("--url", default=argparse.SUPPRESS, help="where to keep it; else a temporary folder")
    demo.set_defaults(command=_demo)


def _add_entry_points(commands: Any) -> None:
    """Add what launchers and handles start. Without a help text they are not in the list of `--help`."""
    supervise = commands.add_parser("supervise", description="Carry out a run and what follows it.")
    supervise.add_argument("run_id", type=int)
    supervise.set_defaults(command=_supervise)
    launch = commands.add_parser("launch-server", description="Fork supervisors on request.")
    launch.add_argument("socket", type=Path)
    launch.add_argument("log", type=Path)
    launch.add_argument("lock", type=int)
    launch.add_argument("idle", type=float, help="seconds without a request after which it ends")
    launch.add_argument("begin_after", type=float, help="seconds to wait first")
    launch.add_argument("beside", type=int, help="a supervisor that is to begin before it")
    launch.set_defaults(command=_launch_server)
    serve = commands.add_parser("serve", description="Answer for an agent over HTTP.")
    serve.add_argument("agent_id", type=int)
    serve.set_defaults(command=_serve)
    answer = commands.add_parser(
        "answer", description="Answer for a version of an agent, to its handle, in lines of JSON."
    )
    answer.add_argument("version_id", type=int)
    answer.set_defaults(command=_answer)
    notify = commands.add_parser("notify", description="Send the messages about runs that are due.")
    notify.set_defaults(command=_notify)
    track = commands.add_parser("track", description="Tell trackers of a run and what follows it.")
    track.add_argument("run_id", type=int)
    track.set_defaults(command=_track)
    job = commands.add_parser("job", description="Print, sleep and exit, for the tests of launchers.")
    job.add_argument("--print", action="append", default=[])
    job.add_argument("--variable", action="append", default=[], help="an environment variable to print")
    job.add_argument("--ignore-sigterm", action="store_true")
    job.add_argument("--sleep", type=float, default=0.0, help="seconds")
    job.add_argument("--exit", type=int, default=0, help="exit code")
    job.set_defaults(command=_job)


def _url(options: argparse.Namespace) -> str:
    return options.url or os.environ.get(URL) or DEFAULT


def _supervise(options: argparse.Namespace) -> None:
    from pipeline_widgets.execution.fork_server import create_spawner  # noqa: PLC0415  it forks first

    spawner = create_spawner(os.environ.get(START_METHOD))
    gc.disable()  # imports leave nothing to collect, and are faster so; `Supervisor.run` enables it again
    from pipeline_widgets.execution.supervisor import Supervisor  # noqa: PLC0415

    opened = _open_launched(options)
    supervisor = Supervisor(
        opened.supervision,
        lambda: opened.reconciler,
        lambda: opened.endpoints,
        opened.store.timing,
        spawner,
        lambda: opened.trackers,
    )
    try:
        supervisor.run(options.run_id)
    finally:
        opened.store.database.close()


def _launch_server(options: argparse.Namespace) -> None:
    since = time.time()
    time.sleep(options.begin_after)
    _wait_for_worker(options.beside)
    from pipeline_widgets.execution import launch_server  # noqa: PLC0415  not before the run has begun

    _parser().parse_args(["supervise", "0"])  # it keeps the patterns of what it has parsed
    arguments = launch_server.serve(options.socket, options.log, options.lock, options.idle, since)
    if arguments is not None:  # a process that was forked from it
        forked = _parser().parse_args(arguments)
        forked.command(forked)


def _wait_for_worker(supervisor: int) -> None:
    """Wait until a supervisor has begun (its fork server has forked a worker), or has ended (Linux)."""
    until = time.monotonic() + SUPERVISOR_WITHIN
    while supervisor and time.monotonic() < until:
        found = [supervisor]
        for _ in range(2):
            found = [each for pid in found for each in _children(pid)]
        if found or not os.path.isdir(f"/proc/{supervisor}"):  # noqa: PTH112  as below
            return
        time.sleep(0.1)


def _children(pid: int) -> list[int]:
    with suppress(OSError), open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:  # noqa: PTH123
        return [int(each) for each in file.read().split()]
    return []


def _serve(options: argparse.Namespace) -> None:
    from pipeline_widgets.execution import processes  # noqa: PLC0415  not for --help
    from pipeline_widgets.serving.server import serve  # noqa: PLC0415  only here a web server is needed

    opened = _open_launched(options)
    try:
        serve(opened.store, opened.endpoint_service, options.agent_id, processes.identify(os.getpid()))
    finally:
        opened.store.database.close()


def _answer(options: argparse.Namespace) -> None:
    from pipeline_widgets.execution.predictor_process import answer_questions  # noqa: PLC0415  not for --help

    opened = _open_launched(options)
    try:
        served = opened.endpoint_service.version(options.version_id)
    finally:
        opened.store.database.close()
    answer_questions(served.version, served.reference, opened.store.artifact_store)


def _notify(options: argparse.Namespace) -> None:
    from pipeline_widgets.execution import notifier  # noqa: PLC0415  not for --help

    opened = _open_launched(options)
    try:
        notifier.run(opened.notices)
    finally:
        opened.store.database.close()


def _job(options: argparse.Namespace) -> None:
    if options.ignore_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    said = [f"process {os.getpid()} on {platform.node()}"]
    said += [f"{name}={os.environ.get(name)!r}" for name in options.variable]
    with open(1, "wb", closefd=False) as output:
        output.write("".join(f"{line}\n" for line in (*said, *options.print)).encode())
    time.sleep(options.sleep)
    sys.exit(options.exit)


def _track(options: argparse.Namespace) -> None:
    from pipeline_widgets.execution import tracking  # noqa: PLC0415  not for --help

    opened = _open_launched(options)
    try:
        folders = opened.store.artifacts / "trackers"
        tracking.track(opened.tracking, options.run_id, folders, opened.store.log_path)
    finally:
        opened.store.database.close()
    os._exit(0)  # a thread of a tracker that hangs is left behind


def _open_launched(options: argparse.Namespace) -> Execution:
    """Open the workspace that this process was launched for; wait for a database that refuses for a while."""
    from pipeline_widgets.errors import DataRefusedError, StorageError  # noqa: PLC0415  not for --help
    from pipeline_widgets.execution.assembly import connect_execution  # noqa: PLC0415  as above
    from pipeline_widgets.execution.streams import lose_what_cannot_be_printed  # noqa: PLC0415  as above

    lose_what_cannot_be_printed()
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    until = time.monotonic() + PATIENCE
    while True:
        try:
            launched_for = os.environ.get(LAUNCHED_FOR)
            opened = connect_execution(
                _url(options), create=False, checks_code=False, launched_for=launched_for
            )
            opened.store.trust.check()
        except DataRefusedError:
            raise
        except StorageError as error:
            if time.monotonic() > until:
                raise
            logging.getLogger(__name__).warning("%s", error)
        else:
            return opened
        time.sleep(RETRY_EVERY)


def _run(options: argparse.Namespace) -> None:
    from pipeline_widgets.api.project import projects  # noqa: PLC0415  not for --help
    from pipeline_widgets.wiring import connect  # noqa: PLC0415  as above

    services = connect(_url(options), create=False)
    try:
        services.store.trust.check()
        project: str = options.project
        named: str = options.pipeline
        pipe = projects(services)[project].pipelines[named]
        choices: dict[str, Any] = {"run_through": options.run_through, "start_over": options.start_over}
        planned = pipe.plan(bring_up_to_date=options.bring_up_to_date, **choices)
        print(planned)
        if options.plan or planned.stage_id is None:
            return
        start = pipe.bring_up_to_date if options.bring_up_to_date else pipe.run
        start(**choices)
        if not options.wait:
            return
        pipe.wait()
        for stage in pipe.stages:
            print(stage)
        if any(stage.status in {"Failed", "Crashed", "Stopped"} or stage.held for stage in pipe.stages):
            sys.exit(1)
    finally:
        services.store.database.close()


def _reconcile(options: argparse.Namespace) -> None:
    from pipeline_widgets.wiring import connect  # noqa: PLC0415  not for --help

    services = connect(_url(options), create=False)
    services.store.trust.check()
    services.reconciler.reconcile_patiently()
    services.store.database.close()


def _trust(options: argparse.Namespace) -> None:
    from pipeline_widgets.wiring import connect  # noqa: PLC0415  not for --help

    services = connect(options.workspace or _url(options), create=False, trust=True)
    print(f"{services.store.database.safe_url} is trusted: it may run the code that it holds.")
    services.store.database.close()


def _backup(options: argparse.Namespace) -> None:
    from pipeline_widgets.wiring import connect  # noqa: PLC0415  not for --help

    services = connect(_url(options), create=False)
    try:
        print(services.back_up(options.path))
    finally:
        services.store.database.close()


def _copy(options: argparse.Namespace) -> None:
    from pipeline_widgets.wiring import connect  # noqa: PLC0415  not for --help

    services = connect(options.source, create=False)
    try:
        copied = services.copy_to(options.target, options.artifacts, move=options.move)
    finally:
        services.store.database.close()
    for name, rows in copied.rows.items():
        print(f"{rows:>12,} {name}")
    print(f"{copied.url} has these rows, with the same digest as the source: {copied.digest}")
    print(f"Its artifacts are in {copied.artifacts}")


def _demo(options: argparse.Namespace) -> None:
    from pipeline_widgets import demo  # noqa: PLC0415  not for --help

    demo.run(options.url)


if __name__ == "__main__":
    raise SystemExit(main())
