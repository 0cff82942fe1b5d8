"""An algorithm that is a program: a training script, started by a launcher where it needs one."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pipeline_widgets.algorithms import registry
from pipeline_widgets.algorithms.algorithm import Algorithm, Predictor
from pipeline_widgets.domain.compatibility import ANSWER_WITHIN, LOAD_WITHIN, STOP_WITHIN, Port, Signature
from pipeline_widgets.domain.training import StopTraining
from pipeline_widgets.errors import ConfigError, ExecutionError
from pipeline_widgets.persistence.logs import render_log

if TYPE_CHECKING:
    from pipeline_widgets.algorithms.context import TrainContext

#: Arguments of a script: texts with fields in braces, or a function of the context that returns them.
Arguments: TypeAlias = "Sequence[str] | Callable[[TrainContext], Sequence[str]]"

OUTPUT_SHOWN = 30  # lines of the output of a script that has failed
#: Launchers that are modules, so that the interpreter of the run starts them.
_MODULES = {
    ("torchrun",): ("torch.distributed.run",),
    ("accelerate", "launch"): ("accelerate.commands.launch",),
}
#: Options of torchrun that say where its processes meet.
_MEETINGS = ("--standalone", "--rdzv", "--master", "--nnodes")


@dataclass(frozen=True, slots=True)
class Script:
    """A train function that starts a script and waits for it."""

    path: str
    args: Arguments | None
    launcher: tuple[str, ...]

    @property
    def code_file(self) -> str:
        """The file whose code it runs, for the record of an algorithm's code."""
        return self.path

    def __call__(self, ctx: TrainContext) -> None:
        """Run the script; it reports and saves with `pipeline_widgets.client`.

        Raises:
            StopTraining: A stop was asked for; SIGTERM has ended the script, or it has seen the stop itself.
            ConfigError: The arguments name a field that the config lacks.
            ExecutionError: It ended with another exit code than 0.
        """
        log = ctx.folder / "log.txt"
        command = [*_launch(self.launcher), self.path, *self._arguments(ctx)]
        ctx.log("$", shlex.join(command))
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        code = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=False).returncode  # noqa: S603  it is what the user asks for
        if ctx.should_stop:
            raise StopTraining
        if code != 0:
            how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
            shown = render_log(log, OUTPUT_SHOWN) if log.is_file() else ""
            why = f"The end of its output:\n{shown}" if shown else ""
            raise ExecutionError(f"The script {Path(self.path).name} {how}.", why)

    def _arguments(self, ctx: TrainContext) -> list[str]:
        fields = _fields(ctx.config)
        if self.args is None:
            return [word for name, value in fields.items() for word in _option(name, value)]
        if callable(self.args):
            return [str(each) for each in self.args(ctx)]
        start = str(ctx.start.path) if ctx.start else ""
        known = {**fields, "seed": ctx.seed, "folder": str(ctx.folder), "start": start}
        try:
            return [each.format(**known) for each in self.args]
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            what = f"The arguments of {Path(self.path).name} cannot be filled in."
            why = f"{type(error).__name__}: {error}. Known: {', '.join(known)}."
            raise ConfigError(
                what, why, "Name fields of the config in braces; write {{ for a brace."
            ) from error


def script(
    path: str | os.PathLike[str],
    *,
    produces: Iterable[str],
    name: str | None = None,
    args: Arguments | None = None,
    launcher: str | Sequence[str] = (),
    accepts: Iterable[Port] = (),
    scratch: bool = True,
    score: Literal["max", "min"] = "max",
    config: type[Any] | None = None,
    signature: Callable[[Any], Signature] | None = None,
    predict: Predictor | None = None,
    evaluator: str | Callable[[Any], str] | None = None,
    requires: Iterable[str] = (),
    install: str = "",
    load_within: float = LOAD_WITHIN,
    answer_within: float = ANSWER_WITHIN,
    stop_within: float = STOP_WITHIN,
    training_only: Iterable[str] = (),
) -> Algorithm:
    """Make an algorithm of a training script.

    The script is started by the interpreter of the run. Its output goes to the run's log, and an exit code
    other than 0 makes the run Failed, with the end of its output. It reports and saves with
    `from pipeline_widgets.client import run`. A stop reaches it as SIGTERM where it does not ask
    `run.should_stop` or report within half a second.

    Args:
        path: The script, such as "train.py".
        produces: As for `pw.algorithm`, like all that is not named here.
        name: The name that experiments use; by default that of the file without its suffix.
        args: Its arguments, such as `["--lr", "{learning_rate}"]`: names in braces are fields of the
            config, and `{seed}`, `{folder}` and `{start}`, the folder of the checkpoint to start from. Or a
            function of the context that returns them. By default every field of the config is an option,
            `--learning_rate 0.001`; True is the option alone, False and None leave it out.
        launcher: What starts it, such as "torchrun --nproc-per-node 2" or ("accelerate", "launch").
        accepts: The ways in which it can start from a checkpoint.
        scratch: Whether it can start from nothing.
        score: "max" if a higher score is better, "min" if a lower one is.
        config: A pydantic model or a dataclass.
        signature: The facets that have to agree with a start checkpoint.
        predict: Opens a checkpoint folder and returns a function that answers.
        evaluator: Names what the evaluation score is measured by.
        requires: The modules that the script needs.
        install: What a user types to install them.
        load_within: Seconds that an agent may take to open a checkpoint.
        answer_within: Seconds that an agent may take for one answer.
        stop_within: Seconds that it may take to end after a stop.
        training_only: Files of a checkpoint that only a resumed run needs.

    Raises:
        ConfigError: There is no such file, or an argument is not what it has to be.
    """
    found = Path(path).expanduser().absolute()
    if not found.is_file():
        what = f"There is no script {found}."
        raise ConfigError(what, fix=f"Give its path; the current folder is {Path.cwd()}.")
    words = shlex.split(launcher) if isinstance(launcher, str) else launcher
    kept = args if args is None or callable(args) else tuple(map(str, args))
    register = registry.algorithm(
        name or found.stem,
        produces=produces,
        accepts=accepts,
        scratch=scratch,
        score=score,
        config=config,
        signature=signature,
        predict=predict,
        evaluator=evaluator,
        requires=requires,
        install=install,
        load_within=load_within,
        answer_within=answer_within,
        stop_within=stop_within,
        training_only=training_only,
    )
    return register(Script(str(found), kept, tuple(words)))


def _launch(launcher: tuple[str, ...]) -> list[str]:
    """Return the words before the script: the run's own interpreter, and a launcher that it has."""
    if not launcher:
        return [sys.executable]
    for words, module in _MODULES.items():
        if launcher[: len(words)] == words:
            options = list(launcher[len(words) :])
            if words == ("torchrun",) and not any(each.startswith(_MEETINGS) for each in options):
                options.insert(0, "--standalone")  # else two runs at a time would meet at one port
            return [sys.executable, "-m", *module, *options]
    beside = Path(sys.executable).parent / launcher[0]
    return [str(beside) if beside.is_file() else launcher[0], *launcher[1:]]


def _fields(config: Any) -> dict[str, Any]:
    if config is None:
        return {}
    if isinstance(config, Mapping):
        return {str(name): value for name, value in config.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  it is the user's
    from pipeline_widgets.algorithms import config_model  # noqa: PLC0415  it imports pydantic

    return dict(config_model.to_plain_config(config))


def _option(name: str, value: Any) -> list[str]:
    if value is None or value is False:
        return []
    if value is True:
        return [f"--{name}"]
    if isinstance(value, list):
        return [f"--{name}", *map(str, value)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  plain values
    return [f"--{name}", str(value)]
