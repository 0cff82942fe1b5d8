"""Templates: pipelines to begin with."""

from __future__ import annotations

from typing import Any

from pipeline_widgets.api.listing import Listing, select_columns
from pipeline_widgets.application import Services
from pipeline_widgets.domain import template as values
from pipeline_widgets.services.transfer import write_document


class Template:
    """A pipeline to begin with: `project.new_from_template(template)` makes one of it."""

    def __init__(self, services: Services, value: values.Template) -> None:
        self._services = services
        self._value = value

    def __repr__(self) -> str:
        return f"Template({self.name!r}: {self.chain})"

    @property
    def name(self) -> str:
        """Its name."""
        return self._value.name

    @property
    def description(self) -> str:
        """What it is for."""
        return self._value.document.description

    @property
    def chain(self) -> str:
        """Its stages, in their order, such as "SFT → DPO → agent"."""
        return self._value.chain

    @property
    def is_ready(self) -> bool:
        """Whether it comes with this package, and not of this workspace."""
        return self._value.is_ready

    def to_yaml(self) -> str:
        """Return it as YAML, which `project.import_pipeline` takes as well."""
        return write_document(self._value.document)

    def delete(self) -> None:
        """Delete it; the pipelines that were made of it stay.

        Raises:
            NotFoundError: It was deleted already.
            RuleError: It comes with this package.
        """
        self._services.templates.delete(self.name)

    def summary(self) -> dict[str, Any]:
        """Its row in a listing."""
        return select_columns(self, "name", "chain", "description", "is_ready")


def templates(services: Services) -> Listing[Template]:
    """Return a listing of all templates, the ready ones first.

    Args:
        services: The workspace.
    """
    return Listing("template", (Template(services, each) for each in services.templates.all()))
