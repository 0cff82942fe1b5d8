"""Whose workspaces may run code: those that a user has made, or has said to trust.

A workspace is a file, and files are sent around. Opening one that somebody else has made must run nothing of
it, as Jupyter runs nothing of a notebook that it does not know. What a user has made or trusted is signed
with a key of that user's, which is in no workspace.
"""

from __future__ import annotations

import hashlib
import hmac

from pipeline_widgets.domain.algorithm import AlgorithmReference

UNKNOWN = "You have neither made nor trusted it on this computer, and a workspace can run code."
CHANGED = "It holds code that neither you nor your processes have put there."


def signature_of_workspace(key: bytes, identity: str) -> str:
    """Return the signature by which the owner of the key vouches for a workspace."""
    return _sign(key, "workspace", identity)


def signature_of_code(key: bytes, identity: str, reference: AlgorithmReference) -> str:
    """Return the signature by which the owner of the key vouches for code in a workspace.

    All of the reference counts: `root` extends sys.path, so it decides which code a path means.
    """
    digest = hashlib.sha256()
    for part in (reference.path, reference.root, reference.value):
        content = None if part is None else _bytes(part)
        digest.update(b"-" if content is None else b"%d:" % len(content))
        digest.update(content or b"")
    return _sign(key, "code", identity, digest.hexdigest())


def signature_of_folder(key: bytes, identity: str, path: str, digest: str) -> str:
    """Return the signature by which the owner of the key lets a workspace read a folder outside of it."""
    return _sign(key, "folder", identity, path, digest)


def reason_not_to_trust(*, is_known: bool, has_unsigned_code: bool) -> str | None:
    """Return why a workspace opens for reading only; None where it is trusted.

    Args:
        is_known: Whether this user has made or trusted a workspace of its identity.
        has_unsigned_code: Whether it refers to code that this user has not signed. On a database server
            this never counts: whoever may write there is trusted with the workspace.
    """
    if not is_known:
        return UNKNOWN
    return CHANGED if has_unsigned_code else None


def _sign(key: bytes, *parts: str) -> str:
    return hmac.new(key, _bytes("\0".join(parts)), hashlib.sha256).hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
