"""Folders of transformers and peft are starts of TRL's algorithms, agents, and scored (spec 7.8)."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from benches import Bench

import pipeline_widgets as pw
from pipeline_widgets.adoption import model_facets
from pipeline_widgets.trainers.trl import evaluation, letters, models

PATIENCE = 300  # seconds; a machine may be busy
#: Learns nothing, so that what is evaluated is what was taken over.
STILL: dict[str, Any] = {"steps": 1, "batch_size": 8, "learning_rate": 1e-12, "device": "cpu"}
EXACT = evaluation.exact_answers(letters.prompts(held_out=True))
pytestmark = pytest.mark.slow


class Theirs(NamedTuple):
    """What plain TRL has trained."""

    folder: Path
    #: The model that the chain has begun with.
    base: Path
    score: float


def learn(folder: Path, base: Path, **arguments: Any) -> Theirs:
    """Train on the letters by plain TRL, and save as its documentation does."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM

    library: Any = importlib.import_module("trl")
    tokenizer = models.load_tokenizer(base)
    trainer = library.SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(str(base), dtype="float32"),
        args=library.SFTConfig(
            output_dir=str(folder / "output"),
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            report_to=[],
            disable_tqdm=True,
            save_strategy="no",
            max_steps=80,
            per_device_train_batch_size=64,
            learning_rate=3e-3,
            seed=0,
        ),
        train_dataset=Dataset.from_list(letters.demonstrations(0.0)),
        processing_class=tokenizer,
        **arguments,
    )
    trainer.train()
    trainer.save_model(str(folder / "model"))
    score, _ = evaluation.score_with(EXACT, trainer.model, tokenizer)
    return Theirs(folder / "model", base, score)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The untrained base model, in a folder."""
    folder = tmp_path_factory.mktemp("base") / "tiny"
    letters.write_base(folder, seed=0)
    return folder


@pytest.fixture(scope="module")
def full(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Theirs:
    """A model of which all weights were trained."""
    return learn(tmp_path_factory.mktemp("full"), base)


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Theirs:
    """A LoRA adapter, which names its base by its path."""
    import peft

    lora = peft.LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    made = learn(tmp_path_factory.mktemp("adapter"), base, peft_config=lora)
    told = json.loads((made.folder / "adapter_config.json").read_text())
    assert told["base_model_name_or_path"] == str(base)
    assert not (made.folder / "config.json").exists()
    return made


def continue_from(
    bench: Bench, adopted: pw.Experiment, algorithm: str, config: dict[str, Any]
) -> pw.Pipeline:
    """Return a pipeline whose first stage starts from an agent of what was adopted."""
    number = len(bench.project.experiments)
    agent = bench.ws.create_agent(f"theirs {number}", adopted.checkpoints[-1])
    pipe = bench.project.create_pipeline(f"goes on {number}")
    experiment = bench.project.create_experiment(f"more {number}", algorithm=algorithm, config=config)
    pipe.add_experiment_stage(experiment, start=agent)
    return pipe


@pytest.mark.spec("7.2", "7.5", "7.8", "8.1")
@pytest.mark.parametrize("kind", ["full", "adapter"])
def test_a_folder_goes_on_from_its_score_through_sft_and_dpo_and_is_deployed(
    bench: Bench, kind: str, request: pytest.FixtureRequest
) -> None:
    """Two stages that learn nothing score what the library's model scores, and an agent answers."""
    theirs: Theirs = request.getfixturevalue(kind)
    adopted = bench.project.adopt(theirs.folder)
    config = {**STILL, "base_model": str(theirs.base)}
    pipe = continue_from(bench, adopted, "TRL SFT", config)
    second = bench.project.create_experiment("dpo", algorithm="TRL DPO", config={**config, "lora": 4})
    pipe.add_experiment_stage(second, trigger="auto")
    pipe.add_deployment_stage(f"answers {kind}", trigger="auto")
    pipe.stages[0].trigger()
    pipe.wait(PATIENCE)
    assert [stage.status for stage in pipe.stages] == ["Succeeded"] * 3
    assert theirs.score > 0.05
    for stage in pipe.stages[:2]:
        assert stage.run is not None
        assert stage.run.checkpoints[-1].evaluation_score == pytest.approx(theirs.score, abs=1e-3)
    agent = bench.ws.agents[f"answers {kind}"]
    assert len(str(agent.predict("dbca>"))) > 0
    agent.disconnect()


@pytest.mark.spec("7.5", "7.8")
def test_an_adapter_is_trained_on(bench: Bench, adapter: Theirs) -> None:
    """`adapter="continue"` goes on with its weights, its rank and its base, and its checkpoint is whole."""
    config = {**STILL, "base_model": str(adapter.base), "lora": 8, "adapter": "continue"}
    run = continue_from(bench, bench.project.adopt(adapter.folder), "TRL SFT", config).stages[0].trigger()
    assert run.wait(PATIENCE).status == "Succeeded", run.error
    saved = run.checkpoints[-1]
    assert saved.evaluation_score == pytest.approx(adapter.score, abs=1e-3)
    assert saved._value.signature["adapter"] == "continued"
    assert (saved.path / "model" / "model.safetensors").is_file()
    again, other = bench.project.adopt(adapter.folder, name="again"), {**config, "lora": 4}
    with pytest.raises(pw.PipelineError, match="its lora is 8, TRL SFT needs 4"):
        continue_from(bench, again, "TRL SFT", other)


@pw.evaluator("answers d", accepts={"lm"})
def answers(model: Any) -> float:
    """Return the share of the letters of an answer that are of the alphabet of the task."""
    said = str(model("dbca>"))
    return sum(letter in letters.LETTERS for letter in said) / max(len(said), 1)


@pytest.mark.spec("7.8", "7.9", "8.2")
@pytest.mark.parametrize("kind", ["full", "adapter"])
def test_an_evaluator_asks_what_was_adopted(bench: Bench, kind: str, request: pytest.FixtureRequest) -> None:
    """By the predictor of TRL's algorithms; an adapter is merged into its base for that."""
    adopted = bench.project.adopt(request.getfixturevalue(kind).folder)
    scores = bench.project.evaluate(answers, checkpoints=adopted.checkpoints).wait(PATIENCE)
    assert scores.status == "Succeeded", scores.error
    assert adopted.checkpoints[0].scores["answers d"] > 0.5


@pytest.mark.spec("7.7", "7.8")
def test_an_adapter_takes_no_other_base(bench: Bench, base: Path, tmp_path: Path) -> None:
    """The base is known by the digest of its weights: it may have moved, and may not have changed."""
    import peft

    own = tmp_path / "own"
    shutil.copytree(base, own, copy_function=shutil.copyfile)
    lora = peft.LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM")
    folder = tmp_path / "adapter"
    model = peft.get_peft_model(models.load_model(own), lora)
    model.save_pretrained(folder)
    adopted = bench.project.adopt(folder)
    signature = adopted.checkpoints[0]._value.signature
    assert signature["base_weights"] == model_facets.weights_digest(base)
    assert signature["base_model"] == "own"
    assert signature["tokenizer"] == model_facets.tokenizer_digest(base)
    (tmp_path / "moved").mkdir()
    moved = own.rename(tmp_path / "moved" / "own")
    config = {**STILL, "base_model": str(moved)}
    run = continue_from(bench, adopted, "TRL SFT", config).stages[0].trigger().wait(PATIENCE)
    assert run.status == "Succeeded", run.error
    letters.write_base(moved, seed=1)
    run = continue_from(bench, adopted, "TRL SFT", config).stages[0].trigger().wait(PATIENCE)
    assert run.status == "Failed"
    assert "The base of the adapter is not found" in (run.error or "")
    assert str(signature["base_weights"]) in (run.error or "")


@pytest.mark.spec("7.2", "7.8")
def test_another_tokenizer_is_refused_with_the_facet(bench: Bench, full: Theirs, tmp_path: Path) -> None:
    """Before a process is started: the adopted folder states the digests of tokenizer and template."""
    folder = tmp_path / "model"
    shutil.copytree(full.folder, folder, copy_function=shutil.copyfile)
    content = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = content["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    (folder / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(pw.PipelineError, match=r"its tokenizer is .*, TRL SFT needs"):
        continue_from(bench, bench.project.adopt(folder), "TRL SFT", STILL)


@pytest.mark.spec("7.8")
def test_a_folder_without_a_tokenizer_is_told(bench: Bench, full: Theirs, tmp_path: Path) -> None:
    """A Trainer that was given rows of ids saves none: the run says what to save where."""
    folder = tmp_path / "model"
    shutil.copytree(full.folder, folder, copy_function=shutil.copyfile)
    for file in (*folder.glob("tokenizer*"), folder / "chat_template.jinja"):
        file.unlink()
    config = {**STILL, "base_model": str(full.base)}
    run = (
        continue_from(bench, bench.project.adopt(folder), "TRL SFT", config)
        .stages[0]
        .trigger()
        .wait(PATIENCE)
    )
    assert run.status == "Failed"
    assert "tokenizer.save_pretrained(folder)" in (run.error or "")
