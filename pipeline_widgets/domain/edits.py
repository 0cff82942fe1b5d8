"""What changed between two views of a pipeline, in sentences (spec 5.13)."""

from __future__ import annotations

from pipeline_widgets.directions import quote
from pipeline_widgets.domain.chain import Pipeline


def describe_changes(seen: Pipeline, now: Pipeline) -> tuple[str, ...]:
    """Return what happened to a pipeline since it was seen, one sentence each."""
    found: list[str] = []
    if seen.name != now.name:
        found.append(f"It was renamed from {quote(seen.name)}.")
    if seen.description != now.description:
        found.append("Its description was edited.")
    before = {stage.id: (at, stage) for at, stage in enumerate(seen.stages)}
    after = {stage.id: (at, stage) for at, stage in enumerate(now.stages)}
    found += [f"Stage {at + 1} was deleted." for key, (at, _) in before.items() if key not in after]
    for key, (at, stage) in after.items():
        if key not in before:
            found.append(f"A stage was added as stage {at + 1}.")
            continue
        was_at, was = before[key]
        if was != stage:
            found.append(f"The settings of stage {at + 1} were edited.")
        elif was_at != at:
            found.append(f"Stage {was_at + 1} is stage {at + 1} now.")
    return tuple(found)
