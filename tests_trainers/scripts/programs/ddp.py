"""A training script for `torchrun`: two processes, one model, gradients averaged between them."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from pipeline_widgets.client import run

parser = argparse.ArgumentParser()
parser.add_argument("--learning_rate", type=float, default=0.1)
parser.add_argument("--steps", type=int, default=50)
parser.add_argument("--pause", type=float, default=0.0)
parser.add_argument("--end", default="")
parser.add_argument("--pids", default="")
args = parser.parse_args()

dist.init_process_group("gloo")
if args.pids:
    Path(args.pids, f"{os.getpid()}.rank").touch()
torch.manual_seed(run.seed)
model = DistributedDataParallel(torch.nn.Linear(4, 1))
if run.start is not None:
    model.module.load_state_dict(torch.load(run.start.path / "model.pt", weights_only=True))
optimizer = torch.optim.SGD(model.parameters(), lr=args.learning_rate)
generator = torch.Generator().manual_seed(run.seed + run.rank)  # every rank has data of its own
truth = torch.tensor([1.0, -2.0, 3.0, 0.5])

for step in range(1, args.steps + 1):
    x = torch.randn(32, 4, generator=generator)
    loss = ((model(x).squeeze(1) - x @ truth) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    run.report(step, loss=loss, total=args.steps)
    time.sleep(args.pause)
    if args.end == "raise" and step == 5 and run.rank == 1:
        raise ValueError("rank 1 has had enough")

held_out = torch.randn(256, 4, generator=torch.Generator().manual_seed(99))
with torch.no_grad():
    error = ((model.module(held_out).squeeze(1) - held_out @ truth) ** 2).mean()
with run.checkpoint(args.steps) as folder:
    torch.save(model.module.state_dict(), folder / "model.pt")
run.report(args.steps, evaluation_score=error)
dist.destroy_process_group()
