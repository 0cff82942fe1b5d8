"""The notes of a plan, as warnings where the user has asked for the trigger."""

from __future__ import annotations

import warnings

OUTSIDE = 8  # frames from a note of a trigger to the line of the user that has asked for it


def warn_of(notes: tuple[str, ...]) -> None:
    """Warn of the notes of a plan.

    Args:
        notes: A sentence each.
    """
    for note in notes:
        warnings.warn(note, stacklevel=OUTSIDE)
