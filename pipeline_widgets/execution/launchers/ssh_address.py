"""The address of a launcher on another host: `ssh://[USER@]HOST[:PORT][?python=PATH][&package=copy]`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from pipeline_widgets.errors import ExecutionError, format_value

SCHEME = "ssh"
#: What OpenSSH would read as an option, or a ProxyCommand would pass to a shell, is none of these.
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?|[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?")
_USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.@+-]*\$?")
_OPTIONS = {"python", "package"}


@dataclass(frozen=True, kw_only=True, slots=True)
class SshAddress:
    """A host that OpenSSH can reach, and the Python to use there."""

    #: A host name, an address, or an alias of the user's ~/.ssh/config.
    host: str
    user: str | None = None
    port: int | None = None
    #: A path there, "~/" for the home folder; None for the path of this Python, else python3.
    python: str | None = None
    #: Whether the source of this package is copied there.
    copies_package: bool = False

    @classmethod
    def parse(cls, name: str) -> SshAddress:
        """Read an address as people write it.

        Raises:
            ExecutionError: It is none, or could be taken for an option or a command.
        """
        try:
            parts = urlsplit(name)
            port = parts.port
        except ValueError as error:
            raise _refuse(name, f"{error}.") from error
        if any(character < " " or character == "\x7f" for character in unquote(name)):
            raise _refuse(name, "It holds a control character.")
        if parts.scheme != SCHEME or parts.path not in {"", "/"} or parts.fragment:
            raise _refuse(name, "It is not of that form.")
        if parts.password is not None:
            why = "It holds a password, which everybody who can read the workspace could read as well."
            raise ExecutionError("A launcher has no password.", why, "Use a key: ssh-copy-id HOST.")
        options = _read_options(name, parts)
        user = None if parts.username is None else unquote(parts.username)
        # As it is written: urlsplit's `hostname` is in lower case, and an alias is not.
        host = parts.netloc.rpartition("@")[2]
        host = host[1 : host.index("]")] if host.startswith("[") else host.partition(":")[0]
        if not _HOST.fullmatch(host) or (user is not None and not _USER.fullmatch(user)):
            why = 'A host and a user have letters, digits and "._-", and do not begin with "-".'
            raise _refuse(name, why)
        return cls(
            host=host,
            user=user,
            port=port,
            python=options.get("python"),
            copies_package="package" in options,
        )

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        where = f"{self.user}@{host}" if self.user else host
        chosen = {"python": self.python, "package": "copy" if self.copies_package else None}
        query = urlencode({key: value for key, value in chosen.items() if value}, safe="/~")
        return f"{SCHEME}://{where}{f':{self.port}' if self.port else ''}{f'?{query}' if query else ''}"

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arguments of OpenSSH: options, the end of the options, and the host."""
        user = ("-l", self.user) if self.user else ()
        port = ("-p", str(self.port)) if self.port else ()
        return (*user, *port, "--", self.host)

    @property
    def command(self) -> str:
        """The command with which a user connects."""
        return " ".join(("ssh", *(word for word in self.arguments if word != "--")))


def _read_options(name: str, parts: SplitResult) -> dict[str, str]:
    try:
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError as error:
        raise _refuse(name, f"{error}.") from error
    options = dict(pairs)
    unknown = sorted(options.keys() - _OPTIONS)
    if unknown:
        raise _refuse(name, f"{unknown[0]!r} is not an option of it.")
    if len(pairs) > len(options):
        raise _refuse(name, "An option is given twice.")
    if options.get("python") == "":
        raise _refuse(name, "The path of Python is empty.")
    if options.get("package", "copy") != "copy":
        raise _refuse(name, f"package can be 'copy', not {options['package']!r}.")
    return options


def _refuse(name: str, why: str) -> ExecutionError:
    fix = 'Write "ssh://host", "ssh://user@host:2222" or "ssh://host?python=/opt/venv/bin/python".'
    return ExecutionError(f"{format_value(name)} is not a launcher over SSH.", why, fix)
