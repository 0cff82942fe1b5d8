"""Which code an algorithm is: twenty edits, and where its own modules are found."""

from __future__ import annotations

import linecache
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pipeline_widgets as pw
from pipeline_widgets.algorithms import code_digest
from pipeline_widgets.algorithms.code_reference import readable_reference_to
from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.code_record import CodeRecord, describe_change
from pipeline_widgets.domain.normalised_code import find_first_difference, normalise

FILES = {
    "train.py": '''
        """Train by repeated steps."""

        import math
        from collections.abc import Sequence
        from dataclasses import dataclass
        from functools import lru_cache

        from helpers import scale

        SPEED = 0.5


        @dataclass
        class Settings:
            """How to train."""

            width: int = 64
            names: tuple = ("a", "b")


        @lru_cache
        def grow(value, by=2):
            # A comment.
            total: float = value * by
            return math.sqrt(total) if total > 0 else 0


        def train(ctx) -> None:
            """Train."""
            for step in range(10):
                ctx.report(step, loss=scale(grow(step), SPEED))
            return None
    ''',
    "helpers.py": """
        from deep import core


        def scale(value, by):
            return core.bend(value) * by
    """,
    "deep/__init__.py": "",
    "deep/core.py": """
        from . import limits


        def bend(value):
            return min(value, limits.MOST)
    """,
    "deep/limits.py": "MOST = 3\n",
}

#: What is edited, the former and the new text, and the place that is told.
CHANGES = [
    ("two imports away", "deep/core.py", "min(value", "max(value", "deep/core.py:5"),
    ("a constant three imports away", "deep/limits.py", "MOST = 3", "MOST = 4", "deep/limits.py:1"),
    ("a constant", "train.py", "SPEED = 0.5", "SPEED = 0.25", "train.py:10"),
    ("an operator", "train.py", "total > 0", "total >= 0", "train.py:25"),
    ("a default argument", "train.py", "by=2", "by=3", "train.py:22"),
    ("a decorator", "train.py", "@lru_cache\n", "@lru_cache(maxsize=1)\n", "train.py:21"),
    ("the annotation of a field", "train.py", "width: int", "width: float", "train.py:17"),
    ("the default of a field", "train.py", '("a", "b")', '("a", "c")', "train.py:18"),
    ("an imported name", "train.py", "import scale", "import bias as scale", "train.py:8"),
]
NO_CHANGES = [
    ("a comment", "train.py", "# A comment.", "# Another one.\n            # And one more."),
    ("a docstring", "train.py", '"""Train by repeated steps."""', '"""Train."""'),
    ("the docstring of a class", "train.py", '    """How to train."""\n', ""),
    ("type hints", "train.py", "grow(value, by=2):", "grow(value: float, by: 'Sequence' = 2) -> float:"),
    ("the hint of a variable", "train.py", "total: float = value", "total = value"),
    (
        "the order of imports",
        "train.py",
        "import math\n        from collections.abc import Sequence\n",
        "from collections.abc import Sequence\n        import math\n",
    ),
    ("blank lines", "train.py", "SPEED = 0.5\n", "\n\n\n        SPEED = 0.5\n\n"),
    ("quotes", "train.py", '("a", "b")', "('a', 'b')"),
    ("a trailing comma and parentheses", "train.py", "(step, loss=scale(grow(step), SPEED))",
     "(\n                    step,\n                    loss=(scale(grow(step), SPEED)),\n                )"),
    ("a line continuation", "helpers.py", "core.bend(value) * by", "core.bend(value) \\\n        * by"),
]  # fmt: skip


def recorded(reference: AlgorithmReference) -> CodeRecord:
    """Return the code behind a reference, which is known."""
    record = code_digest.record_code(reference)
    assert record is not None
    return record


def write(folder: Path, **edits: tuple[str, str]) -> AlgorithmReference:
    """Write the files, with the former text of one replaced by the new one."""
    for name, text in FILES.items():
        former, new = edits.get(name, ("", ""))
        assert former in text
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text.replace(former, new, 1)).lstrip("\n"))
    return AlgorithmReference(path="train:train", root=str(folder))


@pytest.mark.spec("6.11")
@pytest.mark.parametrize(("name", "former", "new", "place"), [each[1:] for each in CHANGES],
                         ids=[each[0] for each in CHANGES])  # fmt: skip
def test_an_edit_that_changes_behaviour_is_told_with_file_and_line(
    tmp_path: Path, name: str, former: str, new: str, place: str
) -> None:
    """Ten edits, two of them two imports away, each with its file and first line."""
    before = recorded(write(tmp_path / "before"))
    after = recorded(write(tmp_path / "after", **{name: (former, new)}))
    assert describe_change(before, after) == place
    assert before.digest != after.digest


@pytest.mark.spec("6.11")
@pytest.mark.parametrize(("name", "former", "new"), [each[1:] for each in NO_CHANGES],
                         ids=[each[0] for each in NO_CHANGES])  # fmt: skip
def test_an_edit_that_changes_no_behaviour_is_none(tmp_path: Path, name: str, former: str, new: str) -> None:
    """Ten edits of comments, docstrings, formatting, type hints and the order of imports are none."""
    before = recorded(write(tmp_path / "before"))
    after = recorded(write(tmp_path / "after", **{name: (former, new)}))
    assert after.texts != before.texts, "nothing was edited"
    assert after.digest == before.digest
    assert describe_change(before, after) is None


CELL = """\
import pydantic
import pipeline_widgets as pw

RATE = 0.1
UNUSED = 1


class Config(pydantic.BaseModel):
    steps: int = 3


class Net:
    def forward(self, x):
        return x * RATE


def helper(x):
    return Net().forward(x)


@pw.algorithm("Of a cell", produces={"policy"}, config=Config)
def train(ctx):
    ctx.report(1, loss=helper(2))
"""


def run_cell(text: str, monkeypatch: pytest.MonkeyPatch) -> CodeRecord:
    """Define what a cell defines, as a kernel does, and return the record of its algorithm."""
    main = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    file = f"/tmp/ipykernel_1/{abs(hash(text))}.py"  # noqa: S108  the name that ipykernel gives to a cell
    monkeypatch.setitem(linecache.cache, file, (len(text), None, text.splitlines(keepends=True), file))
    exec(compile(text, file, "exec"), main.__dict__)  # noqa: S102  as a kernel does
    return recorded(main.__dict__["train"].reference)


@pytest.mark.spec("6.11")
@pytest.mark.parametrize(
    ("former", "new", "place"),
    [
        ("Net().forward(x)", "Net().forward(x + 1)", "cell:18 (helper)"),
        ("x * RATE", "x / RATE", "cell:14 (Net)"),
        ("RATE = 0.1", "RATE = 0.2", "cell:4 (RATE)"),
        ("steps: int = 3", "steps: int = 4", "cell:9 (Config)"),
        ("steps: int = 3", "steps: float = 3", "cell:9 (Config)"),
        ("helper(2)", "helper(3)", "cell:23 (train)"),
        ("UNUSED = 1", "UNUSED = 2", None),
        ("return x * RATE", "return (x * RATE)  # as before", None),
        ("def helper(x):", "\n\ndef helper(x: int) -> float:\n    'Help.'", None),
    ],
)
def test_code_of_a_cell_counts_as_far_as_the_algorithm_refers_to_it(
    former: str, new: str, place: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Functions, classes and constants that it uses count, under their names, and nothing else."""
    before = run_cell(CELL, monkeypatch)
    after = run_cell(CELL.replace(former, new, 1), monkeypatch)
    assert describe_change(before, after) == place


def test_a_cell_reaches_modules_through_its_globals_and_within_functions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modules that a cell imports, at its top or within a function, count with all that they import."""
    write(tmp_path)
    (tmp_path / "late.py").write_text("VALUE = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    for each in ("helpers", "deep", "deep.core", "deep.limits"):
        monkeypatch.delitem(sys.modules, each, raising=False)
    text = CELL.replace("RATE = 0.1", "import helpers\nRATE = 0.1").replace(
        "return Net()", "import late\n    helpers.scale(1, 2)\n    return Net()"
    )
    record = run_cell(text, monkeypatch)
    assert [piece.file for piece in record.pieces if not piece.definition] == [
        "late.py", "helpers.py", "deep/__init__.py", "deep/core.py", "deep/limits.py"
    ]  # fmt: skip


def test_only_own_modules_are_read(tmp_path: Path) -> None:
    """The standard library, installed packages and what cannot be found are left out."""
    reference = write(
        tmp_path,
        **{
            "helpers.py": (
                "from deep",
                "import os, numpy, pydantic, nowhere; import_module('x')\n        from deep",
            )
        },
    )
    files = [piece.file for piece in recorded(reference).pieces]
    assert files == ["train.py", "helpers.py", "deep/__init__.py", "deep/core.py", "deep/limits.py"]
    (tmp_path / "x.py").write_text("A = 1\n")
    assert "x.py" in [piece.file for piece in recorded(reference).pieces]


def test_code_of_an_installed_package_has_no_pieces() -> None:
    """The version of an installed package says which code it is."""
    assert recorded(AlgorithmReference(path="pipeline_widgets.trainers.numpy.ppo:ppo")).pieces == ()


def test_a_file_that_is_saved_again_within_an_instant_is_read_again(tmp_path: Path) -> None:
    """Neither its size nor its time has to differ."""
    reference, path = write(tmp_path), tmp_path / "deep" / "limits.py"
    for most in range(3, 9):
        path.write_text(f"MOST = {most}\n")
        texts = recorded(reference).texts.values()
        assert f"MOST = {most}\n" in texts


def test_what_is_kept_is_confirmed_without_parsing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has parsed nothing yet compares bytes alone."""
    reference = write(tmp_path)
    record = recorded(reference)
    kept = AlgorithmReference(path=reference.path, root=reference.root,
                              code=CodeRecord.from_json(record.to_json()))  # fmt: skip
    parsed: list[Any] = []
    monkeypatch.setattr(code_digest, "_parse", parsed.append)
    assert code_digest.confirm_code(kept) == record
    assert not parsed


def test_what_is_kept_is_not_confirmed_once_a_file_differs(tmp_path: Path) -> None:
    """A file that has changed since is parsed, and told with its line."""
    reference = write(tmp_path)
    kept = CodeRecord.from_json(recorded(reference).to_json())
    write(tmp_path, **{"deep/limits.py": ("3", "4")})
    now = code_digest.confirm_code(AlgorithmReference(path=reference.path, root=reference.root, code=kept))
    assert now is not None
    assert describe_change(kept, now) == "deep/limits.py:1"


def test_a_module_that_comes_and_one_that_goes_are_told(tmp_path: Path) -> None:
    """What is imported no longer is named as a change of its importer, with how many others there are."""
    before = recorded(write(tmp_path / "before"))
    reference = write(
        tmp_path / "after",
        **{"deep/core.py": ("from . import limits", "class limits:\n            MOST = 3")},
    )
    assert describe_change(before, recorded(reference)) == "deep/core.py:1 and 1 more"


def test_invalid_code_counts_line_by_line(tmp_path: Path) -> None:
    """A file that Python cannot parse is compared as text."""
    before = recorded(write(tmp_path / "before"))
    after = recorded(write(tmp_path / "after", **{"deep/limits.py": ("MOST = 3", "MOST = (3")}))
    assert describe_change(before, after) == "deep/limits.py:1"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("from typing import Any\ndef f(x: Any): return x", "def f(x): return x"),
        ("from __future__ import annotations\nx = 1", "x = 1"),
        ("if TYPE_CHECKING:\n    import torch\nx = 1", "x = 1"),
        ("def f():\n    'Doc.'", "def f():\n    pass"),
        ("del (a, b)", "del a, b"),
        ("import a, b", "import b\nimport a"),
        ("from a import c, b", "from a import b, c"),
    ],
)
def test_two_ways_to_write_the_same(one: str, other: str) -> None:
    """Both have one normal form."""
    assert normalise(one).digest == normalise(other).digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("@f.register\ndef g(x: int): return x", "@f.register\ndef g(x: str): return x"),
        ("import a\nx = 1\nimport b", "import a\nimport b\nx = 1"),
        ("from numpy import float32 as F", "from numpy import float64 as F"),
        ("class A:\n    x: int", "class A:\n    x: str"),
        ("x = 1", "x = True"),
        ("x = 1", "x = 1.0"),
        ("a.b = {**c, 'd': 1}", "a.b = {'d': 1, **c}"),
        ("global x", "global y"),
    ],
)
def test_two_things_that_differ(one: str, other: str) -> None:
    """Each has a normal form of its own."""
    assert normalise(one).digest != normalise(other).digest


NAMES = st.sampled_from(["a", "b", "c"])
EXPRESSIONS = st.recursive(
    NAMES | st.integers(0, 9).map(str),
    lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(
        lambda each: f"({each[0]} {each[1]} {each[2]})"
    ),
    max_leaves=6,
)


@given(st.lists(st.tuples(NAMES, EXPRESSIONS), min_size=1, max_size=8), st.data())
def test_comments_blank_lines_and_hints_move_only_lines(
    assigned: list[tuple[str, str]], data: st.DataObject
) -> None:
    """Any program keeps its normal form, and a change in it is found at its line."""
    plain = "".join(f"{name} = {value}\n" for name, value in assigned)
    hinted = "".join(
        "# A comment.\n\n" * data.draw(st.integers(0, 2)) + f"{name}: int = (\n    {value}\n)\n"
        for name, value in assigned
    )
    assert normalise(plain).digest == normalise(hinted).digest
    assert find_first_difference(plain, hinted) is None
    at = data.draw(st.integers(0, len(assigned) - 1))
    lines = plain.splitlines()
    lines[at] += " + 10"
    assert find_first_difference(plain, "\n".join(lines)) == at + 1


SCRIPT = f'''
import linecache, sys
text = {CELL!r} + """
class Kind(__import__("enum").Enum):
    A = 1
SETS = {{"one", "two", "three", "four"}}
class More(Net):
    sizes: set = {{"k1", "k2", "k3"}}
def used():
    return More, Kind, SETS
train.train.__globals__["helper"] = used
"""
file = sys.argv[1]
linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
exec(compile(text, file, "exec"), globals())
print(train.reference.digest, train.reference.code.digest)
'''


def test_the_same_cell_is_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    """Neither the seed of hashes nor the name of the cell's file changes its bytes."""
    told = set[str]()
    for seed in ("1", "2"):
        command = [sys.executable, "-c", SCRIPT, f"/tmp/ipykernel_{seed}/1.py"]  # noqa: S108
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        made = subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=tmp_path, env=environment
        )
        told.add(made.stdout)
    assert len(told) == 1, told


def script_of(folder: Path, **options: Any) -> CodeRecord:
    """Return the code of the script of these files, as a kernel and any later process record it."""
    algorithm = pw.script(folder / "train.py", produces={"thing"}, **options)
    found = readable_reference_to(algorithm, algorithm.train)
    return recorded(AlgorithmReference(root="/nowhere", value="packed", code=recorded_again(found)))


def recorded_again(reference: AlgorithmReference) -> CodeRecord:
    """Return the record that comes with the code, as a row keeps it."""
    assert reference.code is not None
    return CodeRecord.from_json(reference.code.to_json(), reference.code.texts)


@pytest.mark.spec("6.11", "7.4")
@pytest.mark.parametrize(("name", "former", "new", "place"), [each[1:] for each in CHANGES],
                         ids=[each[0] for each in CHANGES])  # fmt: skip
def test_an_edit_of_a_script_or_of_what_it_imports_is_told_with_file_and_line(
    tmp_path: Path, name: str, former: str, new: str, place: str
) -> None:
    """The script and the modules beside it count, though no process of ours has them in its search path."""
    write(tmp_path)
    before = script_of(tmp_path)
    write(tmp_path, **{name: (former, new)})
    after = script_of(tmp_path)
    assert describe_change(before, after) == place
    assert describe_change(after, before) == place


@pytest.mark.spec("6.11", "7.4")
@pytest.mark.parametrize(("name", "former", "new"), [each[1:] for each in NO_CHANGES],
                         ids=[each[0] for each in NO_CHANGES])  # fmt: skip
def test_an_edit_of_a_script_that_changes_no_behaviour_is_none(
    tmp_path: Path, name: str, former: str, new: str
) -> None:
    """Comments, docstrings, hints and formatting make no stage stale."""
    write(tmp_path)
    before = script_of(tmp_path)
    write(tmp_path, **{name: (former, new)})
    assert describe_change(before, script_of(tmp_path)) is None


def test_the_arguments_of_a_script_are_code(tmp_path: Path) -> None:
    """Other arguments, or another launcher, train something else; a script that is gone is named."""
    write(tmp_path)
    before = script_of(tmp_path, args=["--rate", "{rate}"])
    assert describe_change(before, script_of(tmp_path, args=["--rate", "{rate}"])) is None
    other = describe_change(before, script_of(tmp_path, args=["--rate", "1"]))
    assert other == "cell:1 (args of train.py)"
    other = describe_change(before, script_of(tmp_path, args=["--rate", "{rate}"], launcher="torchrun"))
    assert other == "cell:1 (launcher of train.py)"
    files = [piece.file for piece in before.pieces if not piece.definition]
    assert files == ["train.py", "helpers.py", "deep/__init__.py", "deep/core.py", "deep/limits.py"]
    (tmp_path / "train.py").unlink()
    now = recorded(AlgorithmReference(root="/nowhere", value="packed", code=before))
    assert describe_change(before, now) == "train.py is no longer used and 4 more"


def test_a_script_is_confirmed_without_parsing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of a run compares bytes alone, and sees an edit of the script all the same."""
    write(tmp_path)
    before = script_of(tmp_path)
    kept = AlgorithmReference(root="/nowhere", value="packed", code=before)
    parsed: list[Any] = []
    with monkeypatch.context() as patched:
        patched.setattr(code_digest, "_parse", parsed.append)
        assert code_digest.confirm_code(kept) == before
    assert not parsed
    write(tmp_path, **{"train.py": ("SPEED = 0.5", "SPEED = 1")})
    now = code_digest.confirm_code(kept)
    assert now is not None
    assert describe_change(before, now) == "train.py:10"
