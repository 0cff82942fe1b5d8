"""The icons beside each status and mark: the one place that the live view and the static picture read."""

from __future__ import annotations

_RING = "M8 1a7 7 0 1 0 0 14A7 7 0 1 0 8 1zm0 1.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 1 1 0-11z"
_DISC = "M8 1a7 7 0 1 0 0 14A7 7 0 1 0 8 1z"
_CROSS = "M5.6 4.5L8 6.9l2.4-2.4 1.1 1.1L9.1 8l2.4 2.4-1.1 1.1L8 9.1l-2.4 2.4-1.1-1.1L6.9 8 4.5 5.6z"

#: What each word is drawn as: SVG path data on a grid of 16 by 16, filled with one colour (non-zero rule).
ICONS: dict[str, str] = {
    "Draft": _RING,
    "Pending": f"{_RING}M7.2 4h1.6v3.6l2.5 1.5-.8 1.3-3.3-2z",
    "Running": "M4 1.9v12.2L13.8 8z",
    "Stopping": "M2 2v12h12V2zm1.5 1.5h9v9h-9zM6 6h4v4H6z",
    "Stopped": "M3 3h10v10H3z",
    "Succeeded": f"{_DISC}M4.1 8.3l1.1-1.1 1.8 1.8 3.8-3.9 1.1 1.1L7 11.2z",
    "Failed": f"{_DISC}{_CROSS}",
    "Crashed": "M8 1.2L.7 14.3h14.6zM7.2 6h1.6v4H7.2zM7.2 11.2h1.6v1.6H7.2z",
    "Stale": "M8 2.6a6 6 0 1 0 6 6h-1.6A4.4 4.4 0 1 1 8 4.2v2.3l4.2-3.1L8 .3z",
    "Undeployed": f"{_RING}M4.750 7.200h6.500v1.600h-6.500z",
    "Deployed": f"{_DISC}M7.2 12V7L5.3 8.900 4.200 7.800 8 4l3.800 3.800-1.100 1.100L8.800 7V12z",
    "Held": "M3.5 2.5h3v11h-3zM9.5 2.5h3v11h-3z",
}

_GREY, _BLUE, _GREEN, _RED, _AMBER, _PURPLE = (
    "#767676", "#1976d2", "#3b873e", "#d84343", "#a96f00", "#8e5cc9",
)  # fmt: skip

#: Mid-tones: each has a contrast of 3.4 or more on white and on JupyterLab's dark grey.
COLOURS: dict[str, str] = {
    "Draft": _GREY,
    "Pending": _BLUE,
    "Running": _BLUE,
    "Stopping": _AMBER,
    "Stopped": _GREY,
    "Succeeded": _GREEN,
    "Failed": _RED,
    "Crashed": _RED,
    "Stale": _AMBER,
    "Undeployed": _GREY,
    "Deployed": _GREEN,
    "Held": _PURPLE,
}
