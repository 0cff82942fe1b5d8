"""Train functions as users write them: each does one thing that a training may do."""

from __future__ import annotations

import pipeline_widgets as pw

ANY = [pw.Port("weights", {"thing"})]


def save(ctx: pw.TrainContext, step: int) -> None:
    """Save a checkpoint of one file."""
    with ctx.checkpoint(step) as folder:
        (folder / "x").write_text(str(step))


@pw.algorithm("Late", produces={"thing"}, accepts=ANY)
def late(ctx: pw.TrainContext) -> None:
    """Save twice, and evaluate afterwards; a score that was reported by mistake is corrected."""
    save(ctx, 5)
    ctx.report(5, evaluation_score=100.0)
    save(ctx, 10)
    ctx.report(10, total=10, evaluation_score=0.1)
    ctx.report(5, evaluation_score=0.9)
