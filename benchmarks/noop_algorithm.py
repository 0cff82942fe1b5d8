"""An algorithm that does nothing but leave the smallest checkpoint: what is left is overhead."""

from pydantic import BaseModel

import pipeline_widgets as pw


class NoConfig(BaseModel):
    """Nothing to configure."""


@pw.algorithm("No-op", produces={"nothing"}, accepts=[pw.Port("weights", {"nothing"})], config=NoConfig)
def noop(ctx: pw.TrainContext) -> None:
    """Save one file."""
    with ctx.checkpoint(1) as folder:
        (folder / "file").write_bytes(b"0")


@pw.algorithm("Bare no-op", produces={"nothing"}, accepts=[pw.Port("weights", {"any"})], config=NoConfig)
def bare(_ctx: pw.TrainContext) -> None:
    """Do nothing at all."""
