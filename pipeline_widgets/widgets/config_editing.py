"""The config of the experiment of a stage, edited where the stage is shown."""

from __future__ import annotations

from typing import Any

from pipeline_widgets.widgets.base import Row, View
from pipeline_widgets.widgets.experiment_form import filled_form, submitted


class ConfigEditingView(View):
    """A view with stages, whose experiments can get another config."""

    def do_config_form(self, experiment: int) -> Row:
        """Return the form of the experiment of a stage, with what it has."""
        return filled_form(self._services.experiments.get(experiment))

    def do_change(self, experiment: int, **sent: Any) -> Row:
        """Give the experiment of a stage another config, or return what is wrong with the form."""
        before = self._services.experiments.get(experiment)
        made, refused = submitted(self._services, before.project_id, sent, changed=before)
        self.refresh()
        return {"refused": refused} if made is None else {"id": made.id, "name": made.name}
