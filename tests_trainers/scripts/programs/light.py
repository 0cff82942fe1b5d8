"""A training script with Lightning, and the run's callback."""

from __future__ import annotations

import argparse
import time
from typing import Any

import lightning
import torch

from pipeline_widgets.client import lightning_callback, run

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--pause", type=float, default=0.0)
args = parser.parse_args()


class Model(lightning.LightningModule):  # pyright: ignore[reportUntypedBaseClass]  not installed there
    """A line through four numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.net = torch.nn.Linear(4, 1)

    def training_step(self, batch: Any, _: int) -> Any:
        """Return the loss of a batch."""
        time.sleep(args.pause)
        return self._loss("train_loss", batch)

    def validation_step(self, batch: Any, _: int) -> None:
        """Log the loss of a batch."""
        self._loss("val_loss", batch)

    def configure_optimizers(self) -> Any:
        """Return the optimizer."""
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def _loss(self, name: str, batch: Any) -> Any:
        x, y = batch
        loss = ((self.net(x) - y) ** 2).mean()
        self.log(name, loss)
        return loss


lightning.seed_everything(run.seed)
x = torch.randn(256, 4)
data = torch.utils.data.TensorDataset(x, x.sum(1, keepdim=True))
loader = torch.utils.data.DataLoader(data, batch_size=32)
trainer = lightning.Trainer(
    max_epochs=args.epochs,
    log_every_n_steps=4,
    accelerator="cpu",
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    default_root_dir=run.folder,
    callbacks=[lightning_callback()],
)
trainer.fit(Model(), loader, loader)
