"""What a launcher starts, and the few commands of the terminal."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline_widgets.wiring import Services

URL = "PIPELINE_WIDGETS_URL"
START_METHOD = "PIPELINE_WIDGETS_START_METHOD"
DEFAULT = "sqlite:///lab.db"
PATIENCE = 60.0  # seconds that a database may refuse a process that was launched
PAUSE = 1.0  # seconds between two tries


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit code."""
    options = _parser().parse_args(arguments)
    from pipeline_widgets.errors import PipelineError  # noqa: PLC0415  --help need not wait for it

    try:
        options.command(options)
    except PipelineError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pipeline-widgets", description=__doc__)
    parser.add_argument("--url", help=f"the workspace; else ${URL}, else {DEFAULT}")
    commands = parser.add_subparsers(required=True)
    supervise = commands.add_parser("supervise", help="carry out a run and what follows it (for launchers)")
    supervise.add_argument("run_id", type=int)
    supervise.set_defaults(command=_supervise)
    serve = commands.add_parser("serve", help="answer for an agent over HTTP (for launchers)")
    serve.add_argument("agent_id", type=int)
    serve.set_defaults(command=_serve)
    reconcile = commands.add_parser("reconcile", help="find crashed and never-started runs, say from cron")
    reconcile.set_defaults(command=_reconcile)
    backup = commands.add_parser("backup", help="make a whole copy in a new folder, also while it works")
    backup.add_argument("path", help="the folder to make")
    backup.set_defaults(command=_backup)
    demo = commands.add_parser("demo", help="run SFT -> DPO -> GRPO -> an agent in a few seconds")
    demo.add_argument("--url", default=argparse.SUPPRESS, help="where to keep it; else a temporary folder")
    demo.set_defaults(command=_demo)
    return parser


def _url(options: argparse.Namespace) -> str:
    return options.url or os.environ.get(URL) or DEFAULT


def _connected(url: str) -> Services:
    """Open a workspace for a process that was launched: one that is there, once its database lets it.

    A server that restarts or has no connection left, and a lock that is held, pass.
    """
    from pipeline_widgets.errors import DataRefusedError, StorageError  # noqa: PLC0415
    from pipeline_widgets.wiring import connect  # noqa: PLC0415

    until = time.monotonic() + PATIENCE
    while True:
        try:
            return connect(url, create=False)
        except DataRefusedError:
            raise
        except StorageError as error:
            if time.monotonic() > until:
                raise
            with suppress(OSError):  # of a full disk, too
                print(f"{type(error).__name__}: {error}", file=sys.stderr)
        time.sleep(PAUSE)


def _supervise(options: argparse.Namespace) -> None:
    from pipeline_widgets.execution.fork_server import nursery  # noqa: PLC0415  forks before the rest

    children = nursery(os.environ.get(START_METHOD))
    from pipeline_widgets.execution.supervisor import Supervisor  # noqa: PLC0415

    services = _connected(_url(options))
    supervisor = Supervisor(
        services.supervision, services.reconciler, services.endpoints, services.store.timing, children
    )
    try:
        supervisor.run(options.run_id)
    finally:
        services.store.database.close()


def _serve(options: argparse.Namespace) -> None:
    from pipeline_widgets.execution.serving import serve  # noqa: PLC0415  only here a web server is needed

    services = _connected(_url(options))
    try:
        serve(services.store, services.serving, options.agent_id)
    finally:
        services.store.database.close()


def _reconcile(options: argparse.Namespace) -> None:
    from pipeline_widgets.wiring import connect  # noqa: PLC0415  not for --help

    services = connect(_url(options), create=False)
    services.reconciler.reconcile()
    services.store.database.close()


def _backup(options: argparse.Namespace) -> None:
    from pipeline_widgets.wiring import connect  # noqa: PLC0415  not for --help

    services = connect(_url(options), create=False)
    try:
        print(services.back_up(options.path))
    finally:
        services.store.database.close()


def _demo(options: argparse.Namespace) -> None:
    from pipeline_widgets import demo  # noqa: PLC0415  not for --help

    demo.run(options.url)


if __name__ == "__main__":
    raise SystemExit(main())
