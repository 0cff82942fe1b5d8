"""Sockets that endpoints listen on."""

from __future__ import annotations

import ipaddress
import socket

import psutil

from pipeline_widgets.domain.endpoint import ANY_ADDRESS, LOCAL
from pipeline_widgets.errors import ExecutionError

BACKLOG = 2048


def listen(host: str, *ports: int) -> socket.socket:
    """Listen on the first of some ports that is free; 0 is any that is.

    Raises:
        ExecutionError: This machine has no such address, or may not use a port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    last: Exception | None = None
    for port in ports:
        # With the protocol named asyncio turns Nagle's algorithm off; else each answer takes 40 ms.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
            listening.listen(BACKLOG)
        except (OSError, ValueError) as error:  # a ValueError is a name that cannot be one
            listening.close()
            last = error
        else:
            return listening
    where = f"{host}, port {ports[0]}" if ports[0] else host
    fix = "Connect it with another host or port."
    raise ExecutionError(f"The endpoint cannot listen on {where}.", f"{last}.", fix)


def is_local(listening: socket.socket) -> bool:
    """Return whether only this machine reaches a socket."""
    return ipaddress.ip_address(listening.getsockname()[0].partition("%")[0]).is_loopback


def own_address(host: str) -> str:
    """Return the address of this machine that a host means, to be asked as it is.

    The host comes from a row, which anybody may have written. A name is resolved once, here, and only an
    address of this machine is returned: a second resolution could give another machine.

    Raises:
        ExecutionError: It means no address of this machine.
    """
    if host in ANY_ADDRESS:
        return LOCAL
    try:
        found = [str(each[4][0]) for each in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, ValueError):
        found = []
    for address in found:
        if _is_own(address):
            return address
    why = "Its own workspace asks an endpoint on this machine only."
    what = f"{host!r} is not an address of this machine."
    raise ExecutionError(what, why, "Call it over HTTP, with its key.")


def listens_on(pid: int, port: int) -> bool:
    """Return whether a process listens on a port; False if it cannot be read, as another user's."""
    try:
        held = psutil.Process(pid).net_connections("tcp")
    except (psutil.Error, OSError):
        return False
    return any(each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port for each in held)


def _is_own(address: str) -> bool:
    plain = ipaddress.ip_address(address.partition("%")[0])
    plain = getattr(plain, "ipv4_mapped", None) or plain
    if plain.is_loopback:
        return True
    interfaces = (each.address.partition("%")[0] for held in psutil.net_if_addrs().values() for each in held)
    return str(plain) in interfaces
