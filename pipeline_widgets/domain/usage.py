"""The resources that the processes of a run use: CPUs, memory, GPUs (spec 6.14)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline_widgets.domain.curve import Curve, extend_curve

FIRST_INTERVAL = 1.0  # seconds between the first samples
SAMPLES_PER_INTERVAL = 300  # before the interval doubles: a week has at most 3,300
RESOURCES = ("cpu", "memory", "gpu", "gpu_memory")
SHARE = 0.008  # of one CPU, which taking samples costs at most


@dataclass(frozen=True, slots=True)
class Usage:
    """The resources that the processes of a run use at one time."""

    #: Seconds since the run began.
    seconds: float
    #: CPUs at work since the sample before: 1.5 is one and a half.
    cpu: float
    #: Resident bytes of all its processes. What they share is counted for each of them.
    memory: int
    #: GPUs at work among those on which it has a process; None where it has none.
    gpu: float | None = None
    #: Bytes on GPUs.
    gpu_memory: int | None = None


@dataclass(frozen=True, slots=True)
class Peak:
    """The most that the processes of a run have used at a time; None where no sample has told."""

    cpu: float | None = None
    memory: int | None = None
    gpu_memory: int | None = None

    @classmethod
    def of(cls, samples: Iterable[Usage]) -> Peak:
        """Return the peak of samples."""
        found = list(samples)
        return cls(
            cpu=max((each.cpu for each in found), default=None),
            memory=max((each.memory for each in found), default=None),
            gpu_memory=max((each.gpu_memory for each in found if each.gpu_memory is not None), default=None),
        )


def extend_usage(curves: Mapping[str, Curve], samples: Iterable[Usage], most: int) -> dict[str, Curve]:
    """Return curves over the milliseconds since a run began with later samples, thinned.

    Args:
        curves: The curves of all resources by name; empty before the first sample.
        samples: The samples, in their order.
        most: How many points a curve has at most.
    """
    found = list(samples)
    if not found:
        return dict(curves)
    return {
        name: extend_curve(
            curves.get(name, ()), [(round(1000 * each.seconds), getattr(each, name)) for each in found], most
        )
        for name in RESOURCES
    }


def select_known(curves: Mapping[str, Curve]) -> dict[str, Curve]:
    """Return the curves of the resources of which any value is known."""
    return {name: curve for name, curve in curves.items() if any(value is not None for _, value in curve)}


def find_interval(taken: int, cost: float) -> float:
    """Return the seconds until the next sample of a run.

    Args:
        taken: The number of its samples so far.
        cost: Seconds of a CPU that the last one has taken.
    """
    return max(FIRST_INTERVAL * 2.0 ** (taken // SAMPLES_PER_INTERVAL), cost / SHARE)
