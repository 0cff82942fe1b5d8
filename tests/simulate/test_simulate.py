"""The model of the rules against the services, for some seconds, and the bugs that are planted for it."""

from __future__ import annotations

import pytest

from simulate import lockstep
from simulate.__main__ import simulate
from simulate.planted import PLANTED, planted

SEED, STEPS = 6, 4_000


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.spec("5.1", "5.2", "5.3", "5.10", "6.1", "6.2", "6.3", "6.5", "6.7", "6.8", "8.4")
def test_the_services_do_what_the_model_says() -> None:
    """After each of some thousand random steps the services and an independent model agree on everything."""
    simulate(SEED, STEPS)


def test_the_same_seed_takes_the_same_steps() -> None:
    """A failure of `make simulate` is seen again with its seed."""
    counted: list[dict[str, int]] = []
    for _ in range(2):
        lockstep.STEPS.update(taken=0, refused=0)
        simulate(1, 100)
        counted.append(dict(lockstep.STEPS))

    assert counted[0] == counted[1]
    assert counted[0]["taken"] > 20


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.name)
def test_each_bug_can_still_be_planted(bug: object) -> None:
    """The code that a planted bug changes is there once, so that `make planted` plants what it says."""
    assert isinstance(bug, type(PLANTED[0]))
    source, changed = planted(bug)

    assert source != changed
    compile(changed, bug.file, "exec")
