"""What a user's own train function may do, with real processes."""

from __future__ import annotations

import pytest
import user_code
from benches import Bench

pytestmark = pytest.mark.slow


@pytest.mark.spec("6.9")
def test_case_13_a_late_score_makes_its_checkpoint_the_best(bench: Bench) -> None:
    """Scores that come after the last checkpoint decide what is Best, in the plan and for agents."""
    experiment = bench.project.create_experiment("late", algorithm=user_code.late)
    pipe = bench.project.create_pipeline("late")
    pipe.add_experiment_stage(experiment, auto_add_agent=True)
    pipe.add_deployment_stage("agent of late")
    run = pipe.stages[0].trigger().wait(60)
    assert run.status == "Succeeded"
    assert [(c.step, c.evaluation_score) for c in run.checkpoints] == [(5, 0.9), (10, 0.1)]
    assert "best evaluation score 0.9, step 5" in str(pipe.stages[1].plan())
    assert [agent.checkpoint.step for agent in bench.ws.agents] == [5]
    assert run.progress.step == 10
    with bench.ws._services.store.read() as work:
        (row,) = work.runs.listed(bench.project._id, [experiment._id])
    assert (row["lowest_evaluation"], row["highest_evaluation"]) == (0.1, 0.9)
