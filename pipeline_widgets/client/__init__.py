"""Report from a training script that a run has started as a program of its own.

`accelerate launch`, `torchrun`, or `subprocess.run([sys.executable, "train.py"])` in a train function: the
environment names the run, and the script does what a train function does with its context::

    from pipeline_widgets.client import run

    for step in range(1, 101):
        loss = ...
        run.report(step, {"loss": loss}, total=100)
    run.report(100, evaluation_score=accuracy)
    with run.checkpoint(100) as folder:
        torch.save(model.state_dict(), folder / "model.pt")

The same script works outside of any run: reports are printed, and checkpoints are kept below the folder
`run`. Where a launcher starts the script several times, only rank 0 reports and saves. Importing this needs
nothing but the standard library.
"""

from __future__ import annotations

from pipeline_widgets.client.callbacks import hf_callback, lightning_callback
from pipeline_widgets.client.script_run import ScriptRun, run
from pipeline_widgets.domain.training import Start, StopTraining

__all__ = ["ScriptRun", "Start", "StopTraining", "hf_callback", "lightning_callback", "run"]
