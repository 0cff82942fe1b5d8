"""A training script with `transformers.Trainer`: a tiny classifier, and the run's callback."""

from __future__ import annotations

import argparse
import time

import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from pipeline_widgets.client import hf_callback, run

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=20)
parser.add_argument("--pause", type=float, default=0.0)
parser.add_argument("--save", default="steps")
args = parser.parse_args()


class Slow(TrainerCallback):  # pyright: ignore[reportUntypedBaseClass]  transformers is not installed there
    """Takes its time."""

    def on_step_end(self, *_: object, **__: object) -> None:
        """Sleep."""
        time.sleep(args.pause)


def rows(count: int, seed: int) -> list[dict[str, torch.Tensor]]:
    """Sequences of six numbers; the label tells whether the first is large."""
    generator = torch.Generator().manual_seed(seed)
    made = torch.randint(0, 20, (count, 6), generator=generator)
    return [{"input_ids": each, "labels": (each[0] >= 10).long()} for each in made]


config = BertConfig(
    vocab_size=20,
    hidden_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=32,
    num_labels=2,
)
torch.manual_seed(run.seed)
if run.start is not None:
    model = BertForSequenceClassification.from_pretrained(run.start.path)
else:
    model = BertForSequenceClassification(config)
settings = TrainingArguments(
    output_dir=str(run.folder / "trainer"),
    max_steps=args.steps,
    logging_steps=5,
    eval_strategy="steps",
    eval_steps=10,
    save_strategy=args.save,
    save_steps=10,
    save_total_limit=1,
    learning_rate=5e-3,
    per_device_train_batch_size=32,
    report_to=[],
    use_cpu=True,
    seed=run.seed,
    disable_tqdm=True,
)
callbacks = [hf_callback(), Slow()]
Trainer(model, settings, train_dataset=rows(640, 0), eval_dataset=rows(64, 1), callbacks=callbacks).train()
