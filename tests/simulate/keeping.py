"""What is kept: agents, checkpoints, experiments; and what can be deleted."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from pipeline_widgets.domain.retention import Keep
from simulate.lockstep import PICK, Lockstep
from simulate.values import ACTIVE, Agent


class Keeping(Lockstep):
    """Rules that keep and delete."""

    @rule(pick=PICK)
    def new_agent(self, pick: int) -> None:
        """Save a checkpoint as an agent."""
        saved = self._one(self.model.checkpoints, pick)
        if saved is None or len(self.model.agents) > 4:
            return
        name = self._name("agent")
        agent = self._must(lambda: self.lab.agents.create(name, saved.id))
        assert agent is not None
        self.model.agents[agent.id] = Agent(self._fresh("agent", agent.id), name, [saved.id])

    @rule(pick=PICK)
    def delete_agent(self, pick: int) -> None:
        """Delete an agent: refused while a stage starts from it."""
        agent = self._one(self.model.agents, pick)
        if agent is None:
            return
        starts = [s.start for p in self.model.pipelines.values() for s in p.stages]
        if self._do(("agent", agent.id) not in starts, lambda: self.lab.agents.delete(agent.id) or True):
            del self.model.agents[agent.id]

    @rule(pick=PICK)
    def roll_back(self, pick: int) -> None:
        """Make a former version of an agent the current one."""
        agent = self._one(self.model.agents, pick)
        if agent is not None:
            number = pick % (len(agent.versions) + 1)
            if self._do(number > 0, lambda: self.lab.agents.rollback(agent.id, number)) is not None:
                agent.current = number - 1

    @rule(pick=PICK)
    def delete_checkpoint(self, pick: int) -> None:
        """Delete a checkpoint: refused while anything uses it, or a stage names it."""
        saved = self._one(self.model.checkpoints, pick)
        if saved is None:
            return
        used = self.model.consumed(saved.id) or self.model.started_from(saved.id, by_step=True)
        allowed = not used and self.model.runs[saved.run].status not in ACTIVE
        if self._do(allowed, lambda: self.lab.experiments.delete_checkpoint(saved.id) or True):
            del self.model.checkpoints[saved.id]

    @rule(keep=st.sampled_from(["best+final", "best", "final", "all"]))
    def clean_up(self, keep: Keep) -> None:
        """Free the checkpoints that nobody asks for."""
        gone = self.model.checkpoints.keys() - self.model.kept(keep)
        self._must(lambda: self.retention.delete_unreferenced(self.project, keep), moves=bool(gone))
        for key in gone:
            del self.model.checkpoints[key]
        self._agree_on_runs()

    @rule(pick=PICK)
    def delete_experiment(self, pick: int) -> None:
        """Delete an experiment: refused while a stage has it, it runs, or others use what it saved."""
        experiment = self._one(self.model.experiments, pick)
        if experiment is None:
            return
        model, mine = self.model, {r.id for r in self.model.runs.values() if r.experiment == experiment.id}
        bound = any(s.experiment == experiment.id for p in model.pipelines.values() for s in p.stages)
        used = any(model.consumed(c.id, but=mine) for c in model.checkpoints.values() if c.run in mine)
        allowed = not bound and not model.busy(experiment.id) and not used
        if self._do(allowed, lambda: self.lab.experiments.delete(experiment.id) or True):
            del model.experiments[experiment.id]
            for key in mine:
                del model.runs[key]
            gone = [c.id for c in model.checkpoints.values() if c.run in mine]
            for key in gone:
                del model.checkpoints[key]
            for run in model.runs.values():
                run.resumed = None if run.resumed in mine else run.resumed
