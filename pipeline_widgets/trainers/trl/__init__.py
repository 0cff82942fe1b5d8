"""TRL: SFT, reward models, DPO and GRPO of language models, in full or with LoRA.

Three ways in::

    from pipeline_widgets.trainers import trl

    project.create_experiment("sft", algorithm="TRL SFT")            # ready: see `trl.ready`
    mine = trl.algorithm("SFT", dataset=rows, evaluate=exact)        # one's own rows and functions
    model, tokenizer = trl.start(ctx, "path/of/base", lora=16)       # pieces for one's own train function
    trainer = SFTTrainer(model, ..., callbacks=[trl.Callback(ctx, evaluate=exact)])
    trainer.train(resume_from_checkpoint=trl.resume(ctx))

Importing this imports neither torch nor TRL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline_widgets.trainers.trl.factory import algorithm
from pipeline_widgets.trainers.trl.models import (
    TRAINING_ONLY,
    load_model,
    load_tokenizer,
    resume,
    save,
    start,
)
from pipeline_widgets.trainers.trl.ready import open_checkpoint

if TYPE_CHECKING:
    from pipeline_widgets.trainers.trl.callback import Callback

__all__ = [
    "TRAINING_ONLY",
    "Callback",
    "algorithm",
    "load_model",
    "load_tokenizer",
    "open_checkpoint",
    "resume",
    "save",
    "start",
]


def __getattr__(name: str) -> Any:
    if name == "Callback":
        from pipeline_widgets.trainers.trl.callback import Callback

        return Callback
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
