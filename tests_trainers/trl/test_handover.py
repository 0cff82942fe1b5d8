"""Wrong handovers are caught, by the files or by the score; right ones never are."""

from __future__ import annotations

import shutil
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline_widgets.errors import CheckpointError, HandoverError
from pipeline_widgets.trainers import trl as adapter
from pipeline_widgets.trainers.trl import evaluation, letters, models, ready
from tests_trainers.trl import runs, sabotage

if TYPE_CHECKING:
    from tests_trainers.trl.runs import Run

pytestmark = pytest.mark.spec("7.6")
EXACT = evaluation.exact_answers(letters.prompts(held_out=True))
GOOD = 60


@pytest.fixture(scope="module")
def other(place: Path) -> Run:
    """The same stage of another seed, which scores about the same."""
    return runs.train(ready.sft, place, seed=1, steps=30, lora=16)


@pytest.mark.parametrize("name", sabotage.OF_FILES)
def test_files_that_are_not_those_that_were_saved_are_refused_with_the_facet_named(
    name: str, dpo_lora: Run, other: Run, tmp_path: Path
) -> None:
    """A run ends before it trains, whatever was exchanged in the folder."""
    damage, facet = sabotage.OF_FILES[name]
    copy = tmp_path / "copy"
    shutil.copytree(dpo_lora.final.folder.path, copy, copy_function=shutil.copyfile)
    damage(copy, other.final.folder.path)
    ctx, run = runs.context(
        tmp_path, ready.grpo, start=runs.start_from(dpo_lora.final, "init+reference", copy), steps=2
    )
    with pytest.raises(CheckpointError, match=f"another {facet}"):
        ready.grpo.train(ctx)
    assert run.events == []


@pytest.mark.parametrize("name", sabotage.OF_LOADED)
def test_what_was_loaded_wrongly_is_caught_by_its_score(
    name: str, dpo_lora: Run, other: Run, tmp_path: Path, plain: dict[str, Any]
) -> None:
    """A train function that loads by itself is told both numbers before its first step."""
    from datasets import Dataset

    trl: Any = import_module("trl")
    saved, checkpoint = dpo_lora.final, dpo_lora.final.folder.path
    ctx, run = runs.context(tmp_path, ready.sft, start=runs.start_from(saved))
    model, tokenizer = models.load_model(dpo_lora.model), models.load_tokenizer(dpo_lora.model)
    model, tokenizer = sabotage.OF_LOADED[name](model, tokenizer, checkpoint, other.final.folder.path)
    trainer = trl.SFTTrainer(
        model,
        args=trl.SFTConfig(**plain),
        train_dataset=Dataset.from_list(letters.demonstrations(0.5)[:64]),
        processing_class=tokenizer,
        callbacks=[adapter.Callback(ctx, evaluate=EXACT)],
    )
    with pytest.raises(HandoverError) as caught:
        trainer.train()
    assert f"was saved with {saved.evaluation_score:.4g}" in str(caught.value)
    assert run.checkpoints == []


def test_of_sixty_right_handovers_none_is_held(dpo_lora: Run, sft: Run, tmp_path: Path) -> None:
    """Full and with an adapter, started and resumed, from any checkpoint: the score is what was saved."""
    saved = [*sft.checkpoints, *dpo_lora.checkpoints]
    held = 0
    for index in range(GOOD):
        one = saved[index % len(saved)]
        role = ("weights", "resume")[index // len(saved) % 2]
        ctx, _ = runs.context(tmp_path, ready.sft, seed=index, start=runs.start_from(one, role))
        model, tokenizer = adapter.start(ctx, lora=(0, 4, 16)[index % 3] if role == "weights" else 0)
        if role == "resume":  # what the trainer brings
            model = models.load_model(one.folder.path / "model")
        score, spread = evaluation.score_with(EXACT, model, tokenizer)
        assert ctx.can_check_handover
        try:
            ctx.check_handover(score, spread)
        except HandoverError:
            held += 1
    assert held == 0
