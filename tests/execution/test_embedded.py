"""The embedded algorithms, through the product: chains that train for real."""

from __future__ import annotations

import pytest
from benches import Bench

from pipeline_widgets.errors import DoesNotFitError


@pytest.mark.spec("7.3", "5.5", "8.2")
def test_the_language_model_chain_improves_from_stage_to_stage_and_is_deployed(bench: Bench) -> None:
    """SFT -> DPO -> GRPO -> Deployment with the defaults: each stage scores higher, and the agent sorts."""
    pipe = bench.project.create_pipeline("post-training")
    for at, name in enumerate(("SFT", "DPO", "GRPO")):
        experiment = bench.project.create_experiment(name.lower(), algorithm=name)
        pipe.add_experiment_stage(experiment, trigger="auto" if at else "manual")
    pipe.add_deployment_stage("letters", trigger="auto")

    assert pipe.check() == ()
    pipe.stages[0].trigger()
    pipe.wait(120)

    scores = list(pipe.stages.df.evaluation_score)
    assert list(pipe.stages.df.status) == ["Succeeded"] * 4
    assert scores[0] < scores[1] < scores[2]
    assert scores[2] >= 0.9
    assert scores[3] == scores[2]
    assert bench.ws.agents["letters"].predict("dcba") == "abcd"


@pytest.mark.spec("7.1", "7.2", "5.5")
def test_the_action_decoder_chain_uses_the_former_checkpoint_as_the_decoder(bench: Bench) -> None:
    """Supervised -> LatentPPO -> Deployment: the decoder is what LatentPPO starts from."""
    decoder = bench.project.create_experiment("decoder", algorithm="Supervised", config={"dataset": "gait"})
    latent = bench.project.create_experiment("latent", algorithm="LatentPPO", config={"steps": 30_000})
    pipe = bench.project.create_pipeline("latent actions")
    pipe.add_experiment_stage(decoder)
    pipe.add_experiment_stage(latent, trigger="auto")
    pipe.add_deployment_stage("swimmer", trigger="auto")

    pipe.stages[0].trigger()
    pipe.wait(120)

    assert [stage.status for stage in pipe.stages] == ["Succeeded"] * 3
    run = pipe.stages[1].run
    assert run is not None
    assert run.start_role == "decoder"
    assert len(bench.ws.agents["swimmer"].predict([0.0] * 8)) == 5


@pytest.mark.spec("5.7", "7.2", "5.4")
def test_what_does_not_fit_is_refused_with_the_reason(bench: Bench) -> None:
    """LatentPPO fits after a decoder only; the picker gives each reason, and attaching is refused."""
    make = bench.project.create_experiment
    tabular = make("tabular", algorithm="Supervised")
    latent = make("latent", algorithm="LatentPPO")
    make("again", algorithm="Supervised", config={"steps": 10})
    make("sft", algorithm="SFT")
    pipe = bench.project.create_pipeline("unfit")

    with pytest.raises(DoesNotFitError, match="LatentPPO can't start from scratch: it needs a decoder"):
        pipe.add_experiment_stage(latent)
    pipe.add_experiment_stage(tabular)
    with pytest.raises(DoesNotFitError, match="states no latent_dim, which LatentPPO needs"):
        pipe.add_experiment_stage(latent)

    options = pipe.experiment_options()
    assert [option.name for option in options if option.fits] == ["tabular", "again"]
    assert "SFT needs a language model, Supervised produces" in options["sft"].reason
    assert list(options.df.used_by_stage.dropna()) == [1]
    assert len(pipe.stages) == 1


@pytest.mark.spec("5.5")
def test_best_and_final_of_dqn_are_what_a_stage_asks_for(bench: Bench) -> None:
    """Best is the checkpoint with the highest evaluation score, Final the one of the last step."""
    first = bench.project.create_experiment("dqn", algorithm="DQN", config={"steps": 20_000})
    pipe = bench.project.create_pipeline("dqn")
    pipe.add_experiment_stage(first)
    pipe.add_deployment_stage("best", trigger="auto", checkpoint="best")
    pipe.add_deployment_stage("final", trigger="auto", checkpoint="final")

    pipe.stages[0].trigger()
    pipe.wait(120)

    made = pipe.stages[0].run.checkpoints  # type: ignore[union-attr]
    best = max(made, key=lambda c: (c.evaluation_score or 0.0, c.step))
    assert bench.ws.agents["best"].checkpoint == best
    assert bench.ws.agents["final"].checkpoint == made[-1]
    assert bench.ws.agents["best"].predict([0.0, 0.0, 0.1, 0.0]) in {0, 1}
