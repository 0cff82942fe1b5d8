"""The base of all handles: an id in a workspace, and nothing that could go stale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, TypeVar

from pipeline_widgets.application import Services
from pipeline_widgets.errors import ForeignError

V = TypeVar("V")


class Handle:
    """Something in a workspace. Two handles of the same thing are equal."""

    kind: ClassVar[str] = "object"
    #: Where users find one.
    listed: ClassVar[str] = "ws.projects"

    def __init__(self, services: Services, id_: int) -> None:
        self._services = services
        self._id = id_

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Handle) and type(other) is type(self) and other._key == self._key

    def __hash__(self) -> int:
        return hash(self._key)

    def is_in(self, services: Services) -> bool:
        """Return whether it is of the workspace that these services are of.

        Args:
            services: A workspace.
        """
        return self._services.store.database.url == services.store.database.url

    @property
    def _key(self) -> tuple[str, str, int]:
        return (self.kind, self._services.store.database.url, self._id)


def id_in(services: Services, handle: Handle, kind: type[Handle]) -> int:
    """Return the id of a handle that was passed, after a look at where it is from.

    Args:
        services: The workspace that it has to belong to.
        handle: What a caller passed.
        kind: The class that it has to be of.

    Raises:
        ForeignError: It is of another workspace (spec 5.11), or no such handle.
    """
    if not isinstance(handle, kind):  # pyright: ignore[reportUnnecessaryIsInstance]  users pass anything
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        what = f"This takes {article} {kind.__name__}, got {handle!r}."
        raise ForeignError(what, fix=f"Take one from a listing, such as {kind.listed}.")
    if not handle.is_in(services):
        why = "A workspace cannot refer to another one's objects."
        raise ForeignError(f"This {kind.kind} belongs to another workspace.", why, "Create it here.")
    return handle._id  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  its own module


def of_items(handles: Iterable[Handle], values: Mapping[int, V]) -> list[V]:
    """Return the values of those things that are still there, in their order.

    Args:
        handles: The things that are asked for.
        values: What was found, by id.
    """
    return [values[each._id] for each in handles if each._id in values]  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  its own module
