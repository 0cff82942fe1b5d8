"""Sockets that endpoints listen on."""

from __future__ import annotations

import ipaddress
import socket

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
    """Whether only this machine reaches a socket."""
    return ipaddress.ip_address(listening.getsockname()[0].partition("%")[0]).is_loopback
