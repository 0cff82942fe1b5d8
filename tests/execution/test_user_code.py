"""What a user's own train function may do, with real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import user_code
from benches import Bench, until
from sqlalchemy import select

import pipeline_widgets as pw
from pipeline_widgets.persistence import schema

pytestmark = pytest.mark.slow


@pytest.mark.spec("6.9")
def test_case_13_a_late_score_makes_its_checkpoint_the_best(bench: Bench) -> None:
    """Scores that come after the last checkpoint decide what is Best, in the plan and for agents."""
    experiment = bench.project.create_experiment("late", algorithm=user_code.late)
    pipe = bench.project.create_pipeline("late")
    pipe.add_experiment_stage(experiment, auto_add_agent=True)
    pipe.add_deployment_stage("agent of late")
    run = pipe.stages[0].trigger().wait(60)
    assert run.status == "Succeeded"
    assert [(c.step, c.evaluation_score) for c in run.checkpoints] == [(5, 0.9), (10, 0.1)]
    assert "best evaluation score 0.9, step 5" in str(pipe.stages[1].plan())
    assert [agent.checkpoint.step for agent in bench.ws.agents] == [5]
    assert run.progress.step == 10
    with bench.ws._services.store.read() as work:
        columns = schema.runs.c
        scores = select(columns.lowest_evaluation, columns.highest_evaluation)
        row = work.connection.execute(scores.where(columns.experiment_id == experiment._id)).one()
    assert tuple(row) == (0.1, 0.9)


@pytest.mark.spec("6.6")
@pytest.mark.parametrize(
    ("how", "status"),
    [
        ("sys.exit", "Stopped"),
        ("sys.exit 1", "Stopped"),
        ("os._exit", "Stopped"),
        ("default", "Stopped"),
        ("interrupt", "Stopped"),
        ("fault", "Failed"),
    ],
)
def test_habit_11_a_handler_of_its_own_heeds_a_stop(bench: Bench, how: str, status: str) -> None:
    """A training whose own SIGTERM handler ends it after a stop is Stopped, with its checkpoints."""
    experiment = bench.project.create_experiment("ending", algorithm=user_code.ending, config={"how": how})
    run = experiment.train()
    until(lambda: len(run.checkpoints) == 1)
    run.stop()
    run.wait(30)
    assert run.status == status
    assert [each.step for each in run.checkpoints] == [1]
    assert status == "Failed" or run.error is None


@pytest.mark.spec("6.6")
def test_habit_18_a_stop_within_a_task_group_is_a_stop(bench: Bench) -> None:
    """A group that holds nothing but the word to stop ends the run as that word alone does."""
    experiment = bench.project.create_experiment("tasks", algorithm=user_code.in_tasks)
    run = experiment.train()
    until(lambda: run.progress.step == 1)
    run.stop()
    assert run.wait(30).status == "Stopped", run.error


@pytest.mark.spec("6.9")
def test_habit_24_a_crash_of_compiled_code_tells_its_python_stack(bench: Bench) -> None:
    """The error of the run names the line that was being carried out."""
    experiment = bench.project.create_experiment("crash", algorithm=user_code.ending, config={"how": "crash"})
    run = experiment.train().wait(30)
    assert run.status == "Crashed"
    assert "SIGSEGV" in (run.error or "")
    assert "Fatal Python error: Segmentation fault" in (run.error or "")
    assert 'user_code.py", line' in (run.error or "")
    assert "in ending" in (run.error or "")


MAIN = """
import concurrent.futures, dataclasses, enum, inspect, multiprocessing, os, pickle, sys, typing
import pipeline_widgets as pw

class Net:
    def __init__(self, n): self.n = n

class Color(enum.Enum):
    RED = 1

@dataclasses.dataclass
class Point:
    x: "int"
    net: "Net | None" = None

COUNT = 0
def square(x): return x * x
def begin(): global COUNT; COUNT = 7
def count(_): return COUNT

def pickled():
    assert type(pickle.loads(pickle.dumps(Net(1)))) is Net
    assert pickle.loads(pickle.dumps(Color.RED)) is Color.RED
    assert pickle.loads(pickle.dumps(Point(1))) == Point(1)
    assert pickle.loads(pickle.dumps(square)) is square

def in_workers(method):
    with multiprocessing.get_context(method).Pool(1, initializer=begin) as pool:
        assert pool.map(square, [1, 2]) == [1, 4]
        assert pool.map(Point, [3]) == [Point(3)]
        assert pool.map(count, [1]) == [7]

def in_an_executor():
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
        assert list(executor.map(square, [3])) == [9]

def looked_up():
    global COUNT
    import __main__
    assert sys.modules["__main__"].Net is Net and __main__.square is square
    assert typing.get_type_hints(Point) == {"x": int, "net": typing.Optional[Net]}
    COUNT = 3
    assert __main__.COUNT == 3
    assert "x * x" in inspect.getsource(square)

def opened(path):
    net = pickle.loads((path / "net.pkl").read_bytes())
    return lambda x: [net.n * x, os.getpid()]

@pw.algorithm("Mine", produces={"thing"}, accepts=[pw.Port("weights", {"thing"})], predict=opened)
def train(ctx):
    pickled()
    for method in ("fork", "spawn", "forkserver"): in_workers(method)
    in_an_executor()
    looked_up()
    with ctx.checkpoint(1) as folder: (folder / "net.pkl").write_bytes(pickle.dumps(Net(21)))

if __name__ == "__main__":
    ws = pw.Workspace("lab.db")
    project = ws.create_project("P", advanced_training=True)
    run = project.create_experiment("e", algorithm=train).train().wait(90)
    assert run.status == "Succeeded", run.error
    agent = ws.create_agent("agent", run.checkpoints[0])
    assert agent.predict(2) == [42, os.getpid()]
    connection = agent.connect()
    try:
        answered = agent.ask(2) if hasattr(agent, "ask") else ws._services.ask_agent(agent._id, 2)
        print("served", answered)
    finally:
        agent.disconnect()
"""

LATER = """
import pipeline_widgets as pw
agent = pw.Workspace("lab.db").agents["agent"]
print(agent.predict(2)[0], "Net" in globals())
"""


@pytest.mark.sqlite  # its script names its own file
@pytest.mark.spec("7.1")
def test_habit_04_main_is_in_the_child_what_it_is_in_the_notebook(tmp_path: Path) -> None:
    """Pickle, workers and look-ups find what `__main__` has, also in an endpoint and in another kernel."""
    (tmp_path / "notebook.py").write_text(MAIN)
    (tmp_path / "later.py").write_text(LATER)

    def run(program: str) -> str:
        done = subprocess.run(
            [sys.executable, program], cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "42" in run("notebook.py")
    assert run("later.py").split() == ["42", "False"]


DATACLASS = """
import dataclasses
import pipeline_widgets as pw

@dataclasses.dataclass
class Optimizer:
    rate: float = 0.1

@dataclasses.dataclass(kw_only=True)
class Config:
    steps: int
    names: list[str] = dataclasses.field(default_factory=list)
    optimizer: Optimizer = dataclasses.field(default_factory=Optimizer)

@pw.algorithm("Plain", produces={"thing"}, config=Config)
def train(ctx):
    fields = {field.name: field for field in dataclasses.fields(ctx.config)}
    assert fields["steps"].default is dataclasses.MISSING
    assert fields["names"].default_factory is list
    assert ctx.config == Config(steps=3, optimizer=Optimizer(rate=0.5)), ctx.config
    ctx.report(ctx.config.steps, evaluation_score=ctx.config.optimizer.rate)

project = pw.Workspace("lab.db").create_project("P", advanced_training=True)
config = {"steps": 3, "optimizer": {"rate": 0.5}}
run = project.create_experiment("plain", algorithm=train, config=config).train().wait(60)
print(run.status, run.error)
"""


@pytest.mark.sqlite  # its script names its own file
@pytest.mark.spec("7.4")
def test_habit_16_a_dataclass_of_a_cell_is_a_config_in_the_run(tmp_path: Path) -> None:
    """Its fields are what they were: what has no default is known by an object that there is once only."""
    (tmp_path / "notebook.py").write_text(DATACLASS)
    done = subprocess.run(
        [sys.executable, "notebook.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stdout == "Succeeded None\n", done.stdout + done.stderr


CHAIN = """
import functools, multiprocessing, pickle, os
import pipeline_widgets as pw

class Net:
    def __init__(self, n): self.n = n
    def twice(self): return double(self.n)

def double(x): return 2 * x

class Plugin:
    known = {}
    def __init_subclass__(cls, *, tag): Plugin.known[tag] = cls.size

class Large(Plugin, tag="large"):
    size = 3

class Registered:
    known = {}
    def __init_subclass__(cls): Registered.known[cls.__name__] = cls

class Mine(Registered):
    size = 4

class Flagged(type):
    def __new__(kind, name, bases, names, *, flag): return super().__new__(kind, name, bases, names)
    def __init__(cls, name, bases, names, *, flag): cls.flag = flag

class Set(metaclass=Flagged, flag=1): pass

@functools.lru_cache(maxsize=3)
def fibonacci(n): return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

class Cached:
    @functools.cached_property
    def value(self): return object()

@functools.singledispatch
def kind_of(x): return "any"
@kind_of.register
def _(x: int): return "int"

def again(x): return pickle.loads(pickle.dumps(x))
def opened(path):
    net = pickle.loads((path / "net").read_bytes())
    return lambda x: [net.twice(), os.getpid()]

@pw.algorithm("First", produces={"thing"})
def first(ctx):
    assert type(again(Mine())) is Mine and Registered.known == {"Mine": Mine}
    assert again(Large()).size == 3 and Plugin.known == {"large": 3}
    assert again(Set()).flag == 1
    assert fibonacci(10) == 55 and fibonacci.cache_parameters()["maxsize"] == 3
    assert again(fibonacci) is fibonacci
    cached = Cached()
    assert cached.value is cached.value
    assert (kind_of(1), kind_of("1")) == ("int", "any")
    with ctx.checkpoint(1) as folder: (folder / "net").write_bytes(pickle.dumps(Net(21)))

def pass_on(ctx):
    saved = (ctx.start.path / "net").read_bytes()
    net = pickle.loads(saved)
    assert net.twice() == 42 and type(again(net)) is type(net)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(type(net).twice, [net]) == [42]
        assert pool.apply(pickle.loads, [saved]).twice() == 42
    with ctx.checkpoint(1) as folder: (folder / "net").write_bytes(saved)

@pw.algorithm("Second", produces={"thing"}, accepts=[pw.Port("weights", {"thing"})])
def second(ctx): pass_on(ctx)

@pw.algorithm("Third", produces={"thing"}, accepts=[pw.Port("weights", {"thing"})], predict=opened)
def third(ctx): pass_on(ctx)

if __name__ == "__main__":
    ws = pw.Workspace("lab.db")
    project = ws.create_project("P", advanced_training=True)
    pipe = project.create_pipeline("chain")
    for made in (first, second, third):
        experiment = project.create_experiment(made.spec.name, algorithm=made)
        trigger = "auto" if len(pipe.stages) else "manual"
        pipe.add_experiment_stage(experiment, trigger=trigger)
    pipe.stages[0].trigger()
    pipe.wait(150)
    for stage in pipe.stages:
        assert stage.status == "Succeeded", stage.runs[-1].error
    agent = ws.create_agent("agent", pipe.stages[2].runs[-1].checkpoints[0])
    agent.connect()
    try:
        assert ws._services.ask_agent(agent._id, 2).content["output"][0] == 42
    finally:
        agent.disconnect()
"""


@pytest.mark.sqlite  # its script names its own file
@pytest.mark.spec("7.1")
def test_habit_04_a_stage_opens_what_the_code_of_an_earlier_one_pickled(tmp_path: Path) -> None:
    """A class that only the first stage names is found by later ones, their workers, and the agent."""
    (tmp_path / "notebook.py").write_text(CHAIN)
    (tmp_path / "later.py").write_text(LATER)
    for program in ("notebook.py", "later.py"):
        done = subprocess.run(
            [sys.executable, program], cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["42", "False"]


CELL = """
import linecache, sys
import pipeline_widgets as pw
text = "def helper():\\n    raise ValueError('in a cell')\\n"
file = "/nowhere/ipykernel_1/2.py"
linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
exec(compile(text, file, "exec"))
@pw.algorithm("Mine", produces={"thing"})
def train(ctx): helper()
project = pw.Workspace("lab.db").create_project("P", advanced_training=True)
run = project.create_experiment("e", algorithm=train).train().wait(60)
print(run.error, run.failure)
"""


@pytest.mark.sqlite  # its script names its own file
def test_habit_13_a_traceback_shows_the_text_of_a_cell(tmp_path: Path) -> None:
    """The source of a notebook's code goes with it."""
    (tmp_path / "notebook.py").write_text(CELL)
    done = subprocess.run(
        [sys.executable, "notebook.py"], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=True
    )
    assert 'File "<cell ' in done.stdout
    assert "    raise ValueError('in a cell')" in done.stdout
    assert "  notebook cell, line 2, in helper" in done.stdout
    assert "  >     2 |     raise ValueError('in a cell')" in done.stdout


@pytest.mark.spec("6.9")
@pytest.mark.parametrize("how", ["none", "closed", "mute"])
def test_fault_2_standard_streams_that_take_nothing_end_no_training(bench: Bench, how: str) -> None:
    """Where nothing can be printed, a training ends as it would have, and its error is told."""
    untold = user_code.untold
    well = bench.project.create_experiment("well", algorithm=untold, config={"how": how}).train()
    ill = bench.project.create_experiment("ill", algorithm=untold, config={"how": how, "fails": True}).train()
    assert (well.wait(60).status, well.error) == ("Succeeded", None)
    assert ill.wait(60).status == "Failed"
    assert str(ill.error).endswith("ValueError: what went wrong\n")
    assert [len(run.checkpoints) for run in (well, ill)] == [1, 1]


def test_a_traceback_of_megabytes_is_kept_by_its_beginning_and_end(bench: Bench) -> None:
    """What an error says is read with each look at a run; all of it is in the log."""
    run = bench.project.create_experiment("wordy", algorithm=user_code.wordy).train().wait(60)
    error = str(run.error)
    assert run.status == "Failed"
    assert error.startswith("Traceback (most recent call last):")
    assert error.endswith("...end\n")
    assert "characters are left out; the log has them." in error
    assert len(error) < 201_000
    assert len(run.log) > 5_000_000
    assert run.failure is not None
    assert len(run.failure.message) < 2_200


def test_an_error_that_has_no_words_is_named(bench: Bench) -> None:
    """A run whose error cannot be formatted is Failed, with the name of the error."""
    run = bench.project.create_experiment("mute", algorithm=user_code.unspeakable).train().wait(60)
    assert run.status == "Failed"
    assert "_UnspeakableError" in str(run.error)


@dataclass
class Scribble:
    """What is written."""

    data: str  # hexadecimal


@pw.algorithm("Scribbler", produces={"thing"}, config=Scribble)
def scribbler(ctx: pw.TrainContext) -> None:
    """Write into each descriptor that is open, as code does that takes a number for one of its own."""
    with ctx.checkpoint(1) as folder:
        (folder / "state").write_text("good")
    for number in range(3, 256):
        with suppress(OSError):
            os.set_blocking(number, False)
            os.write(number, bytes.fromhex(ctx.config.data) * 20)
    time.sleep(60)


@pytest.mark.parametrize("data", [b"garbage ", b"\0\0\0\5hello", b"\xff\xff\xff\xfe", b"\0\0\0\0"])
def test_a_training_that_writes_into_others_descriptors_fails_with_that_reason(
    bench: Bench, data: bytes
) -> None:
    """Whatever bytes it writes: the run is Failed at once, says why, and keeps what it had told before."""
    experiment = bench.project.create_experiment(
        "scribbler", algorithm=scribbler, config={"data": data.hex()}
    )
    run = experiment.train().wait(30)

    assert run.status == "Failed"
    assert "wrote into file descriptors that are not its own" in (run.error or "")
    assert [each.step for each in run.checkpoints] == [1]
