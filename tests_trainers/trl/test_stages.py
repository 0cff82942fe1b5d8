"""The ready algorithms, the factory and the pieces: stop, resume, answers, and a chain of real processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pipeline_widgets as pw
from pipeline_widgets.adoption import model_facets
from pipeline_widgets.algorithms import registry
from pipeline_widgets.algorithms.text_predictor import SamplingSettings
from pipeline_widgets.errors import ConfigError, PipelineError
from pipeline_widgets.trainers import trl as adapter
from pipeline_widgets.trainers.trl import config, evaluation, letters, models, ready
from tests_trainers.trl import runs

if TYPE_CHECKING:
    from benches import Bench

    from tests_trainers.trl.runs import Run

EXACT = evaluation.exact_answers(letters.prompts(held_out=True))


@pytest.mark.spec("7.5")
def test_declaring_the_algorithms_imports_no_library() -> None:
    """Forms and signatures are there without torch, transformers, peft and TRL."""
    program = (
        "import sys\n"
        "from pipeline_widgets.trainers.trl import algorithm, ready\n"
        "for each in (ready.sft, ready.reward, ready.dpo, ready.grpo):\n"
        "    each.configure({})\n"
        "heavy = {'torch', 'transformers', 'peft', 'trl', 'datasets', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.spec("7.7")
def test_the_facets_of_the_built_in_base_are_those_of_its_files(base: Path) -> None:
    """They are known without a library, and libraries write what they have read in other words."""
    assert {"base_model": "letters", **model_facets.read_facets(base)} == config.base_facets("letters")
    again = base.parent / "again"
    adapter.load_tokenizer(base).save_pretrained(again)
    assert model_facets.tokenizer_digest(again) == model_facets.tokenizer_digest(base)


@pytest.mark.spec("7.5")
@pytest.mark.parametrize("lora", [0, 8])
@pytest.mark.parametrize(
    "algorithm", [ready.sft, ready.reward, ready.dpo, ready.grpo], ids=lambda one: one.spec.name
)
def test_a_resumed_run_becomes_what_the_whole_one_would_have_become(
    algorithm: pw.Algorithm, lora: int, sft: Run, tmp_path: Path
) -> None:
    """Weights, optimizer, schedule, random numbers and data go on: bit for bit, on one thread of a CPU."""
    start = runs.start_from(sft.final, algorithm.spec.accepts[0].role)
    short = {"steps": 4, "evaluate_every": 2, "batch_size": 16, "lora": lora, "schedule": "linear"}
    if algorithm is ready.grpo:
        short["num_generations"] = 4
    whole = runs.train(algorithm, tmp_path, start=start, **short)
    middle = runs.start_from(whole.checkpoints[0], "resume")
    resumed = runs.train(algorithm, tmp_path, start=middle, **short)
    assert [saved.step for saved in resumed.checkpoints] == [4]
    assert runs.furthest(runs.weights(resumed.model), runs.weights(whole.model)) == 0.0
    assert resumed.final.signature == whole.final.signature
    before = {report.step: report.metrics for report in whole.reports if "learning_rate" in report.metrics}
    after = {report.step: report.metrics for report in resumed.reports if "learning_rate" in report.metrics}
    assert after[4]["learning_rate"] == before[4]["learning_rate"]


@pytest.mark.spec("6.5")
@pytest.mark.parametrize("algorithm", [ready.sft, ready.grpo], ids=lambda one: one.spec.name)
def test_a_stop_is_heeded_after_the_update_at_hand_and_keeps_what_there_is(
    algorithm: pw.Algorithm, sft: Run, tmp_path: Path
) -> None:
    """What was trained so far is saved, and a resumed run goes on exactly from there."""
    asked: list[bool] = []

    def stop() -> bool:
        asked.append(True)
        return len(asked) > 8

    short: dict[str, Any] = {"steps": 12, "batch_size": 16, "evaluate_every": 12}
    start = runs.start_from(sft.final)
    stopped = runs.train(algorithm, tmp_path, start=start, stop=stop, **short)
    assert stopped.stopped
    assert 0 < stopped.final.step < 12
    whole = runs.train(algorithm, tmp_path, start=start, **short)
    resumed = runs.train(algorithm, tmp_path, start=runs.start_from(stopped.final, "resume"), **short)
    assert runs.furthest(runs.weights(resumed.model), runs.weights(whole.model)) == 0.0
    left = [file for file in stopped.folder.iterdir() if file.name != "checkpoints"]
    assert left == []


@pytest.mark.spec("8.1")
def test_the_copy_of_an_agent_needs_no_optimizer_and_no_random_state(dpo_lora: Run) -> None:
    """All that only a resumed run needs matches `training_only`; what is left is a whole model."""
    from fnmatch import fnmatch

    folder = dpo_lora.final.folder.path
    files = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    kept = {
        file for file in files if not any(fnmatch(file, pattern) for pattern in ready.dpo.spec.training_only)
    }
    assert "trainer/optimizer.pt" in files
    assert {file.split("/")[0] for file in kept} == {"model"}
    assert {file.split("/")[1] for file in kept} == {
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json", "chat_template.jinja",
    }  # fmt: skip


@pytest.mark.spec("8.5")
def test_an_agent_completes_chats_streams_stops_and_scores(dpo_lora: Run) -> None:
    """With sampling settings, stop texts, log-probabilities and the chat template of the checkpoint."""
    agent = ready.open_checkpoint(dpo_lora.final.folder.path)
    greedy = SamplingSettings(temperature=0, log_probs=2)
    pieces: list[str] = []
    chat = agent.render_chat([{"role": "user", "content": "dbca"}])
    assert chat == agent.tokenize("dbca>")
    made = agent.complete(chat, greedy, pieces.append)
    assert made.text == "".join(pieces) == agent.complete("dbca>", greedy).text
    assert (made.prompt_tokens, made.completion_tokens) == (5, len(made.tokens))
    assert made.finish_reason == "stop"
    assert agent.complete("dbca>", SamplingSettings(max_tokens=2)).finish_reason == "length"
    first = made.text[1]
    cut = agent.complete("dbca>", SamplingSettings(temperature=0, stop=(first,)))
    assert (cut.text, cut.finish_reason) == (made.text[:1], "stop")
    draws = {agent.complete("edcb>", SamplingSettings(temperature=2.0, seed=seed)).text for seed in range(8)}
    assert len(draws) > 1
    again = [agent.complete("edcb>", SamplingSettings(temperature=2.0, seed=3)).text for _ in range(2)]
    assert again[0] == again[1]
    narrow = SamplingSettings(temperature=2.0, top_p=1e-6, seed=1)
    assert agent.complete("dbca>", narrow).text == made.text
    scored = agent.score(f"dbca>{made.text}", top=1)
    assert scored[0].log_prob is None
    total = sum(token.log_prob or 0 for token in scored[5:])
    assert total == pytest.approx(sum(token.log_prob or 0 for token in made.tokens[:-1]), abs=1e-4)
    assert agent.detokenize(agent.tokenize("dbca>")) == "dbca>"
    assert agent.special_tokens["eos_token"] == "<eos>"
    assert agent.chat_template == letters.CHAT_TEMPLATE
    for bad, why in (("", "empty"), ("a" * 64, "too long"), ((99,), "no token")):
        with pytest.raises(PipelineError, match=why):
            agent.complete(bad, greedy)


@pytest.mark.spec("7.4")
def test_rows_of_a_file_are_trained_on_and_what_is_wrong_with_them_is_said(
    tmp_path: Path, base: Path
) -> None:
    """JSON lines and parquet, chats and plain texts; a missing column is named."""
    import pandas as pd

    rows = [
        {"prompt": f"{text}>", "completion": "".join(sorted(text))} for text in ("ba", "cab", "dc", "ed")
    ] * 5
    lines = tmp_path / "rows.jsonl"
    lines.write_text("\n".join(map(json.dumps, rows)))
    pd.DataFrame(rows).to_parquet(tmp_path / "rows.parquet")
    short = {"base_model": str(base), "held_out": 4, "steps": 2, "batch_size": 4}
    for file in (lines, tmp_path / "rows.parquet"):
        run = runs.train(ready.sft, tmp_path, dataset=str(file), evaluation="likelihood", **short)
        assert run.final.evaluation_score is not None
        assert run.final.evaluation_score < 0.0
        assert (
            run.final.signature["evaluator"] == f"log-likelihood of answers to the last 4 rows of {file.name}"
        )
    with pytest.raises(ConfigError, match="chosen, rejected"):
        runs.train(ready.dpo, tmp_path, dataset=str(lines), **short)
    with pytest.raises(ConfigError, match="not found"):
        runs.train(ready.sft, tmp_path, dataset="nowhere.jsonl", **short)
    with pytest.raises(ConfigError, match="base model"):
        runs.train(ready.sft, tmp_path, **{**short, "base_model": "no/such-model"})


@pytest.mark.spec("7.7")
@pytest.mark.parametrize(
    ("settings", "facet"),
    [
        ({"base_model": "another/model"}, "base_model is letters, TRL DPO needs another/model"),
        ({"lora": 8, "adapter": "continue"}, "lora is 0, TRL DPO needs 8"),
    ],
)
def test_a_stage_that_contradicts_its_source_is_refused_before_any_process_starts(
    bench: Bench, settings: dict[str, Any], facet: str
) -> None:
    """The facet is named; nothing was launched."""
    first = bench.project.create_experiment("sft", algorithm="TRL SFT", config={"steps": 2, "batch_size": 4})
    second = bench.project.create_experiment("dpo", algorithm="TRL DPO", config=settings)
    pipe = bench.project.create_pipeline("chain")
    pipe.add_experiment_stage(first)
    if "base_model" in settings:  # known from the configs already
        with pytest.raises(PipelineError, match=facet):
            pipe.add_experiment_stage(second)
        return
    stage = pipe.add_experiment_stage(second)
    pipe.stages[0].trigger()
    pipe.wait(timeout=200)
    with pytest.raises(PipelineError, match=facet):
        stage.trigger()
    assert list(second.runs) == []


def reward_exact(completions: list[Any], answer: list[str], **_: Any) -> list[float]:
    """Return 1.0 for an exact answer."""
    return [float(said[0]["content"] == right) for said, right in zip(completions, answer, strict=True)]


@pytest.mark.spec("7.5")
def test_ones_own_rows_and_functions_train_by_value(tmp_path: Path, sft: Run) -> None:
    """The factory's algorithm is opened elsewhere from its pickled value, and trains there."""

    def share(model: Any, tokenizer: Any) -> list[float]:
        found = evaluation.log_probs(model, tokenizer, letters.prompts(held_out=True)[:20])
        return [float(total > -1.0) for total, _ in found]

    made = adapter.algorithm(
        "GRPO", dataset=letters.prompts(held_out=False)[:32], reward_funcs=[reward_exact], evaluate=share,
        name="mine", steps=2, batch_size=8, num_generations=4,
    )  # fmt: skip
    opened = registry.load(made.reference)
    run = runs.train(opened, tmp_path, start=runs.start_from(sft.final, "init+reference"))
    assert run.final.step == 2
    assert run.final.signature["evaluator"] == "share"
    assert run.final.evaluation_spread is not None
    assert run.final.evaluation_spread > 0.0
    with pytest.raises(ConfigError, match="reward"):
        adapter.algorithm("GRPO", dataset=[], evaluate=share)
    with pytest.raises(ConfigError, match="stepz"):
        adapter.algorithm("SFT", dataset=[], evaluate=share, stepz=3)


@pytest.mark.spec("7.5")
def test_a_loop_of_ones_own_saves_what_a_later_stage_starts_from(tmp_path: Path, base: Path) -> None:
    """`trl.save` merges the adapter, and leaves the model in training as it is."""
    ctx, run = runs.context(tmp_path)
    model, tokenizer = adapter.start(ctx, base, lora=4)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    adapter.save(ctx, 1, model, tokenizer)
    assert runs.furthest(before, dict(model.state_dict())) == 0.0
    later, _ = adapter.start(runs.context(tmp_path, start=runs.start_from(run.final))[0])
    assert run.final.signature["lora"] == 4
    assert models.base_of(later) is later


@pytest.mark.slow
@pytest.mark.spec("7.5")
def test_sft_dpo_grpo_and_an_agent_through_real_processes(bench: Bench) -> None:
    """Auto stages with LoRA: the score rises at each, the handover is checked, and the agent answers."""
    pipe = bench.project.create_pipeline("chain")
    for name, settings in (
        ("TRL SFT", {"steps": 150, "lora": 16}),
        ("TRL DPO", {"steps": 20, "lora": 16}),
        ("TRL GRPO", {"steps": 15, "lora": 16}),
    ):
        experiment = bench.project.create_experiment(name, algorithm=name, config=settings)
        pipe.add_experiment_stage(experiment, trigger="auto" if len(pipe.stages) else "manual")
    pipe.stages[0].trigger()
    pipe.wait(timeout=400)
    finished = [stage.run for stage in pipe.stages if stage.run is not None]
    assert [run.status for run in finished] == ["Succeeded"] * 3, [run.error for run in finished]
    best = [max(saved.evaluation_score or 0.0 for saved in run.checkpoints) for run in finished]
    assert best == sorted(best)
    assert best[0] + 0.05 < best[-1]
    assert all("scores" in run.log for run in finished[1:])  # the handover was checked
