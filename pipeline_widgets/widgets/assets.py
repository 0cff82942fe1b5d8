"""The JavaScript and CSS of a view. anywidget loads them from a blob, which cannot import its neighbours."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from pipeline_widgets.widgets.icon_paths import ICON_PATHS
from pipeline_widgets.widgets.icons import ICONS

STATIC = Path(__file__).parent / "static"
#: What draws charts: a library, vendored because a notebook may have no network (see its LICENSE there).
CHARTS = "vendor/uPlot"
SHARED = ("_shared", "_picture", "_frame", "_dialogs", "_files")


@cache
def script(*stems: str) -> str:
    """Return one module made of what is shared and the files of these stems; the last exports the view."""
    icons = f"const ICONS = {json.dumps({**ICON_PATHS, **ICONS})};"
    return "\n".join([icons, *(_read(stem, "js") for stem in (*SHARED, *stems))])


@cache
def style(*stems: str) -> str:
    """Return one style sheet made of `_shared.css` and the files of these stems."""
    return "\n".join(_read(stem, "css") for stem in (SHARED[0], *stems))


def _read(stem: str, kind: str) -> str:
    return (STATIC / f"{stem}.{kind}").read_text(encoding="utf-8")
