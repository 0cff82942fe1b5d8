"""Remember what a user trusts, in a folder of that user's: a key, and a file for each trusted workspace.

The file of a workspace is named by its signature and holds those of its code, one a line. Lines are only ever
appended, in one write each time, so that any number of processes can add to it.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Collection, Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.trust import (
    CHANGED,
    reason_not_to_trust,
    signature_of_code,
    signature_of_folder,
    signature_of_workspace,
)
from pipeline_widgets.errors import StorageError, UntrustedError
from pipeline_widgets.persistence import filesystem

#: The environment variable that names another folder than the platform's.
FOLDER_VARIABLE = "PIPELINE_WIDGETS_DATA"
KEY_BYTES = 32
HOW_TO_TRUST = (
    "If you know where it comes from, open it with pw.Workspace(..., trust=True), or run "
    "`pipeline-widgets trust PATH`; that is remembered."
)


def user_data_folder() -> Path:
    """Return the folder in which it is remembered what this user trusts."""
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named).expanduser()
    from platformdirs import user_data_path  # noqa: PLC0415  processes that a launcher starts are told the folder

    return user_data_path("pipeline_widgets", appauthor=False)


class SignatureStore:
    """The key of a user, and what was signed with it.

    Args:
        folder: Where they are; it is made with the first signature.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key: bytes | None = None

    def prepare(self) -> bytes:
        """Return the user's key, and make it where there is none yet.

        Raises:
            StorageError: The folder cannot be written, or the key is damaged.
        """
        if (known := self.key()) is not None:
            return known
        with _translate_os_errors(self._folder):
            filesystem.make_private_folder(self._folder)
            draft = self._folder / f".key-{secrets.token_hex(8)}"
            try:
                with filesystem.open_private(draft, "xb") as file:
                    file.write(secrets.token_bytes(KEY_BYTES))
                    file.flush()
                    os.fsync(file.fileno())
                _publish(draft, self._key_file)
            finally:
                draft.unlink(missing_ok=True)
            filesystem.flush(self._folder)
        made = self.key()
        if made is None:
            raise StorageError(f"The key {self._key_file} vanished.", fix="Try again.")
        return made

    def key(self) -> bytes | None:
        """Return the user's key; None where there is none, or it cannot be read.

        Raises:
            StorageError: It is damaged.
        """
        if self._key is not None:
            return self._key
        try:
            key = self._key_file.read_bytes()
        except OSError:
            return None
        if len(key) != KEY_BYTES:
            fix = "Delete it; workspaces that you have trusted ask once more."
            raise StorageError(f"The key {self._key_file} is damaged.", f"It has {len(key)} bytes.", fix)
        self._key = key
        return key

    def signatures(self, identity: str) -> frozenset[str] | None:
        """Return the signatures of a workspace's code; None where the workspace is not trusted."""
        if (key := self.key()) is None:
            return None
        try:
            text = self._file_of(key, identity).read_text(encoding="ascii", errors="replace")
        except OSError:
            return None
        return frozenset(text.split("\n"))

    def sign(self, identity: str, references: Iterable[AlgorithmReference] = ()) -> None:
        """Remember that this user made or trusts a workspace, and code in it.

        Raises:
            StorageError: That cannot be written.
        """
        key = self.prepare()
        self._append(key, identity, (signature_of_code(key, identity, each) for each in references))

    def sign_folder(self, identity: str, path: str, digest: str) -> None:
        """Remember that this user lets a workspace read a folder outside of it, as long as it is unchanged.

        Raises:
            StorageError: That cannot be written.
        """
        key = self.prepare()
        self._append(key, identity, [signature_of_folder(key, identity, path, digest)])

    def is_folder_signed(self, identity: str, path: str, digest: str) -> bool:
        """Return whether this user lets a workspace read a folder outside of it."""
        key, known = self.key(), self.signatures(identity)
        return key is not None and signature_of_folder(key, identity, path, digest) in (known or ())

    def _append(self, key: bytes, identity: str, signatures: Iterable[str]) -> None:
        known = self.signatures(identity)
        wanted = dict.fromkeys(signatures)
        new = [signature for signature in wanted if signature not in (known or ())]
        if known is not None and not new:
            return
        path = self._file_of(key, identity)
        with _translate_os_errors(self._folder):
            filesystem.make_private_folder(path.parent)
            # Begun with a line feed, so that half a line, left by a full disk, spoils no other.
            with filesystem.open_private(path, "ab", buffering=0) as file:
                file.write("".join(f"\n{each}" for each in new).encode("ascii") + b"\n")
                os.fsync(file.fileno())
            if known is None:
                filesystem.flush(path.parent)

    def is_signed(self, identity: str, reference: AlgorithmReference, known: Collection[str]) -> bool:
        """Return whether code is among known signatures."""
        key = self.key()
        return key is not None and signature_of_code(key, identity, reference) in known

    @property
    def _key_file(self) -> Path:
        return self._folder / "trust.key"

    def _file_of(self, key: bytes, identity: str) -> Path:
        return self._folder / "trusted" / signature_of_workspace(key, identity)


class WorkspaceTrust:
    """Whether this user trusts one workspace. Whatever changes or runs something asks it first.

    Args:
        identity: What the workspace is known by.
        references: Returns all code that the workspace refers to; it is asked when trust is given, and
            checked at once where `checks_code`.
        checks_code: Whether code has to be signed as well; on a database server the identity is enough.
        checks_now: Whether all code is checked now. Otherwise code is checked only when it is used, as in
            the processes of runs, which use little of it.
        launched_for: The identity of the workspace for which a launcher has started this process on a machine
            that may not have what this user has signed: the user of the launcher trusts that workspace.
        signatures: What this user has signed.
    """

    def __init__(
        self,
        identity: str | None,
        references: Callable[[], Iterable[AlgorithmReference]],
        *,
        checks_code: bool,
        checks_now: bool = True,
        launched_for: str | None = None,
        signatures: SignatureStore | None = None,
    ) -> None:
        self._identity = identity
        self._references = references
        self._checks_code = checks_code
        self._signatures = signatures or SignatureStore(user_data_folder())
        self._lock = threading.Lock()
        self._known = frozenset[str]()
        self._reason = self._judge(checks_now=checks_now)
        if self._reason is not None and identity is not None and identity == launched_for:
            self._reason, self._checks_code = None, False

    @property
    def reason(self) -> str | None:
        """Why the workspace is open for reading only; None where it is trusted."""
        return self._reason

    def check(self) -> None:
        """Let nothing be changed, started, opened or sent in a workspace that is not trusted.

        Raises:
            UntrustedError: It is not trusted.
        """
        if self._reason is not None:
            raise UntrustedError("This workspace is open for reading only.", self._reason, HOW_TO_TRUST)

    def check_code(self, reference: AlgorithmReference) -> None:
        """Let no code out of the workspace that this user has not signed.

        Raises:
            UntrustedError: The workspace is not trusted, or this code is not.
        """
        self.check()
        if not self._is_signed(reference):
            raise UntrustedError("This code of the workspace is not run.", CHANGED, HOW_TO_TRUST)

    def sign(self, reference: AlgorithmReference) -> None:
        """Remember that this user's process has put this code into the workspace.

        Raises:
            StorageError: That cannot be written.
        """
        if self._identity is None or not self._checks_code or self._is_signed(reference):
            return
        self._signatures.sign(self._identity, [reference])
        self._reload()

    def vouch_for(self, path: str, digest: str) -> None:
        """Let the workspace read a folder outside of it, as long as its content has that digest.

        Raises:
            StorageError: That cannot be written.
        """
        if self._identity is not None:
            self._signatures.sign_folder(self._identity, path, digest)
            self._reload()

    def is_vouched_for(self, path: str, digest: str) -> bool:
        """Return whether this user has let the workspace read a folder outside of it.

        Args:
            path: What a row names.
            digest: What the row says of its content.
        """
        return (
            self._reason is None
            and self._identity is not None
            and self._signatures.is_folder_signed(self._identity, path, digest)
        )

    def grant(self) -> None:
        """Trust the workspace with all code that it refers to now, and remember that for this user.

        Raises:
            StorageError: That cannot be written.
        """
        with self._lock:
            if self._identity is None:
                raise StorageError("This workspace has no identity, so it cannot be trusted.")
            self._signatures.sign(self._identity, self._references() if self._checks_code else ())
        self._reload()
        self._reason = None

    def adopt(self, identity: str) -> bool:
        """Know a copy by its new identity, and trust it where all of its code is trusted.

        Returns:
            Whether the copy is trusted.

        Raises:
            StorageError: That cannot be written.
        """
        if self._judge(checks_now=True) is not None:
            return False
        self._signatures.sign(identity, self._references() if self._checks_code else ())
        self._identity = identity
        self._reload()
        return True

    def vouch_for_copy(self, identity: str, references: Iterable[AlgorithmReference]) -> None:
        """Trust a copy of this workspace with that code of it that is trusted here.

        Raises:
            StorageError: That cannot be written.
        """
        if self._reason is None:
            self._signatures.sign(identity, filter(self._is_signed, references))

    def _judge(self, *, checks_now: bool) -> str | None:
        known = self._signatures.signatures(self._identity) if self._identity else None
        self._known = known or frozenset()
        unsigned = known is not None and checks_now and not all(map(self._is_signed, self._list()))
        return reason_not_to_trust(is_known=known is not None, has_unsigned_code=unsigned)

    def _list(self) -> Iterable[AlgorithmReference]:
        return self._references() if self._checks_code else ()

    def _is_signed(self, reference: AlgorithmReference) -> bool:
        if self._identity is None:
            return False
        if not self._checks_code or self._signatures.is_signed(self._identity, reference, self._known):
            return True
        self._reload()  # another process of this user may have signed it meanwhile
        return self._signatures.is_signed(self._identity, reference, self._known)

    def _reload(self) -> None:
        if self._identity is not None:
            self._known = self._signatures.signatures(self._identity) or frozenset()


@contextmanager
def _translate_os_errors(folder: Path) -> Generator[None]:
    """Say what to do where the folder cannot be written."""
    try:
        yield
    except OSError as error:
        what = f"It cannot be remembered in {folder} what you trust."
        fix = f"Get permission to write there, or name another folder in {FOLDER_VARIABLE}."
        raise StorageError(what, f"{error.strerror or error}.", fix) from error


def _publish(draft: Path, path: Path) -> None:
    """Give a finished file its name, unless another process was faster."""
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    except OSError:  # a file system without links
        with suppress(FileExistsError), filesystem.open_private(path, "xb") as file:
            file.write(draft.read_bytes())
