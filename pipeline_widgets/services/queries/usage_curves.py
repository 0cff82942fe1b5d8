"""The curves of what runs use, of which a look reads the samples that came since the last one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline_widgets.domain.curve import Curve
from pipeline_widgets.domain.usage import extend_usage, select_known
from pipeline_widgets.persistence.store import UnitOfWork
from pipeline_widgets.services.queries.curves import KEPT, MetricCurve


@dataclass(frozen=True, slots=True)
class _ReadUsage:
    """The curves of all resources up to a sample, by its id."""

    last: int = 0
    curves: Mapping[str, Curve] = field(default_factory=dict[str, Curve])


class UsageReader:
    """Reads what runs use within a unit of work, and keeps it for the next look."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], _ReadUsage] = {}

    def read(self, work: UnitOfWork, run_id: int, points: int) -> tuple[MetricCurve, ...]:
        """Return the curves of the resources of which anything is known, with so many points at most."""
        key = (run_id, points)
        read = self._known.pop(key, _ReadUsage())
        samples, last = work.metrics.usage_after(run_id, read.last)
        read = _ReadUsage(last, extend_usage(read.curves, samples, points))
        self._known[key] = read  # last, so that the ones longest unseen come first
        for oldest in list(self._known)[:-KEPT]:
            self._known.pop(oldest, None)
        known = select_known(read.curves)
        return tuple(MetricCurve(name=name, points=curve) for name, curve in known.items())
