"""Train SFT -> DPO -> GRPO with TRL on "sort four letters", and print the exact answers of every stage.

    .venv/trainers/bin/python benchmarks/trl_letters.py --seeds 0 1 2

Needs the extra `trl`; a chain takes about 20 s on one core. The exit code is 1 where a score does not rise.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a tiny model: threads would mostly wait for each other
os.environ.setdefault("HF_HUB_OFFLINE", "1")
warnings.filterwarnings("ignore", category=FutureWarning)

from pipeline_widgets.algorithms.algorithm import Algorithm  # noqa: E402  after the settings
from pipeline_widgets.algorithms.context import SavedCheckpoint, Start, TrainContext  # noqa: E402
from pipeline_widgets.algorithms.text_predictor import SamplingSettings  # noqa: E402
from pipeline_widgets.trainers.trl import letters, ready  # noqa: E402

STAGES = (ready.sft, ready.dpo, ready.grpo)
RANK = 16


def train(algorithm: Algorithm, folder: Path, seed: int, start: Start | None, lora: int) -> SavedCheckpoint:
    """Train a stage, and return its best checkpoint."""
    config = algorithm.validate({"lora": lora})
    saved: dict[int, SavedCheckpoint] = {}

    def keep(event: object) -> None:
        if isinstance(event, SavedCheckpoint):
            saved[event.step] = event

    ctx = TrainContext(
        config=config,
        seed=seed,
        folder=folder,
        start=start,
        emit=keep,
        signature=algorithm.signature_of(config),
        evaluator=algorithm.evaluator_of(config),
    )
    ctx.log = lambda *_: None  # type: ignore[method-assign]  the table is all that is printed
    algorithm.train(ctx)
    return max(saved.values(), key=lambda one: (one.evaluation_score or 0.0, one.step))


def greedy(checkpoint: SavedCheckpoint) -> float:
    """Return the share of held-out prompts that the agent of a checkpoint answers exactly when greedy."""
    agent = ready.open_checkpoint(checkpoint.folder.path)
    settings = SamplingSettings(temperature=0.0, max_tokens=8)
    rows = letters.prompts(held_out=True)
    right = [agent.complete(agent.render_chat(row["prompt"]), settings).text == row["answer"] for row in rows]
    return sum(right) / len(right)


def chain(seed: int, lora: int) -> bool:
    """Train a chain, print its row, and return whether the score rose at each stage."""
    scores: list[float] = []
    greedily: list[float] = []
    start: Start | None = None
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for algorithm in STAGES:
            best = train(algorithm, Path(folder) / algorithm.spec.name, seed, start, lora)
            scores.append(best.evaluation_score or 0.0)
            greedily.append(greedy(best))
            start = Start(
                path=best.folder.path,
                role=algorithm.spec.accepts[0].role,
                step=best.step,
                evaluation_score=best.evaluation_score,
                evaluation_spread=best.evaluation_spread,
                signature=best.signature,
            )
    rises = scores == sorted(set(scores))
    row = "  ".join(f"{one:.3f} ({other:.2f})" for one, other in zip(scores, greedily, strict=True))
    name = f"LoRA {lora}" if lora else "full"
    seconds = time.perf_counter() - began
    print(f"{name:8} {seed:4}  {row}  {'rises' if rises else 'DOES NOT RISE'}  {seconds:5.1f} s")
    sys.stdout.flush()
    return rises


def main() -> int:
    """Train what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    seeds: list[int] = parser.parse_args().seeds
    asked = len(letters.prompts(held_out=True))
    print(f"Exact answers to {asked} held-out prompts: expected when sampled (greedily)")
    print(f"{'':8} seed  {'SFT':12}  {'DPO':12}  {'GRPO':12}")
    rising = [chain(seed, lora) for lora in (0, RANK) for seed in seeds]
    return 0 if all(rising) else 1


if __name__ == "__main__":
    sys.exit(main())
