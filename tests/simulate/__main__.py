"""`make simulate`: take random steps against the services, and compare with the model after each."""

from __future__ import annotations

import argparse
import random
import sys
import time

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from simulate.lockstep import STEPS
from simulate.machine import Chains

EACH = 50  # steps of one workspace


def simulate(chosen: int, steps: int, *, shrink: bool = False, loud: bool = False) -> None:
    """Take steps; the same seed takes the same ones.

    Args:
        chosen: The seed.
        steps: About how many steps.
        shrink: Whether a failure is brought to the fewest steps that show it, which takes minutes.
        loud: Whether each example is printed.
    """
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
    machine = seed(chosen)(type("Chains", (Chains,), {}))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=max(1, steps // EACH),
            stateful_step_count=EACH,
            database=None,
            deadline=None,
            phases=phases,
            report_multiple_bugs=False,
            verbosity=Verbosity.verbose if loud else Verbosity.normal,
            suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
        ),
    )


def main() -> int:
    """Return 0 where the model and the services agree."""
    parser = argparse.ArgumentParser(prog="make simulate")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument(
        "--shrink", action="store_true", help="find the fewest steps that fail; takes minutes"
    )
    parser.add_argument("--loud", action="store_true")
    chosen = parser.parse_args()
    number = random.randrange(10**6) if chosen.seed is None else chosen.seed  # noqa: S311
    sys.stdout.write(f"Seed {number}, {chosen.steps:,} steps\n")
    sys.stdout.flush()
    begun = time.monotonic()
    try:
        simulate(number, chosen.steps, shrink=chosen.shrink, loud=chosen.loud)
    except AssertionError:
        sys.stdout.write(f"again: make simulate SEED={number} STEPS={chosen.steps}\n")
        raise
    seconds = time.monotonic() - begun
    sys.stdout.write(
        f"{chosen.steps:,} steps with {STEPS['taken']:,} commands, {STEPS['refused']:,} of them refused, "
        f"in {seconds:.0f} s: the model and the services agree; seed {number}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
