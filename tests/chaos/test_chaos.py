"""A minute of chaos: the first worlds of a seed that is always the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chaos.campaign import Campaign
from chaos.faults import BY_NAME, TOGETHER

TESTS = Path(__file__).parents[1]
SEED = 9
MINUTES = 1.0


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.spec("6.2", "6.3", "6.6", "6.9")
def test_a_minute_of_chaos_loses_nothing_and_says_nothing_wrongly() -> None:
    """Whatever happens to chains: nothing is lost, doubled, left behind, said wrongly, or hung."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS / "support")])}
    command = [sys.executable, "-m", "chaos", "--quick", f"--seed={SEED}", f"--minutes={MINUTES}"]
    # In a process of its own: worlds are forked, and the threads of a test runner do not survive that.
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    sys.stdout.write(done.stdout)
    assert done.returncode == 0, done.stdout


def test_a_world_follows_from_its_seed_and_number() -> None:
    """The same seed lets the same things happen to the same worlds, and each fault comes once in a round."""
    campaigns = [Campaign(seed=3), Campaign(seed=3), Campaign(seed=4)]
    rounds = [[each.fault_of(number) for number in range(30)] for each in campaigns]
    for each in campaigns:
        each.close()

    assert rounds[0] == rounds[1] != rounds[2]
    assert len(set(rounds[0])) > 20
    assert set(rounds[0]) <= {*BY_NAME, TOGETHER}
