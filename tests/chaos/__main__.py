"""`make chaos`: let worlds live for some minutes and print the table; fails when anything is wrong."""

from __future__ import annotations

import argparse
import os
import random
import sys
import time

from chaos.campaign import Campaign


def main() -> int:
    """Return 0 where nothing was lost, doubled, left behind, said wrongly, or hung."""
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument(
        "--world", default="", help="numbers of worlds, with commas; all of their time otherwise"
    )
    parser.add_argument("--fault", default="", help="the one fault that happens")
    parser.add_argument("--db", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--lanes", type=int, default=3 * (os.cpu_count() or 1))
    parser.add_argument("--quick", action="store_true", help="only faults that are over soon")
    parser.add_argument(
        "--warm", action="store_true", help="supervisors are forked, and their server is killed"
    )
    parser.add_argument("--keep", action="store_true", help="keep the folders of all worlds")
    chosen = parser.parse_args()
    seed = random.randrange(10**6) if chosen.seed is None else chosen.seed  # noqa: S311
    worlds = [int(each) for each in chosen.world.split(",")] if chosen.world else None
    campaign = Campaign(
        seed=seed,
        postgresql=chosen.db == "postgresql",
        quick=chosen.quick,
        lanes=1 if worlds is not None and len(worlds) == 1 else chosen.lanes,
        keep=chosen.keep,
        only=chosen.fault,
        warm=chosen.warm,
    )
    _print(f"Seed {seed}, {chosen.db}, {campaign.lanes} worlds at a time, in {campaign.folder}")
    begun = time.monotonic()
    campaign.run(minutes=chosen.minutes, worlds=worlds)
    if campaign.broken:
        _print(campaign.stories())
    elif worlds is not None:
        _print("\n".join(line for told in campaign.told for line in told.story))
    _print(campaign.table())
    if chosen.warm:
        forked, started = (
            sum(each.supervisors.get(k, 0) for each in campaign.told) for k in ("forked", "started")
        )
        kills = sum("the launch server" in line for each in campaign.told for line in each.story)
        _print(
            f"{forked} supervisors were forked, {started} started; a launch server was killed {kills} times"
        )
    _print(f"{len(campaign.told)} worlds in {(time.monotonic() - begun) / 60:.1f} min, seed {seed}")
    campaign.close()
    return int(campaign.broken)


def _print(text: str) -> None:
    # What a world has met is not a text of ours: it may hold halves of letters.
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
