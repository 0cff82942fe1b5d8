"""An algorithm that does nothing but leave the smallest checkpoint: what is left is overhead."""

import pipeline_widgets as pw


@pw.algorithm("No-op", produces={"nothing"}, accepts=[pw.Port("weights", {"nothing"})])
def noop(ctx: pw.TrainContext) -> None:
    """Save one file, which the next stage starts from."""
    with ctx.checkpoint(1) as folder:
        (folder / "file").write_bytes(b"0")
