"""What goes wrong in chains by hand: the plain recipe with the library's own calls, and what ours does.

Named after the rows of the reports: repository#number.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline_widgets.adoption import model_facets
from pipeline_widgets.algorithms.algorithm import Algorithm
from pipeline_widgets.domain.compatibility import assess_compatibility
from pipeline_widgets.errors import CheckpointError, ConfigError
from pipeline_widgets.trainers import trl as adapter
from pipeline_widgets.trainers.trl import evaluation, letters, models, ready, training
from tests_trainers.trl import runs

if TYPE_CHECKING:
    from tests_trainers.trl.runs import Run

pytestmark = pytest.mark.spec("7.5")
HELD_OUT = letters.prompts(held_out=True)
EXACT = evaluation.exact_answers(HELD_OUT)


def score(model: Any, tokenizer: Any) -> float:
    """Return the share of exact answers that is expected."""
    return evaluation.score_with(EXACT, model, tokenizer)[0]


def trainer(method: str, model: Any, plain: dict[str, Any], rows: list[Any], **special: Any) -> Any:
    """Return a trainer as the documentation of TRL makes it."""
    import trl
    from datasets import Dataset

    special.setdefault("processing_class", letters.make_tokenizer())
    arguments = getattr(trl, f"{method}Config")(**plain)
    return getattr(trl, f"{method}Trainer")(
        model=model, args=arguments, train_dataset=Dataset.from_list(rows), **special
    )


def test_trap_trl_1_adapter_on_adapter_trl742_trl652_llamafactory8974(
    sft_lora: Run, plain: dict[str, Any], tmp_path: Path
) -> None:
    """The plain recipe loses the SFT adapter under the new one; ours merges it, or trains it on."""
    import peft
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(sft_lora.final.folder.path / "reference")
    saved = peft.PeftModel.from_pretrained(model, str(sft_lora.final.folder.path / "trainer"))
    tokenizer = letters.make_tokenizer()
    learned = score(saved, tokenizer)
    saved.peft_config["default"].base_model_name_or_path = str(sft_lora.final.folder.path / "reference")
    saved.save_pretrained(tmp_path / "sft")  # what SFTTrainer.save_model leaves: an adapter and a path
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "sft")
    lora = peft.LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
    lost = trainer("DPO", again, plain, list(letters.preferences()), peft_config=lora)
    assert learned > 0.3
    assert score(lost.model, tokenizer) < 0.05

    merged, tokenizer = adapter.start(
        runs.context(tmp_path, start=runs.start_from(sft_lora.final))[0], lora=4
    )
    assert score(merged, tokenizer) == pytest.approx(learned, abs=1e-4)
    ctx = runs.context(tmp_path, start=runs.start_from(sft_lora.final))[0]
    continued, tokenizer = adapter.start(ctx, lora=16, adapter="continue")
    assert score(continued, tokenizer) == pytest.approx(learned, abs=1e-4)
    kept = {"steps": 2, "batch_size": 4, "lora": 16, "start": runs.start_from(sft_lora.final)}
    recorded = [
        runs.train(ready.dpo, tmp_path, **kept, adapter=way).final.signature["adapter"]
        for way in ("merge", "continue")
    ]
    assert recorded == ["new on the merged start", "continued"]


def test_trap_trl_2_wrong_kl_anchor_trl3194_msswift9934(
    base: Path, sft: Run, plain: dict[str, Any], tmp_path: Path
) -> None:
    """The plain reference is what `_name_or_path` names, here the untrained base; ours is the start."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base)
    model.load_state_dict(runs.weights(sft.model))  # trained in this process, and handed on
    tokenizer = letters.make_tokenizer()
    wrong = trainer("DPO", model, plain, list(letters.preferences()))
    assert score(wrong.model, tokenizer) > 0.3
    assert score(wrong.ref_model, tokenizer) < 0.05

    stages: tuple[tuple[training.Method, Algorithm], ...] = (("DPO", ready.dpo), ("GRPO", ready.grpo))
    for method, algorithm in stages:
        start = runs.start_from(sft.final, "init+reference")
        run = runs.train(algorithm, tmp_path, start=start, steps=2, batch_size=8)
        assert run.final.signature["reference"] == model_facets.weights_digest(sft.model)
        ctx, _ = runs.context(tmp_path, algorithm, start=runs.start_from(run.final, "resume"), steps=4)
        model, tokenizer = adapter.start(ctx)
        data = training.read_data(method, ctx.config, 0)
        made = training.make_trainer(ctx, method, data, model, tokenizer, adapter.Callback(ctx))
        # also in a run that is resumed, whose own weights are others by now
        assert runs.furthest(dict(made.ref_model.state_dict()), runs.weights(sft.model)) == 0.0
        assert runs.furthest(runs.weights(run.model), runs.weights(sft.model)) > 0.0


def test_trap_trl_3_eos_pad_and_chat_template_drift_transformers48016_trl2059_trl3299_openr1_663(
    sft: Run, base: Path, tmp_path: Path
) -> None:
    """The plain collator never teaches to stop where pad is EOS, and nothing tells of another template."""
    from transformers import AutoTokenizer, DataCollatorForLanguageModeling

    tokenizer = letters.make_tokenizer()
    tokenizer.pad_token = tokenizer.eos_token
    collate = DataCollatorForLanguageModeling(tokenizer, mlm=False)
    labels = collate([{"input_ids": [4, 5, tokenizer.eos_token_id]}])["labels"]
    assert tokenizer.eos_token_id not in labels
    model = models.load_model(sft.model)
    drifted = AutoTokenizer.from_pretrained(base)
    drifted.chat_template = letters.CHAT_TEMPLATE.replace("'>'", "'e>'")
    assert score(model, drifted) < score(model, letters.make_tokenizer()) - 0.1  # and no error

    other = tmp_path / "other"
    shutil.copytree(base, other, copy_function=shutil.copyfile)
    AutoTokenizer.from_pretrained(base, pad_token="<eos>").save_pretrained(other)
    ctx, _ = runs.context(tmp_path)
    with pytest.raises(ConfigError, match="pads with the token that ends an answer") as refused:
        adapter.start(ctx, other)
    assert "would not learn to stop" in str(refused.value)
    assert adapter.start(ctx, other, pad_token="<pad>")[1].pad_token == "<pad>"
    drifted.save_pretrained(other)
    wanted = ready.dpo.signature_of(ready.dpo.validate({"base_model": str(other)}))
    fit = assess_compatibility(
        ready.sft.spec, sft.final.signature, ready.dpo.spec, {**wanted, "base_model": "letters"}
    )
    assert not fit
    assert "its chat_template is" in fit.reason


def test_trap_trl_4_resume_confused_with_start_tinker446_verl2767_trl3179_openr1_450(
    base: Path, plain: dict[str, Any], tmp_path: Path
) -> None:
    """A second stage by `resume_from_checkpoint` trains nothing; ours are two roles, and both work."""
    rows = list(letters.demonstrations(0.5))
    saving = {**plain, "save_strategy": "steps", "save_steps": 4}
    trainer("SFT", str(base), saving, rows).train()
    second = trainer("SFT", str(base), saving, rows)
    second.train(resume_from_checkpoint=f"{plain['output_dir']}/checkpoint-4")
    before = runs.weights(Path(plain["output_dir"]) / "checkpoint-4")
    assert runs.furthest(before, dict(second.model.state_dict())) == 0.0

    short = {"steps": 8, "evaluate_every": 4, "batch_size": 16}
    whole = runs.train(ready.sft, tmp_path, **short)
    middle = whole.checkpoints[0]
    assert middle.step == 4
    resumed = runs.train(ready.sft, tmp_path, start=runs.start_from(middle, "resume"), **short)
    assert runs.furthest(runs.weights(resumed.model), runs.weights(whole.model)) == 0.0
    started = runs.train(ready.sft, tmp_path, start=runs.start_from(middle), **short)
    assert [saved.step for saved in started.checkpoints] == [4, 8]
    assert runs.furthest(runs.weights(started.model), runs.weights(whole.model)) > 0.0

    ctx, _ = runs.context(tmp_path, start=runs.start_from(middle, "resume"))
    model, tokenizer = adapter.start(ctx)
    forgotten = trainer(
        "SFT", model, plain, rows, processing_class=tokenizer, callbacks=[adapter.Callback(ctx)]
    )
    with pytest.raises(CheckpointError, match="would start over"):
        forgotten.train()


def test_trap_trl_5_best_model_with_peft_transformers24103_transformers36201(
    sft_lora: Run, plain: dict[str, Any], tmp_path: Path
) -> None:
    """The library's best is that of the least loss; ours has the best answers, and scores what was said."""
    import peft
    from datasets import Dataset

    ctx, run = runs.context(tmp_path, ready.sft, start=runs.start_from(sft_lora.checkpoints[0]))
    model, tokenizer = adapter.start(ctx, lora=4)
    held_out = [
        {"prompt": row["prompt"], "completion": [{"role": "assistant", "content": row["answer"]}]}
        for row in HELD_OUT
    ]
    wanted = {
        **plain, "save_strategy": "steps", "save_steps": 2, "eval_strategy": "steps", "eval_steps": 2,
        "load_best_model_at_end": True, "metric_for_best_model": "eval_loss", "greater_is_better": True,
    }  # fmt: skip
    calls = {"eval_dataset": Dataset.from_list(held_out), "processing_class": tokenizer}
    other = peft.get_peft_model(
        models.load_model(sft_lora.model), peft.LoraConfig(r=4, task_type="CAUSAL_LM")
    )
    recipe = trainer("SFT", other, wanted, list(letters.demonstrations(0.5)), **calls)
    recipe.train()
    # a metric named the wrong way round is believed: what is loaded is the worst
    losses = [entry["eval_loss"] for entry in recipe.state.log_history if "eval_loss" in entry]
    assert recipe.evaluate()["eval_loss"] == pytest.approx(max(losses), rel=1e-4)

    callback = adapter.Callback(ctx, evaluate=EXACT, every=2)
    ours = trainer("SFT", model, wanted, list(letters.demonstrations(0.5)), callbacks=[callback], **calls)
    ours.train()
    assert not ours.args.load_best_model_at_end
    assert [saved.step for saved in run.checkpoints] == [2, 4]
    scores = [saved.evaluation_score for saved in run.checkpoints]
    assert run.best.evaluation_score == max(each for each in scores if each is not None)
    opened = models.load_model(run.best.folder.path / "model")
    assert score(opened, tokenizer) == pytest.approx(run.best.evaluation_score, abs=1e-5)


def test_trap_trl_6_data_cursor_lost_nemorl3599(sft: Run, plain: dict[str, Any], tmp_path: Path) -> None:
    """Trained on from weights, GRPO asks the first prompts again; resumed, it asks those that come next."""
    asked: list[str] = []

    def reward(prompts: Any, completions: Any, answer: Any, **_: Any) -> list[float]:
        asked.extend(prompt[0]["content"] for prompt in prompts)
        return letters.exact_reward(completions, answer)

    def take() -> list[str]:
        taken = list(asked)
        asked.clear()
        return taken

    rows = list(letters.prompts(held_out=False))
    few = {**plain, "num_generations": 4, "max_completion_length": 6, "max_steps": 2}
    plainly = trainer("GRPO", str(sft.model), few, rows, reward_funcs=[reward])
    plainly.train()
    first = take()
    trainer("GRPO", plainly.model, few, rows, reward_funcs=[reward]).train()
    assert take() == first

    data = training.Data(rows=list(rows), evaluate=EXACT, reward_functions=(reward,))
    short: dict[str, Any] = {"steps": 4, "evaluate_every": 2, "batch_size": 16, "num_generations": 4}
    ctx, whole = runs.context(tmp_path, ready.grpo, start=runs.start_from(sft.final), **short)
    training.train(ctx, "GRPO", data)
    order = take()
    ctx, resumed = runs.context(
        tmp_path, ready.grpo, start=runs.start_from(whole.checkpoints[0], "resume"), **short
    )
    training.train(ctx, "GRPO", data)
    assert take() == order[len(order) // 2 :]
    assert not set(order[: len(order) // 2]) & set(order[len(order) // 2 :])
    assert runs.furthest(runs.weights(resumed.model), runs.weights(whole.model)) == 0.0


def test_trap_trl_7_new_reward_head_and_pad_none_openrlhf643_trl5813(sft: Run, tmp_path: Path) -> None:
    """A language model loads as a reward model with a random head; ours ends the run, unless asked for."""
    import torch
    from transformers import AutoModelForSequenceClassification

    heads = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        silent = AutoModelForSequenceClassification.from_pretrained(sft.model, num_labels=1)
        heads.append(silent.score.weight)
    assert not torch.equal(*heads)
    silent.config.pad_token_id = None
    with pytest.raises(ValueError, match="pad"):
        silent(input_ids=torch.tensor([[3, 4], [4, 5]]))

    with pytest.raises(CheckpointError, match=r"no weights for score\.weight"):
        runs.train(
            ready.grpo, tmp_path, start=runs.start_from(sft.final), reward_model=str(sft.final.folder.path)
        )
    made = runs.train(ready.reward, tmp_path, start=runs.start_from(sft.final, "backbone"), steps=30)
    assert made.final.evaluation_score is not None
    assert made.final.evaluation_score > 0.9
    opened = ready.open_reward_model(made.final.folder.path)
    prompt = [{"role": "user", "content": "dbca"}]
    good, bad = opened([{"prompt": prompt, "completion": text} for text in ("abcd", "dbca")])
    assert good > bad
    rewarded = runs.train(
        ready.grpo, tmp_path, start=runs.start_from(sft.final), reward_model=str(made.final.folder.path),
        steps=2, batch_size=8,
    )  # fmt: skip
    assert rewarded.final.step == 2


def test_trap_trl_8_a_lora_checkpoint_names_its_base_by_absolute_path(sft_lora: Run, tmp_path: Path) -> None:
    """Moved to where its base is not, a plain checkpoint does not open; ours has all that it needs."""
    import peft
    from transformers import AutoModelForCausalLM

    base = tmp_path / "base"
    letters.write_base(base, seed=0)
    model = AutoModelForCausalLM.from_pretrained(base)
    lora = peft.LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
    peft.get_peft_model(model, lora).save_pretrained(tmp_path / "plain")
    base.rename(tmp_path / "moved")
    with pytest.raises((OSError, ValueError)):
        AutoModelForCausalLM.from_pretrained(tmp_path / "plain")

    moved = tmp_path / "elsewhere"
    shutil.copytree(sft_lora.final.folder.path, moved, ignore=shutil.ignore_patterns("trainer", "reference"))
    assert sft_lora.final.signature["lora"] == 16
    assert not list(moved.rglob("adapter_config.json"))
    opened: Any = ready.open_checkpoint(moved)
    assert score(opened._model, opened._tokenizer) == pytest.approx(sft_lora.final.evaluation_score, abs=1e-5)


def test_trap_trl_9_output_dir_beside_our_checkpoint(
    base: Path, plain: dict[str, Any], tmp_path: Path
) -> None:
    """The plain `output_dir` keeps a second whole copy; with the callback there is ours, and nothing else."""
    rows = list(letters.demonstrations(0.5))
    saving = {**plain, "save_strategy": "steps", "save_steps": 2}
    trainer("SFT", str(base), saving, rows).train()
    copies = sorted(file.parent.name for file in Path(plain["output_dir"]).rglob("*.safetensors"))
    assert copies == ["checkpoint-2", "checkpoint-4"]

    ctx, run = runs.context(tmp_path)
    model, tokenizer = adapter.start(ctx, base)
    mine = tmp_path / "mine"
    callback = adapter.Callback(ctx, every=2)
    chosen = {**saving, "output_dir": str(mine)}
    trainer("SFT", model, chosen, rows, processing_class=tokenizer, callbacks=[callback]).train()
    assert [saved.step for saved in run.checkpoints] == [2, 4]
    assert not mine.exists()
    found = {file.relative_to(run.folder).parts[0] for file in run.folder.rglob("*") if file.is_file()}
    assert found == {"checkpoints"}


def test_trap_trl_10_checkpoints_are_pickles(
    base: Path, plain: dict[str, Any], sft: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain checkpoint has a file that runs code when opened; ours has none, and needs no pickle."""
    import pickle

    import torch

    saving = {**plain, "save_strategy": "steps", "save_steps": 4}
    trainer("SFT", str(base), saving, list(letters.demonstrations(0.5))).train()
    recipe = Path(plain["output_dir"]) / "checkpoint-4" / "training_args.bin"
    with pytest.raises(Exception, match="weights_only"):  # it takes unpickling any class
        torch.load(recipe, weights_only=True)

    folder = sft.final.folder.path
    assert not list(folder.rglob("training_args.bin"))
    for file in (folder / "trainer").glob("*.pt"):
        torch.load(file, weights_only=True, map_location="cpu")
    pickled = [
        file for file in (folder / "model").iterdir() if file.suffix in {".bin", ".pt", ".pth", ".pkl"}
    ]
    assert pickled == []
    monkeypatch.setattr(torch, "load", None)
    monkeypatch.setattr(pickle, "Unpickler", None)
    assert ready.open_checkpoint(folder)("dbca>")
