"""What a user trusts, and how that is remembered."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.errors import StorageError, UntrustedError
from pipeline_widgets.persistence import schema
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.migrate import migrate
from pipeline_widgets.persistence.store import Store, open_store
from pipeline_widgets.persistence.trust import SignatureStore, WorkspaceTrust, user_data_folder

Open = Callable[[Path | str], Database]
CODE = AlgorithmReference(path="mine:train")


@pytest.fixture
def become(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes this process a user's of that name; the first is "me"."""

    def become_(name: str) -> None:
        monkeypatch.setenv("PIPELINE_WIDGETS_DATA", str(tmp_path / name))

    become_("me")
    return become_


def add_code(store: Store, path: str, *, signed: bool) -> None:
    """Put code into a workspace, as this user's process does or as somebody else does."""
    reference = AlgorithmReference(path=path)
    columns: dict[str, Any] = {"name": path, "digest": reference.digest, "spec": {}, "created_at": 0.0}
    with store.database.write() as connection:
        connection.execute(insert(schema.algorithms).values(path=path, **columns))
    if signed:
        store.trust.sign(reference)


def test_the_maker_of_a_workspace_is_asked_nothing(
    opened: Open, tmp_path: Path, become: Callable[[str], None]
) -> None:
    """What a user has made is trusted, now and when it is opened again, also after it was moved."""
    del become
    (tmp_path / "here").mkdir()
    store = open_store(opened(tmp_path / "here" / "lab.db"))
    add_code(store, "mine:train", signed=True)
    assert store.trust.reason is None
    store.database.close()
    (tmp_path / "here").rename(tmp_path / "there")
    assert open_store(opened(tmp_path / "there" / "lab.db")).trust.reason is None


def test_somebody_elses_workspace_is_read_only_until_it_is_trusted_once(
    opened: Open, tmp_path: Path, become: Callable[[str], None]
) -> None:
    """Another user may read it, and write to it from the moment on in which that user trusts it."""
    add_code(open_store(opened(tmp_path / "lab.db")), "theirs:train", signed=True)
    become("other")
    store = open_store(opened(tmp_path / "lab.db"))
    with store.read() as work:
        assert work.projects.all() == ()
    with pytest.raises(UntrustedError, match=r"trust=True.*pipeline-widgets trust"), store.write():
        pass
    assert open_store(opened(tmp_path / "lab.db"), trust=True).trust.reason is None
    assert open_store(opened(tmp_path / "lab.db")).trust.reason is None
    assert store.trust.reason is not None  # what was opened before is as it was


def test_nothing_is_made_for_a_workspace_that_is_not_trusted(
    opened: Open, tmp_path: Path, become: Callable[[str], None]
) -> None:
    """A row that names any folder of the user's makes no folder there."""
    with open_store(opened(tmp_path / "lab.db")).database.write() as connection:
        connection.execute(update(schema.workspace).values(artifacts=str(tmp_path / "elsewhere")))
    become("other")
    open_store(opened(tmp_path / "lab.db"))
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("column", ["path", "root", "value"])
def test_a_file_that_came_back_with_other_code_is_read_only(
    opened: Open, tmp_path: Path, become: Callable[[str], None], column: str
) -> None:
    """Its identity alone is not enough: whatever part of a reference is another one, it is not signed."""
    del become
    store = open_store(opened(tmp_path / "lab.db"))
    add_code(store, "mine:train", signed=True)
    with store.database.write() as connection:
        connection.execute(update(schema.algorithms).values({column: "theirs"}))
    again = open_store(opened(tmp_path / "lab.db"))
    assert "neither you nor your processes" in str(again.trust.reason)
    # A process that checks code when it uses it stops there.
    late = open_store(opened(tmp_path / "lab.db"), checks_code=False)
    assert late.trust.reason is None
    with late.read() as work, pytest.raises(UntrustedError, match="is not run"):
        work.experiments.reference(1)


def test_rows_without_a_workspace_are_somebody_elses(
    opened: Open, tmp_path: Path, become: Callable[[str], None]
) -> None:
    """A file whose workspace row was taken out is not taken for one that this user has just made."""
    del become
    database = opened(tmp_path / "lab.db")
    migrate(database)
    with database.write() as connection:
        connection.execute(
            insert(schema.algorithms).values(name="x", path="x:y", digest="x", spec={}, created_at=0.0)
        )
    assert open_store(database).trust.reason is not None
    assert open_store(opened(tmp_path / "lab.db")).trust.reason is not None


def test_the_copy_of_a_trusted_workspace_can_be_trusted_under_its_new_identity(
    opened: Open, tmp_path: Path, become: Callable[[str], None]
) -> None:
    """What was signed in the original is signed in the copy, but only where all of it was."""
    del become
    store = open_store(opened(tmp_path / "lab.db"))
    add_code(store, "mine:train", signed=True)
    assert store.trust.adopt("copy")
    signatures = SignatureStore(user_data_folder())
    assert signatures.is_signed("copy", CODE, signatures.signatures("copy") or ())
    add_code(store, "theirs:train", signed=False)
    assert not store.trust.adopt("another copy")
    assert signatures.signatures("another copy") is None


def test_the_key_and_the_signatures_are_private_whatever_the_umask(
    tmp_path: Path, umask: Callable[[int], None]
) -> None:
    """Folders are 0700 and files 0600."""
    umask(0)
    SignatureStore(tmp_path / "a" / "b").sign("id", [CODE])
    made = list(tmp_path.rglob("*"))
    assert {stat.S_IMODE(path.stat().st_mode) for path in made if path.is_dir()} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in made if path.is_file()} == {0o600}
    assert len([path for path in made if path.is_file()]) == 2


def _sign(folder: str, number: int) -> None:
    for each in range(20):
        SignatureStore(Path(folder)).sign("id", [AlgorithmReference(path=f"{number}:{each}")])


def test_processes_that_sign_at_once_lose_nothing(tmp_path: Path) -> None:
    """Four processes that begin without a key agree on one, and every signature of theirs is kept."""
    context = get_context("spawn")
    signing = [context.Process(target=_sign, args=(str(tmp_path / "data"), each)) for each in range(4)]
    for each in signing:
        each.start()
    for each in signing:
        each.join(60)
    store = SignatureStore(tmp_path / "data")
    known = store.signatures("id") or ()
    assert all(
        store.is_signed("id", AlgorithmReference(path=f"{number}:{each}"), known)
        for number in range(4)
        for each in range(20)
    )


def test_half_a_signature_spoils_no_other(tmp_path: Path) -> None:
    """A line that a full disk has cut short counts for nothing, and the next one stands alone."""
    store = SignatureStore(tmp_path)
    store.sign("id")
    (file,) = (tmp_path / "trusted").iterdir()
    with file.open("a") as torn:
        torn.write("0123")
    store.sign("id", [CODE])
    assert store.is_signed("id", CODE, store.signatures("id") or ())


def test_a_data_folder_that_cannot_be_written_is_told_and_leaves_nothing_half_made(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the variable that names another folder, and no database is made."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("PIPELINE_WIDGETS_DATA", str(tmp_path / "file" / "data"))
    with pytest.raises(StorageError, match="PIPELINE_WIDGETS_DATA"):
        open_store(opened(tmp_path / "lab.db"))
    assert not (tmp_path / "lab.db").exists()


def test_the_data_folder_is_the_platforms_unless_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """XDG_DATA_HOME is honoured where there is such a thing, and PIPELINE_WIDGETS_DATA everywhere."""
    monkeypatch.delenv("PIPELINE_WIDGETS_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert user_data_folder().name == "pipeline_widgets"
    monkeypatch.setenv("PIPELINE_WIDGETS_DATA", str(tmp_path / "named"))
    assert user_data_folder() == tmp_path / "named"


def test_on_a_server_the_identity_is_enough(tmp_path: Path) -> None:
    """Who may write to a database server is trusted with the workspace, so its code is not compared."""
    signatures = SignatureStore(tmp_path)
    signatures.sign("id")
    trust = WorkspaceTrust("id", lambda: [CODE], checks_code=False, signatures=signatures)
    trust.check_code(CODE)
    unknown = WorkspaceTrust("other", lambda: [CODE], checks_code=False, signatures=signatures)
    with pytest.raises(UntrustedError):
        unknown.check_code(CODE)


def test_a_damaged_key_is_told(tmp_path: Path) -> None:
    """A key of another length signs nothing, and the error says what to do."""
    (tmp_path / "trust.key").write_bytes(b"short")
    with pytest.raises(StorageError, match="Delete it"):
        SignatureStore(tmp_path).sign("id")


def test_a_copy_of_the_file_is_as_trusted_as_the_file(
    opened: Open, tmp_path: Path, become: Callable[[str], None]
) -> None:
    """Trust hangs on what a workspace is, not on where it lies."""
    del become
    store = open_store(opened(tmp_path / "lab.db"))
    store.database.close()
    (tmp_path / "b").mkdir()
    shutil.copy(tmp_path / "lab.db", tmp_path / "b" / "lab.db")
    assert open_store(opened(tmp_path / "b" / "lab.db")).trust.reason is None
