"""SFT -> DPO -> GRPO on the letters, by one evaluator for all stages (spec 7.9), with real processes."""

from __future__ import annotations

from pathlib import Path

import pytest

import pipeline_widgets as pw
from pipeline_widgets.algorithms import registry
from pipeline_widgets.trainers.numpy import letters
from pipeline_widgets.trainers.numpy.exact_answers import exact_answers

pytestmark = [pytest.mark.spec("7.9"), pytest.mark.slow]

STAGES = {"SFT": {"steps": 300}, "DPO": {"steps": 40}, "GRPO": {"steps": 20}}


def in_order(prompt: str) -> str:
    """Answer as a perfect model does."""
    return "".join(sorted(as_it_came(prompt)))


def as_it_came(prompt: str) -> str:
    """Answer with the letters as they came."""
    return prompt.removesuffix(letters.END)


def test_it_knows_the_right_answers() -> None:
    """Who sorts scores 1, who copies scores what is sorted already, and who repeats all scores 0."""
    assert exact_answers(in_order).score == 1.0
    assert exact_answers(str).score == 0.0  # it says the whole prompt
    texts = [letters.decode(tokens).removesuffix(letters.END) for tokens in letters.prompts().held_out]
    ready = sum(text == "".join(sorted(text)) for text in texts)
    assert exact_answers(as_it_came).score == ready / len(texts)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_chain_rises_on_one_axis(tmp_path: Path, seed: int) -> None:
    """Each stage starts from the best by "exact answers", and its best is better than the one before."""
    ws = pw.Workspace(tmp_path / "lab.db")
    project = ws.create_project("Letters", advanced_training=True)
    pipe = project.create_pipeline("chain")
    pipe.score_by("exact answers")
    for name, config in STAGES.items():
        experiment = project.create_experiment(name.lower(), algorithm=name, config=config, seed=seed)
        trigger, gate = ("auto", 0.3) if len(pipe.stages) else ("manual", None)
        pipe.add_experiment_stage(experiment, trigger=trigger, gate=gate)
    pipe.stages[0].trigger()
    pipe.wait(240)

    runs = [stage.runs[0] for stage in pipe.stages]
    assert [run.status for run in runs] == ["Succeeded"] * 3, [run.error for run in runs]
    best = project.compare().runs["score by exact answers"].tolist()
    assert best[0] < best[1] < best[2]
    for before, run, score in zip(runs, runs[1:], best, strict=False):
        start = run.start_checkpoint
        assert start is not None
        assert start.run == before
        assert start.scores == {"exact answers": score}
    last = runs[2].checkpoints[-1]
    answer = registry.find("GRPO").predict
    assert answer is not None
    assert last.scores["exact answers"] == exact_answers(answer(last.path)).score  # as anybody measures it
    ws.close()
