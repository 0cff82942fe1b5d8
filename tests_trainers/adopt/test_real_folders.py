"""What the libraries themselves leave is adopted (spec 7.8)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from benches import Bench
from pydantic import BaseModel

import pipeline_widgets as pw

HF = Path(__file__).parents[1] / "scripts" / "programs" / "hf.py"
pytestmark = pytest.mark.slow


class Steps(BaseModel):
    """The options of the script that goes on."""

    steps: int = 10


def values(run: pw.Run, name: str) -> list[float]:
    """Return the values of a metric, by step."""
    told = run.metrics
    return told.loc[told["metric"] == name, "value"].tolist()


@pytest.mark.spec("7.8")
def test_the_output_of_a_trainer_is_adopted_and_a_first_stage_goes_on_from_it(
    bench: Bench, tmp_path: Path
) -> None:
    """What transformers.Trainer has saved outside of any run is a start that begins with its loss."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PIPELINE_WIDGETS_RUN")
    }
    command = [sys.executable, str(HF), "--steps", "30"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    (output,) = tmp_path.rglob("trainer")
    adopted = bench.project.adopt(output, name="theirs")
    (last,) = adopted.checkpoints  # save_total_limit=1
    assert last.step == 30
    assert last.path == output / "checkpoint-30"
    assert last.evaluation_score is not None
    losses = values(adopted.runs[0], "eval_loss")
    assert losses[-1] < losses[0]
    goes_on = pw.script(
        HF,
        name="goes on",
        produces="model",
        accepts=[pw.Port("weights", {"model"})],
        score="min",
        config=Steps,
    )
    agent = bench.ws.create_agent("theirs", last)
    pipe = bench.project.create_pipeline("continued")
    pipe.add_experiment_stage(bench.project.create_experiment("more", algorithm=goes_on), start=agent)
    run = pipe.stages[0].trigger().wait(120)
    assert run.status == "Succeeded", run.error
    assert values(run, "eval_loss")[-1] < losses[0]


@pytest.mark.spec("7.8")
def test_a_folder_of_eval_callback_is_adopted(bench: Bench, tmp_path: Path) -> None:
    """Stable-Baselines3's own files: the best model with its evaluation, spaces and statistics."""
    import gymnasium
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import EvalCallback
    from stable_baselines3.common.monitor import Monitor
    from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

    def make() -> Any:
        return Monitor(gymnasium.make("CartPole-v1"))

    env = VecNormalize(DummyVecEnv([make]))
    watching = VecNormalize(DummyVecEnv([make]), training=False)
    folder = tmp_path / "CartPole-v1_1"
    callback = EvalCallback(
        watching, best_model_save_path=str(folder), log_path=str(folder), eval_freq=512, verbose=0
    )
    PPO("MlpPolicy", env, n_steps=256, seed=0, device="cpu").learn(1024, callback)
    env.save(str(folder / "vecnormalize.pkl"))
    adopted = bench.project.adopt(folder)
    (best,) = adopted.checkpoints
    assert best.step in {512, 1024}
    assert best.evaluation_score == max(values(adopted.runs[0], "evaluation_score"))
    signature = best._value.signature
    assert signature["observation"] == "Box(4) float32"
    assert signature["action"] == "Discrete(2)"
    assert signature["statistics"] == "VecNormalize"
    copied = bench.project.adopt(folder, name="copied", copy=True).checkpoints[0]
    assert PPO.load(copied.path / "model.zip", device="cpu").num_timesteps > 0
    assert (copied.path / "vecnormalize.pkl").read_bytes() == (folder / "vecnormalize.pkl").read_bytes()


@pytest.mark.spec("7.8")
def test_event_files_of_torch_are_adopted(bench: Bench, tmp_path: Path) -> None:
    """Every scalar of every folder, by TensorBoard's own reader."""
    from torch.utils.tensorboard import SummaryWriter

    for name in ("", "eval"):
        with SummaryWriter(str(tmp_path / "runs" / name)) as writer:
            for step in range(3):
                writer.add_scalar("loss", 1.0 / (step + 1), step)
    run = bench.project.adopt(tmp_path / "runs").runs[0]
    assert values(run, "loss") == pytest.approx([1.0, 0.5, 1 / 3])
    assert values(run, "eval/loss") == pytest.approx([1.0, 0.5, 1 / 3])


@pytest.mark.spec("7.8")
def test_a_database_of_trackio_is_adopted(bench: Bench, tmp_path: Path) -> None:
    """What `trackio.log` has written, in the file where it keeps a project."""
    code = """
import trackio
trackio.init(project="letters", name="first", embed=False)
for step in range(3):
    trackio.log({"loss": 1.0 - step / 4}, step=step)
trackio.finish()
"""
    environment = {**os.environ, "TRACKIO_DIR": str(tmp_path / "trackio")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "trackio").glob("letters*.db")
    run = bench.project.adopt(shutil.copy(file, tmp_path / "letters.db")).runs[0]
    assert values(run, "loss") == [1.0, 0.75, 0.5]
