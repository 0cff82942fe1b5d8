"""Decide which waiting runs begin within the limits of a workspace, and for what the others wait (spec 6.13).

Limits hold for each machine that launches runs itself; an engine such as Slurm has a queue of its own. The
oldest run comes first, and a later one passes it only where it delays no older one, as in conservative
backfilling (Mu'alem and Feitelson 2001, doi:10.1109/71.932708), but without estimates of run times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, combinations
from typing import Any

from pipeline_widgets.domain.resources import Placement, Resources, format_memory
from pipeline_widgets.domain.text import list_first
from pipeline_widgets.errors import ConfigError, format_value

LEAST_RUNS = 2  # slots of a machine with a single core
MOST_USERS = 3  # that a reason names
_FIELDS = ("runs", "cpu", "gpu", "memory")
EXACT_UP_TO = 8  # runs of which any may end first; above, what later runs may take is estimated from below


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The slots of a machine; None does not limit a resource."""

    #: The number of runs at work at once; None for as many as the machine has cores, at least 2.
    runs: int | None = None
    cpu: int | None = None
    gpu: int | None = None
    #: Bytes.
    memory: int | None = None

    @classmethod
    def parse(
        cls, *, runs: object = None, cpu: object = None, gpu: object = None, memory: object = None
    ) -> Limits:
        """Read limits as people write them, such as `runs=2, gpu=1, memory="24 GiB"`.

        Raises:
            ConfigError: A value is not a number of its kind, or leaves no room for any run.
        """
        given = {"cpu": cpu, "gpu": gpu, "memory": memory}
        asked = Resources.parse({name: value for name, value in given.items() if value is not None})
        if runs is not None and (isinstance(runs, bool) or not isinstance(runs, int) or runs < 1):
            raise ConfigError(f"The limit of runs cannot be {format_value(runs)}.", fix="Give at least 1.")
        if asked.cpu == 0:
            raise ConfigError("The limit of CPUs cannot be 0.", fix="Every run needs one: give at least 1.")
        return cls(runs=runs, cpu=asked.cpu, gpu=asked.gpu, memory=asked.memory)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> Limits:
        """Return limits as a column holds them."""
        return cls(**{name: value for name, value in (stored or {}).items() if name in _FIELDS})

    def to_json(self) -> dict[str, int] | None:
        """Return limits as a column holds them; None where nothing is limited."""
        return self.bounds or None

    @property
    def bounds(self) -> dict[str, int]:
        """The bounds of the limited resources, by name, in the order in which a reason names one."""
        given = {"gpu": self.gpu, "memory": self.memory, "cpu": self.cpu, "runs": self.runs}
        return {name: bound for name, bound in given.items() if bound is not None}

    def resolve(self, cores: int) -> Limits:
        """Return the limits of a machine with so many cores."""
        return self if self.runs is not None else replace(self, runs=max(LEAST_RUNS, cores))


def find_needs(asked: Resources) -> dict[str, int]:
    """Return the amounts that a run takes: one slot, one CPU where it does not say, and what it asks for."""
    cpus = 1 if asked.cpu is None else asked.cpu
    return {"runs": 1, "cpu": cpus, "gpu": asked.gpu or 0, "memory": asked.memory or 0}


@dataclass(frozen=True, kw_only=True, slots=True)
class QueuedRun:
    """An active run of a machine, as the queue sees it."""

    run_id: int
    #: Its name in a sentence: "run 12 of 'sft'".
    label: str
    resources: Resources = field(default_factory=Resources)
    #: Whether it was admitted: it works, or was launched.
    is_admitted: bool = False
    #: The GPUs that it was given, counted from 0.
    gpus: tuple[int, ...] = ()
    project_id: int = 0
    #: For what it waits, as its row says.
    waits: str | None = None

    @property
    def needs(self) -> dict[str, int]:
        """The amounts that it takes."""
        return find_needs(self.resources)


@dataclass(frozen=True, kw_only=True, slots=True)
class Admission:
    """The decision about a waiting run."""

    run_id: int
    #: The reason for which it waits; None where it can begin.
    waits: str | None = None
    #: The GPUs that it is given, counted from 0; None where GPUs are not limited.
    gpus: tuple[int, ...] | None = None

    @property
    def is_admitted(self) -> bool:
        """Whether it can begin."""
        return self.waits is None


def admit(limits: Limits, queue: Sequence[QueuedRun]) -> tuple[Admission, ...]:
    """Decide about the waiting runs of a machine.

    Args:
        limits: The limits of the machine.
        queue: Its active runs, the oldest first.
    """
    names = tuple(limits.bounds)
    needs = {each.run_id: each.needs for each in queue}
    working = [each for each in queue if each.is_admitted]
    idle = _find_idle_gpus(limits, working)
    taken = [needs[each.run_id] for each in working]
    free = {name: bound - sum(each[name] for each in taken) for name, bound in limits.bounds.items()}
    allowed: dict[str, int] = dict(free)  # to later runs, so that none delays an older one
    last: dict[str, QueuedRun] = {}  # that waits and needs a resource, by its name
    before = Users(taken)  # what each run needs that works or waits before this one
    decided: list[Admission] = []
    for each in queue:
        if each.is_admitted:
            continue
        own = needs[each.run_id]
        if (over := find_oversized(limits, each.resources)) is not None:
            decided.append(Admission(run_id=each.run_id, waits=over))  # no other run waits for its share
            continue
        lacking = [name for name in names if own[name] > max(allowed[name], 0)]
        if not lacking:
            gpus = None if idle is None else tuple(idle.pop(0) for _ in range(own["gpu"]))
            decided.append(Admission(run_id=each.run_id, gpus=gpus))
            working.append(each)
            allowed = {name: left - own[name] for name, left in allowed.items()}
        else:
            waits = _describe_shortage(lacking, each, working, last)
            decided.append(Admission(run_id=each.run_id, waits=waits))
            if allowed.get("runs", 1) > 0:  # else no later run begins anyway
                slack = find_slack(free, own, before)
                allowed = {name: min(left, slack[name]) for name, left in allowed.items()}
            last |= dict.fromkeys((name for name in names if own[name]), each)
        before.add(own)
        free = {name: left - own[name] for name, left in free.items()}
    return tuple(decided)


def find_oversized(limits: Limits, resources: Resources) -> str | None:
    """Return the reason for which a run can never begin within limits; None where it can."""
    needs = find_needs(resources)
    for name, bound in limits.bounds.items():
        if needs[name] > bound:
            return f"{_count(name, needs[name])}, and the workspace's limit is {_count(name, bound)}"
    return None


def can_continue(before: Placement, after: Placement) -> bool:
    """Return whether a stage goes on in the supervisor of the one before it, here in its slot."""
    if before.launcher is not None or after.launcher is not None:
        return before == after
    left, needed = (find_needs(each.resources or Resources()) for each in (before, after))
    return all(needed[name] <= left[name] for name in left)


def _find_idle_gpus(limits: Limits, working: Sequence[QueuedRun]) -> list[int] | None:
    if limits.gpu is None:
        return None
    used = {gpu for each in working for gpu in each.gpus}
    return [gpu for gpu in range(limits.gpu) if gpu not in used]


class Users:
    """What runs need, told by the resources that they use: of few of them all, of many the least.

    A queue asks for each run that waits. What is known of the users of some resources is kept, and not
    searched for among all runs each time.

    Args:
        needs: What each run needs.
    """

    def __init__(self, needs: Iterable[Mapping[str, int]] = ()) -> None:
        self._all = list(needs)
        self._found: dict[tuple[str, ...], tuple[list[Mapping[str, int]], dict[str, int]]] = {}

    def add(self, needs: Mapping[str, int]) -> None:
        """Add a run."""
        self._all.append(needs)
        for names in self._found:
            self._note(names, needs)

    def find(self, names: tuple[str, ...]) -> tuple[Sequence[Mapping[str, int]], Mapping[str, int]]:
        """Return what the users of any of these resources need, and the least that one of them needs of each.

        More than `EXACT_UP_TO` are not all returned, but one more than that.
        """
        if names not in self._found:
            self._found[names] = ([], {})
            for needs in self._all:
                self._note(names, needs)
        return self._found[names]

    def _note(self, names: tuple[str, ...], needs: Mapping[str, int]) -> None:
        if any(needs[name] for name in names):
            users, least = self._found[names]
            if len(users) <= EXACT_UP_TO:
                users.append(needs)
            least |= {name: min(least.get(name, amount), amount) for name, amount in needs.items()}


def find_slack(free: Mapping[str, int], needs: Mapping[str, int], before: Users) -> dict[str, int]:
    """Return the amounts that later runs may take without delaying a run, whichever before it end first.

    Args:
        free: The free amounts once all older runs have had their share; negative while some of them wait.
        needs: What the run needs, which waits.
        before: What the runs before it need.
    """
    short = tuple(name for name in free if needs[name] > free[name])
    users, least = before.find(short)
    if len(users) > EXACT_UP_TO:  # at least one of them ends first
        return {name: 0 if name in short else free[name] + least[name] - needs[name] for name in free}
    slack: dict[str, int] = {}
    for ended in chain.from_iterable(combinations(users, size) for size in range(1, len(users) + 1)):
        left = {name: free[name] + sum(each[name] for each in ended) - needs[name] for name in free}
        if min(left.values()) >= 0:
            slack = {name: min(slack.get(name, amount), amount) for name, amount in left.items()}
    return slack or dict.fromkeys(free, 0)


def _describe_shortage(
    lacking: Sequence[str], run: QueuedRun, working: Sequence[QueuedRun], last: Mapping[str, QueuedRun]
) -> str:
    """Return the reason for which a run waits: "1 GPU: used by run 12 of 'sft'".

    A run behind another one that needs the same names that one alone, so that few reasons change at a time.

    Args:
        lacking: The names of what there is too little of.
        run: The run.
        working: The runs that work.
        last: The last run before it that waits and needs a resource, by its name.
    """
    name = next((name for name in lacking if name not in last), None)
    if name is None:
        return f"its turn, after {last[lacking[0]].label}"
    users = [each.label for each in working if each.needs[name]]
    return f"{_count(name, run.needs[name])}: used by {list_first(users, MOST_USERS)}"


def _count(name: str, amount: int) -> str:
    match name:
        case "runs":
            return "a slot" if amount == 1 else f"{amount} slots"
        case "cpu":
            return f"{amount} CPU" if amount == 1 else f"{amount} CPUs"
        case "gpu":
            return f"{amount} GPU" if amount == 1 else f"{amount} GPUs"
        case _:
            return f"{format_memory(amount)} of memory"
