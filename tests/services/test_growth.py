"""The number of statements of edits and triggers does not grow with the pipeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from factories.lab import Lab
from statements import queries, sent

from pipeline_widgets.domain.chain import ExperimentStage, FromSource, Pipeline, Stage
from pipeline_widgets.domain.run import Run
from pipeline_widgets.errors import TriggerError
from pipeline_widgets.services.stage_trigger import TriggerOptions

Edit = Callable[[Lab, Pipeline], object]


def retry(stage: Stage) -> Stage:
    """Return a stage with another setting."""
    assert isinstance(stage, ExperimentStage)
    return replace(stage, retries=3)


EDITS: dict[str, Edit] = {
    "describe": lambda lab, chain: lab.pipelines.update(chain.id, description="of the week"),
    "rename": lambda lab, chain: lab.pipelines.update(chain.id, name=f"{chain.name} again"),
    "edit a stage": lambda lab, chain: lab.pipelines.update_stage(chain.stages[-1].id, retry),
    "move to the front": lambda lab, chain: lab.pipelines.move_stage(chain.stages[-1].id, 1),
    "delete a stage": lambda lab, chain: lab.pipelines.delete_stage(chain.stages[-1].id),
}


def chain_of(lab: Lab, stages: int) -> Pipeline:
    """Return a pipeline of that many stages."""
    return lab.pipeline("SFT", *["SFT"] * (stages - 1), name=f"of {stages}")


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_writes_what_it_changes(lab: Lab, edit: str) -> None:
    """A chain of forty stages takes as many statements as one of three; stages that stay are not written."""
    counts: list[int] = []
    for stages in (3, 40):
        chain = chain_of(lab, stages)
        with sent(lab.store) as statements:
            EDITS[edit](lab, chain)
        counts.append(len(queries(statements)))
        written = [each for each in statements if each.startswith(("UPDATE stages", "INSERT INTO stages"))]
        assert len(written) <= 2  # the stage or its place, and why it was held
    assert counts[0] == counts[1]
    assert counts[1] <= 25


def test_what_an_edit_writes_is_all_that_it_changes(lab: Lab) -> None:
    """Stages that are added, edited, moved and deleted are stored as they were asked for, and no others."""
    chain = chain_of(lab, 6)
    ids = [stage.id for stage in chain.stages]
    lab.pipelines.move_stage(ids[4], 1)
    lab.pipelines.update_stage(ids[2], retry)
    lab.pipelines.delete_stage(ids[1])
    lab.add(chain.id, lab.experiment("more"), position=2)
    stored = lab.pipelines.get(chain.id)
    old = {stage.id: stage for stage in chain.stages}
    assert [stage.id for stage in stored.stages if stage.id in old] == [ids[0], ids[4], *ids[2:4], ids[5]]
    assert stored.stages[2].id not in old
    assert [stage for stage in stored.stages if stage.id in old and stage != old[stage.id]] == [
        retry(old[ids[2]])
    ]


def test_a_trigger_counts_with_what_has_changed_since_it_has_read(lab: Lab) -> None:
    """An edit, a run that ends, or another trigger between its reading and its writing is seen."""
    chain = lab.pipeline("SFT", "SFT")
    first, second = chain.stages
    lab.do(first, 0.9, 0.5)

    def trigger(act: Callable[[], object]) -> Run:
        def check_placement(_: object, __: object) -> None:
            act()

        return lab.runs.trigger(second.id, TriggerOptions(check_placement=check_placement))

    def choose_final() -> None:
        lab.pipelines.update_stage(second.id, lambda stage: replace(stage, start=FromSource("final")))

    run = trigger(choose_final)
    assert run.start_checkpoint_id == lab.runs.checkpoints(lab.runs.of_stage(first.id)[0].id)[-1].id
    lab.runs.stop(run.id)

    run = trigger(lambda: lab.do(first, 0.1))
    assert run.source_run_id == lab.runs.of_stage(first.id)[1].id
    lab.runs.stop(run.id)

    with pytest.raises(TriggerError, match="pending already"):
        trigger(lambda: lab.runs.trigger(second.id))
