"""Whose workspaces may run code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.trust import (
    CHANGED,
    UNKNOWN,
    reason_not_to_trust,
    signature_of_code,
    signature_of_workspace,
)

part = st.none() | st.text(max_size=5)
code = st.builds(AlgorithmReference, path=part, root=part, value=part)


@given(code, code)
def test_equal_signatures_mean_the_same_code(one: AlgorithmReference, other: AlgorithmReference) -> None:
    """No part of a reference can be moved into another part without the signature changing."""
    same = signature_of_code(b"key", "id", one) == signature_of_code(b"key", "id", other)
    assert same == (one == other)


def test_a_signature_is_of_one_key_one_workspace_and_one_purpose() -> None:
    """Another user's key, another workspace and another purpose each give another signature."""
    mine = AlgorithmReference(path="a:b")
    made = {
        signature_of_code(b"key", "id", mine),
        signature_of_code(b"other", "id", mine),
        signature_of_code(b"key", "other", mine),
        signature_of_workspace(b"key", "id"),
        signature_of_workspace(b"other", "id"),
        signature_of_workspace(b"key", "other"),
    }
    assert len(made) == 6


@pytest.mark.parametrize(
    ("is_known", "has_unsigned_code", "reason"),
    [(True, False, None), (True, True, CHANGED), (False, False, UNKNOWN), (False, True, UNKNOWN)],
)
def test_only_a_known_workspace_with_signed_code_is_trusted(
    is_known: bool,  # noqa: FBT001
    has_unsigned_code: bool,  # noqa: FBT001
    reason: str | None,
) -> None:
    """A workspace of somebody else's is not trusted, and neither is one that came back with other code."""
    assert reason_not_to_trust(is_known=is_known, has_unsigned_code=has_unsigned_code) == reason
