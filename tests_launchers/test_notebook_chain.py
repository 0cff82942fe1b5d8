"""SFT -> DPO -> GRPO -> an agent from a cell, on each launcher but Ray, whose cluster is in another file."""

from __future__ import annotations

from pathlib import Path

import pytest
from notebook_chain import chain_trains_and_serves
from ssh import SshHost

pytestmark = [pytest.mark.spec("11.2"), pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_chain_runs_on_the_machine_of_the_notebook(tmp_path: Path) -> None:
    """The reference: what the others are to show."""
    chain_trains_and_serves("local", tmp_path)


@pytest.mark.usefixtures("slurm")
def test_a_chain_runs_as_jobs_of_slurm(tmp_path: Path) -> None:
    """Views, curves, log and agent are as on one machine."""
    chain_trains_and_serves("slurm", tmp_path)


def test_a_chain_runs_on_a_host_that_is_reached_over_ssh(ssh_host: SshHost, tmp_path: Path) -> None:
    """Views, curves, log and agent are as on one machine."""
    chain_trains_and_serves(ssh_host.url, tmp_path)
