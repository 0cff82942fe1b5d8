"""What an endpoint may be told, and what its sentences mean (spec 8.2, 8.3)."""

from __future__ import annotations

import pytest

from pipeline_widgets.domain.endpoint import (
    TOKEN_LENGTH,
    check_address,
    derive_token,
    is_addressed_by,
    version_error,
)
from pipeline_widgets.errors import ConfigError


@pytest.mark.spec("8.3")
@pytest.mark.parametrize(
    "host", ["", 5, True, "bad host", "[::1]", "http://127.0.0.1", "127.0.0.1\n", "a" * 254, "a/b", ["x"]]
)
def test_what_is_no_host_is_refused(host: object) -> None:
    """Empty text is no address either: it would mean every one of this machine."""
    with pytest.raises(ConfigError, match="is not a host"):
        check_address(host, None)


@pytest.mark.spec("8.3")
@pytest.mark.parametrize("port", [0, -1, 65_536, "80", True, 8000.5])
def test_what_is_no_port_is_refused(port: object) -> None:
    """A port is a whole number from 1 to 65535."""
    with pytest.raises(ConfigError, match="is not a port"):
        check_address(None, port)


@pytest.mark.spec("8.3")
def test_addresses_and_names_are_hosts() -> None:
    """Of both kinds of addresses, and where nothing is said."""
    for host in ("127.0.0.1", "::1", "fe80::1%eth0", "lab-1.example.org", None):
        check_address(host, 8000)


@pytest.mark.spec("8.3")
@pytest.mark.parametrize(
    ("named", "means_it"),
    [
        ("127.0.0.1", True), ("127.0.0.1:8000", True), ("localhost:1", True), ("[::1]:8000", True),
        ("LocalHost", True), ("loop:9", True), ("evil.example", False), ("evil.example:8000", False),
        ("localhost.evil.example", False), ("", False), ("[::1", False), ("::1", False), ("a b", False),
    ],
)  # fmt: skip
def test_a_host_header_means_this_machine_or_another(named: str, *, means_it: bool) -> None:
    """Its names are those of the loopback and the one that it was told to listen on."""
    assert is_addressed_by(named, "loop") is means_it


@pytest.mark.spec("8.2")
def test_a_refusal_names_both_versions() -> None:
    """The one that cannot be opened, and the one that is served."""
    error = version_error(12, 3, "RuntimeError: no.")
    assert error == "Version 12 cannot be opened, so version 3 is served still. RuntimeError: no."


@pytest.mark.spec("8.3")
def test_a_token_does_not_tell_its_key() -> None:
    """It is as long as its column, and of another key another one."""
    assert len(derive_token("key")) == TOKEN_LENGTH
    assert derive_token("key") != derive_token("other")
    assert "key" not in derive_token("key")
