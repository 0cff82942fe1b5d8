"""Which waiting runs begin within the limits of a machine, and the reasons of the others (spec 6.13)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_widgets.domain.limits import (
    EXACT_UP_TO,
    Admission,
    Limits,
    QueuedRun,
    Users,
    admit,
    can_continue,
    find_oversized,
    find_slack,
)
from pipeline_widgets.domain.resources import Placement, Resources
from pipeline_widgets.errors import ConfigError

pytestmark = pytest.mark.spec("6.13")

GIB = 1024**3


def run(number: int, *, works: bool = False, gpus: tuple[int, ...] = (), **asked: int) -> QueuedRun:
    """Return a run of the queue."""
    label = f"run {number} of 'sft'"
    return QueuedRun(
        run_id=number, label=label, resources=Resources.parse(asked), is_admitted=works, gpus=gpus
    )


def decide(limits: Limits, *queue: QueuedRun) -> dict[int, str | None]:
    """Return the reason of each waiting run; None for one that begins."""
    return {each.run_id: each.waits for each in admit(limits, queue)}


def test_the_oldest_begin_and_the_others_name_what_they_wait_for() -> None:
    """The first that does not fit names the runs that use the resource, the next ones the run before them."""
    told = decide(Limits(runs=2), run(1, works=True), *(run(number) for number in (2, 3, 4)))
    assert told == {
        2: None,
        3: "a slot: used by run 1 of 'sft', run 2 of 'sft'",
        4: "its turn, after run 3 of 'sft'",
    }


def test_what_is_decided_of_a_long_queue_takes_as_long_for_each_run() -> None:
    """Each trigger decides about all that wait, while it holds the lock of the database: counted in calls."""

    def count_calls(waiting: int) -> int:
        queue, calls = [run(1, works=True), *(run(number) for number in range(2, waiting + 2))], 0

        def count(_frame: object, event: str, _argument: object) -> None:
            nonlocal calls
            calls += event == "call"

        sys.setprofile(count)
        try:
            admit(Limits(runs=1), queue)
        finally:
            sys.setprofile(None)
        return calls

    assert count_calls(400) < 4.4 * count_calls(100)


def test_what_is_looked_at_of_a_long_queue_with_room_beside_grows_as_it_does() -> None:
    """Slots are free, so that each run asks what those before it need: counted in lines that are executed."""

    def count_lines(waiting: int) -> int:
        queue = [run(1, works=True, gpu=1), *(run(number, gpu=1) for number in range(2, waiting + 2))]
        lines, before = 0, sys.gettrace()

        def count(_frame: object, event: str, _argument: object) -> object:
            nonlocal lines
            lines += event == "line"
            return count

        sys.settrace(count)  # pyright: ignore[reportArgumentType]
        try:
            admit(Limits(runs=10_000, gpu=1), queue)
        finally:
            sys.settrace(before)
        return lines

    assert count_lines(400) < 4.4 * count_lines(100)


_NAMES = ("gpu", "memory", "cpu", "runs")
_amounts = st.fixed_dictionaries({name: st.integers(0, 3) for name in _NAMES})


@settings(max_examples=300, deadline=None)
@given(
    st.lists(_amounts, max_size=2 * EXACT_UP_TO),
    st.lists(
        st.tuples(_amounts, st.fixed_dictionaries({name: st.integers(-4, 6) for name in _NAMES})),
        min_size=1,
        max_size=6,
    ),
)
def test_what_later_runs_may_take_is_that_of_a_search_among_all_runs(
    working: list[dict[str, int]], waiting: list[tuple[dict[str, int], dict[str, int]]]
) -> None:
    """Users are remembered from one waiting run to the next, and new ones are added."""
    before, users = [*working], Users(working)
    for needs, free in waiting:
        assert find_slack(free, needs, users) == search_slack(free, needs, before)
        before.append(needs)
        users.add(needs)


def search_slack(free: dict[str, int], needs: dict[str, int], before: list[dict[str, int]]) -> dict[str, int]:
    """Return what later runs may take, by a search among all runs before."""
    short = [name for name in free if needs[name] > free[name]]
    users = [each for each in before if any(each[name] for name in short)]
    if len(users) > EXACT_UP_TO:
        least = {name: min(each[name] for each in users) for name in free}
        return {name: 0 if name in short else free[name] + least[name] - needs[name] for name in free}
    slack: dict[str, int] = {}
    for ended in chain.from_iterable(combinations(users, size) for size in range(1, len(users) + 1)):
        left = {name: free[name] + sum(each[name] for each in ended) - needs[name] for name in free}
        if min(left.values()) >= 0:
            slack = {name: min(slack.get(name, amount), amount) for name, amount in left.items()}
    return slack or dict.fromkeys(free, 0)


def test_a_run_without_a_gpu_passes_one_that_waits_for_the_gpu() -> None:
    """The end of the GPU's user frees a slot as well, so that the older run is not delayed."""
    limits = Limits(runs=2, gpu=1)
    told = decide(limits, run(1, works=True, gpu=1, gpus=(0,)), run(2, gpu=1), run(3), run(4))
    assert told == {
        2: "1 GPU: used by run 1 of 'sft'",
        3: None,
        4: "its turn, after run 2 of 'sft'",
    }


def test_a_smaller_run_passes_only_where_it_delays_nobody() -> None:
    """Of 8 CPUs 6 are used: behind a run of 4 one of 2 begins, since 6 will be free; behind one of 8 not."""
    used = run(1, works=True, cpu=6)
    assert decide(Limits(cpu=8), used, run(2, cpu=4), run(3, cpu=2)) == {
        2: "4 CPUs: used by run 1 of 'sft'",
        3: None,
    }
    assert decide(Limits(cpu=8), used, run(2, cpu=8), run(3, cpu=2))[3] == "its turn, after run 2 of 'sft'"


def test_gpus_are_given_out_once() -> None:
    """A run gets the GPUs with the lowest numbers that no run has; without a limit of GPUs none is given."""
    queue = [run(1, works=True, gpu=1, gpus=(1,)), run(2, gpu=2), run(3, gpu=1), run(4)]
    assert [each.gpus for each in admit(Limits(gpu=4), queue)] == [(0, 2), (3,), ()]
    assert [each.gpus for each in admit(Limits(runs=9), queue)] == [None] * 3


def test_memory_is_counted_in_bytes() -> None:
    """A run that asks for no memory takes none."""
    told = decide(
        Limits.parse(memory="24 GiB"), run(1, works=True, memory=20 * GIB), run(2, memory=8 * GIB), run(3)
    )
    assert told == {2: "8 GiB of memory: used by run 1 of 'sft'", 3: None}


def test_what_never_fits_says_so_and_holds_up_nobody() -> None:
    """Such a run was triggered before the limits were lowered."""
    told = decide(Limits(runs=1, gpu=1), run(1, gpu=2), run(2))
    assert told == {1: "2 GPUs, and the workspace's limit is 1 GPU", 2: None}
    assert find_oversized(Limits(gpu=1), Resources(gpu=1)) is None


def test_lowered_limits_let_runs_end_before_the_next_begins() -> None:
    """What works goes on, even where it is more than the limits by now."""
    working = [run(number, works=True) for number in (1, 2, 3)]
    assert decide(Limits(runs=2), *working, run(4)) == {
        4: "a slot: used by run 1 of 'sft', run 2 of 'sft', run 3 of 'sft'"
    }


def test_by_default_there_are_as_many_slots_as_cores_and_two_at_least() -> None:
    """Nothing else is limited."""
    assert Limits().resolve(1) == Limits(runs=2)
    assert Limits().resolve(16) == Limits(runs=16)
    assert Limits(runs=1, gpu=3).resolve(16) == Limits(runs=1, gpu=3)


@pytest.mark.parametrize(
    "given", [{"runs": 0}, {"runs": 1.5}, {"runs": True}, {"cpu": 0}, {"gpu": -1}, {"memory": "lots"}]
)
def test_limits_that_are_none_are_refused(given: dict[str, object]) -> None:
    """The error names the value."""
    with pytest.raises(ConfigError, match=str(next(iter(given.values())))):
        Limits.parse(**given)


def test_limits_come_back_from_their_column() -> None:
    """Without any limit the column is empty."""
    limits = Limits.parse(runs=2, gpu=0, memory="1.5 GiB")
    assert Limits.from_json(limits.to_json()) == limits
    assert Limits().to_json() is None
    assert Limits.from_json(None) == Limits()


def test_a_run_takes_over_the_slot_of_the_one_before_where_it_fits() -> None:
    """The next stage goes on at once where it asks for no more; an engine gives it what it asks for anew."""

    def here(**asked: int) -> Placement:
        return Placement(resources=Resources.parse(asked))

    assert can_continue(here(gpu=1, cpu=4), here(cpu=2))
    assert can_continue(here(gpu=1), Placement())
    assert not can_continue(Placement(), here(gpu=1))
    assert not can_continue(replace(here(gpu=1), launcher="slurm"), replace(here(), launcher="slurm"))
    assert not can_continue(Placement(launcher="slurm"), Placement())


_asked = st.fixed_dictionaries(
    {}, optional={"cpu": st.integers(0, 4), "gpu": st.integers(0, 2), "memory": st.integers(1, 4)}
)
_limits = st.builds(
    Limits,
    runs=st.integers(1, 4),
    cpu=st.none() | st.integers(1, 6),
    gpu=st.none() | st.integers(0, 3),
    memory=st.none() | st.integers(1, 6),
)


def made(asked: list[dict[str, int]]) -> list[QueuedRun]:
    """Return a queue of waiting runs."""
    return [
        QueuedRun(run_id=number, label=f"run {number}", resources=Resources.parse(each))
        for number, each in enumerate(asked, start=1)
    ]


def begin(
    limits: Limits, queue: Sequence[QueuedRun]
) -> tuple[list[QueuedRun], list[QueuedRun], list[Admission]]:
    """Return the runs that work after a decision, those that wait, and the decisions."""
    decided = {each.run_id: each for each in admit(limits, queue)}
    working = [each for each in queue if each.is_admitted or decided[each.run_id].is_admitted]
    return working, [each for each in queue if each not in working], list(decided.values())


@settings(max_examples=400, deadline=None)
@given(_limits, st.lists(_asked, max_size=7))
def test_the_limits_hold_and_a_run_that_passes_delays_nobody(
    limits: Limits, asked: list[dict[str, int]]
) -> None:
    """Whichever runs end next, an older one that waits can begin as soon as without the later ones."""
    queue = made(asked)
    working, waiting, decided = begin(limits, queue)
    names = tuple(limits.bounds)
    for name in names:
        assert sum(each.needs[name] for each in working) <= getattr(limits, name)
    if limits.gpu is not None:
        given_out = [gpu for each in decided for gpu in each.gpus or ()]
        assert len(given_out) == len(set(given_out))
        assert set(given_out) <= set(range(limits.gpu))
    for first in waiting[:1]:
        if find_oversized(limits, first.resources) is not None:
            continue
        older = [each for each in working if each.run_id < first.run_id]
        passed = [each for each in working if each.run_id > first.run_id]
        for size in range(1, len(older) + 1):
            for ended in combinations(older, size):
                left = [each for each in older if each not in ended]

                def fits(others: list[QueuedRun], run: QueuedRun = first) -> bool:
                    return all(
                        sum(each.needs[name] for each in others) + run.needs[name] <= getattr(limits, name)
                        for name in names
                    )

                assert fits(left) <= fits([*left, *passed])


@settings(max_examples=200, deadline=None)
@given(_limits, st.lists(_asked, max_size=7), st.randoms(use_true_random=False))
def test_every_run_that_can_ever_begin_does(
    limits: Limits, asked: list[dict[str, int]], chance: Random
) -> None:
    """As runs end in any order, the queue empties, but for those that never fit."""
    queue = made(asked)
    while True:
        working, waiting, decided = begin(limits, queue)
        if not working:
            break
        gone = chance.choice(working)
        queue = [
            QueuedRun(
                run_id=each.run_id,
                label=each.label,
                resources=each.resources,
                is_admitted=each in working,
                gpus=next((d.gpus for d in decided if d.run_id == each.run_id and d.gpus), each.gpus),
            )
            for each in queue
            if each != gone
        ]
    assert all(find_oversized(limits, each.resources) for each in waiting)
