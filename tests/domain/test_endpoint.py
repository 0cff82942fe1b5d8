"""What an endpoint may be told, and what its sentences mean (spec 8.2, 8.3)."""

from __future__ import annotations

import pytest

from pipeline_widgets.domain.endpoint import TOKEN_LENGTH, addresses, check_place, refusal, refuses, token_of
from pipeline_widgets.errors import ConfigError


@pytest.mark.spec("8.3")
@pytest.mark.parametrize(
    "host", ["", 5, True, "bad host", "[::1]", "http://127.0.0.1", "127.0.0.1\n", "a" * 254, "a/b", ["x"]]
)
def test_what_is_no_host_is_refused(host: object) -> None:
    """Empty text is no address either: it would mean every one of this machine."""
    with pytest.raises(ConfigError, match="is no host"):
        check_place(host, None)


@pytest.mark.spec("8.3")
@pytest.mark.parametrize("port", [0, -1, 65_536, "80", True, 8000.5])
def test_what_is_no_port_is_refused(port: object) -> None:
    """A port is a whole number from 1 to 65535."""
    with pytest.raises(ConfigError, match="is no port"):
        check_place(None, port)


@pytest.mark.spec("8.3")
def test_addresses_and_names_are_hosts() -> None:
    """Of both kinds of addresses, and where nothing is said."""
    for host in ("127.0.0.1", "::1", "fe80::1%eth0", "lab-1.example.org", None):
        check_place(host, 8000)


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
    assert addresses(named, "loop") is means_it


@pytest.mark.spec("8.2")
def test_a_refusal_is_about_one_version() -> None:
    """Version 1 is not refused because version 12 is."""
    said = refusal(12, 3, "RuntimeError: no.")
    assert said == "Version 12 cannot be opened, so version 3 is served still. RuntimeError: no."
    assert refuses(said, 12)
    assert not refuses(said, 1)
    assert not refuses(said, 3)
    assert not refuses(None, 12)


@pytest.mark.spec("8.3")
def test_a_token_does_not_tell_its_key() -> None:
    """It is as long as its column, and of another key another one."""
    assert len(token_of("key")) == TOKEN_LENGTH
    assert token_of("key") != token_of("other")
    assert "key" not in token_of("key")
