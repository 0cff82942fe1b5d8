"""Deployments that really serve, and the versions behind one URL (spec 8.2)."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import trainers
from benches import Bench, until
from sites import OBSERVED, Site, acting, ask, get, patient
from tampering import overwrite

import pipeline_widgets as pw

CLIENTS, REQUESTS = 8, 1000


@pytest.mark.spec("8.2", "5.1", "5.9")
def test_a_deployment_succeeds_when_its_endpoint_answers(site: Site) -> None:
    """The agent is Deployed with the version that the stage made, and that answers health and questions."""
    agent = site.run()
    assert site.deployed.status == "Succeeded"
    assert (agent.status, agent.version, agent.error) == ("Deployed", 1, None)
    assert get(agent, "/health") == (200, {"status": "ok", "agent": "a line", "version": 1})
    key = agent.rotate_key()
    assert ask(agent, body=OBSERVED, key=key) == (200, {"action": 6.5})


@pytest.mark.spec("8.2", "7.4")
def test_a_deployment_whose_checkpoint_cannot_be_opened_fails(bench: Bench) -> None:
    """It never succeeds: the run has the reason, and the agent is Failed with the same."""
    site = Site(bench, act="cannot be opened")
    agent = site.run()
    assert site.deployed.status == "Failed"
    assert site.deployed.run is not None
    assert "the line is <b>broken</b>" in (site.deployed.run.error or "")
    assert agent.status == "Failed"
    assert "the line is <b>broken</b>" in (agent.error or "")


@pytest.mark.spec("8.2")
def test_a_redeployment_that_fails_leaves_the_former_version_served(site: Site) -> None:
    """The run fails, and the agent goes on answering with what it had, which stays its current version."""
    agent = site.run()
    key = agent.rotate_key()
    site.run(above=9, act="cannot be opened")
    assert site.deployed.status == "Failed"
    assert (agent.status, agent.version) == ("Deployed", 1)
    assert [version.number for version in agent.versions] == [1, 2]
    assert ask(agent, body=OBSERVED, key=key) == (200, {"action": 6.5})


@pytest.mark.spec("8.2")
def test_a_redeployment_that_failed_leaves_no_trace_in_the_next_ones(site: Site) -> None:
    """Its reason goes when the former version is wanted again, and the next good version is served."""
    agent = site.run()
    site.run(above=9, act="cannot be opened")
    until(lambda: agent.error is None)
    site.run(above=1.5, act="")
    assert (site.deployed.status, agent.version, agent.error) == ("Succeeded", 3, None)
    agent.rollback(2)
    until(lambda: "Version 2 cannot be opened, so version 3 is served still." in (agent.error or ""))
    agent.rollback(3)
    until(lambda: agent.error is None)
    site.run(above=2.5)
    assert (site.deployed.status, agent.version, agent.error) == ("Succeeded", 4, None)


@pytest.mark.spec("8.2", "6.9")
def test_a_version_that_ends_the_process_leaves_the_former_one_served(bench: Bench) -> None:
    """The run fails with what was seen, and the version before is served again, at the same URL and key."""
    site = Site(bench, algorithm=acting)
    agent = site.run()
    key, url, pid = agent.rotate_key(), agent.url, site.process(agent).pid
    site.run(act="die")
    assert site.deployed.status == "Failed"
    assert site.deployed.run is not None
    assert f"Its process {pid} on" in (site.deployed.run.error or "")
    assert "is gone" in (site.deployed.run.error or "")
    until(lambda: agent.status == "Deployed")
    assert (agent.version, agent.url, agent.error) == (1, url, None)
    assert ask(agent, "/predict", {"input": 4}, key=key) == (200, {"output": 4})


@pytest.mark.spec("8.2")
def test_a_version_that_wants_to_exit_is_refused(bench: Bench) -> None:
    """sys.exit() in what opens it ends nothing, neither beside another version nor as the first one."""
    site = Site(bench, algorithm=acting)
    agent = site.run()
    pid = site.process(agent).pid
    site.run(act="exit")
    assert site.deployed.status == "Failed"
    assert site.deployed.run is not None
    assert "SystemExit: 3" in (site.deployed.run.error or "")
    assert (agent.status, agent.version, site.process(agent).pid) == ("Deployed", 1, pid)
    agent.disconnect()
    agent.rollback(2)
    with pytest.raises(pw.PipelineError, match="SystemExit: 3"):
        agent.connect()


@pytest.mark.spec("8.2")
def test_a_redeployment_and_a_roll_back_swap_the_version_behind_the_same_url(site: Site) -> None:
    """Requests that never pause see the old version, then the new one, and no error in between."""
    agent = site.run()
    key, url = agent.rotate_key(), agent.url
    pid = site.process(agent).pid
    site.experiment.update(config={"above": 1.5})
    with ThreadPoolExecutor(1) as asking:
        site.trained.trigger()
        seen = asking.submit(lambda: [ask(agent, body=OBSERVED, key=key) for _ in range(400)])
        site.pipe.wait(60)
        until(lambda: ask(agent, body=OBSERVED, key=key)[1] == {"action": 7.5})
        answers = seen.result()
    assert {status for status, _ in answers} == {200}
    assert {body["action"] for _, body in answers} <= {6.5, 7.5}
    assert (agent.version, agent.url, site.process(agent).pid) == (2, url, pid)
    agent.rollback(1)
    assert ask(agent, body=OBSERVED, key=key) == (200, {"action": 6.5})
    assert agent.version == 1


@pytest.mark.spec("8.2")
def test_no_request_is_lost(site: Site) -> None:
    """1,000 questions of 8 clients get 1,000 right answers."""
    agent = site.run()
    key = agent.rotate_key()

    def client(first: int) -> list[tuple[int, Any]]:
        asked = range(first, REQUESTS, CLIENTS)
        return [ask(agent, body={"observation": [number, 0, 0]}, key=key) for number in asked]

    with ThreadPoolExecutor(CLIENTS) as clients:
        found = [answer for answers in clients.map(client, range(CLIENTS)) for answer in answers]
    assert sorted(body["action"] for _, body in found) == [number + 0.5 for number in range(REQUESTS)]
    assert {status for status, _ in found} == {200}


@pytest.mark.spec("8.2")
def test_an_agent_that_cannot_be_asked_is_served_all_the_same(bench: Bench) -> None:
    """An algorithm without a predictor deploys: health answers, and questions are refused with the reason."""
    pipe = bench.project.create_pipeline("bare")
    experiment = bench.project.create_experiment("bare", algorithm=trainers.bare)
    first = pipe.add_experiment_stage(experiment)
    last = pipe.add_deployment_stage("mute", trigger="auto")
    first.trigger()
    pipe.wait(60)
    assert last.status == "Succeeded"
    agent = bench.ws.agents["mute"]
    status, said = ask(agent, "/predict", {"input": 1}, key=agent.rotate_key())
    assert (status, said["error"]) == (404, "This agent cannot answer.")
    assert "Declare predict=" in said["fix"]
    assert get(agent, "/v2/health/ready") == (503, {"ready": False})
    assert get(agent, "/v2/models/mute/ready") == (503, {"name": "mute", "ready": False})


@pytest.mark.spec("6.5")
def test_a_deployment_that_is_stopped_while_it_waits_keeps_the_former_version(site: Site) -> None:
    """An endpoint that cannot come up in time is not waited for: the run is Stopped."""
    agent = site.run()
    os.kill(
        site.process(agent).pid, signal.SIGSTOP
    )  # it goes on "at work" for the system, and answers nobody
    try:
        run = site.deployed.trigger()
        until(lambda: agent.version == 2)
        run.stop()
        run.wait(30)
        assert run.status == "Stopped"
        assert agent.version == 1
    finally:
        os.kill(site.process(agent).pid, signal.SIGCONT)


@pytest.mark.spec("8.2")
def test_an_agent_keeps_no_state_of_training_and_can_be_started_from(bench: Bench) -> None:
    """The letters' optimizer stays behind; the agent answers, and a stage begins with its weights."""
    experiment = bench.project.create_experiment("sft", algorithm="SFT", config={"steps": 20})
    run = experiment.train().wait(60)
    agent = bench.ws.create_agent("letters", run.checkpoints[-1])
    current = bench.ws._services.agents.get(agent._id).current
    names = {path.name for path in Path(current.path).iterdir()}
    assert names == {path.name for path in run.checkpoints[-1].path.iterdir()} - {"training.npz"}
    assert current.size < run.checkpoints[-1].size
    assert isinstance(agent.predict("dbca"), str)
    pipe = bench.project.create_pipeline("on")
    preferring = bench.project.create_experiment("dpo", algorithm="DPO", config={"steps": 12})
    stage = pipe.add_experiment_stage(preferring, start=agent)
    stage.trigger()
    pipe.wait(60)
    assert stage.run is not None
    assert stage.run.status == "Succeeded", stage.run.error
    overwrite(Path(current.path) / "model.npz", b"spoiled")
    with pytest.raises(pw.CheckpointError, match="is corrupt"):
        stage.trigger()


@pytest.mark.spec("8.2")
def test_habits_7_and_23_a_version_has_the_time_that_its_algorithm_declares(
    bench: Bench, tmp_path: Path
) -> None:
    """The deployment says how long it loads, and that both versions are in memory; the limit fails it."""
    site = Site(bench, algorithm=patient, act=f"wait {tmp_path / 'go on'}")
    (tmp_path / "go on").touch()
    agent = site.run()
    (tmp_path / "go on").unlink()
    site.experiment.update(config={"act": f"wait {tmp_path / 'go on'}", "number": 1})
    site.trained.trigger()
    until(lambda: site.deployed.status == "Running", 60)
    run = site.deployed.run
    assert run is not None
    until(lambda: "Version 2 loads for" in run.log, 60)
    assert "of up to 7 s" in run.log
    assert "Version 1 is served until version 2 is loaded: both are in memory" in run.log
    site.pipe.wait(60)
    assert run.status == "Failed"
    assert "did not answer within 7 s" in str(run.error)
    assert "load_within" in str(run.error)
    assert agent.version == 1
