"""Templates: make a pipeline of one, keep a pipeline as one (spec 4.12)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from pipeline_widgets.domain.chain import Pipeline
from pipeline_widgets.domain.document import Document
from pipeline_widgets.domain.names import Named, name_numbered, validate_description, validate_name
from pipeline_widgets.domain.template import READY, Template, list_deployed_agents, name_parts
from pipeline_widgets.errors import ConfigError, NameTakenError, NotFoundError, RuleError
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.persistence.template_files import TemplateFiles
from pipeline_widgets.services.transfer import TransferService, parse_document, write_document


class TemplateService:
    """Use cases of templates.

    Args:
        store: The workspace.
        transfer: Makes pipelines of documents.
    """

    def __init__(self, store: Store, transfer: TransferService) -> None:
        self._store = store
        self._transfer = transfer
        self._files = TemplateFiles(store.templates_folder)

    def all(self) -> tuple[Template, ...]:
        """Return the ready templates, then the workspace's own by name; files that are none are left out."""
        own: dict[str, Template] = {}
        for text in self._files.read_all():
            try:
                document = parse_document(text)
            except ConfigError:
                continue
            own.setdefault(document.name, Template(document=document, is_ready=False))
        ready = {each.name for each in READY}
        return (*READY, *(own[name] for name in sorted(own, key=str.casefold) if name not in ready))

    def get(self, name: str) -> Template:
        """Return the template of a name.

        Raises:
            NotFoundError: There is none.
        """
        found = self.all()
        for each in found:
            if each.name == name:
                return each
        fix = f"There are {', '.join(repr(each.name) for each in found)}."
        raise NotFoundError(f"There is no template named {name!r}.", fix=fix)

    def create_pipeline(self, project_id: int, template: str, name: str | None = None) -> Pipeline:
        """Make a pipeline of a template, with experiments and an agent of its own: all of it, or nothing.

        Args:
            project_id: The project.
            template: The name of the template.
            name: The name of the pipeline; by default that of the template, with a number where it is taken.

        Raises:
            ClassicProjectError: The project is not an Advanced Training project.
            NameTakenError: The project has such a pipeline.
            NotFoundError: There is no such template, or it starts from a saved Agent that is not here.
            AlgorithmNotFoundError: An algorithm is not known here.
        """
        found = self.get(template)
        with self._store.read() as work:
            document = _name_freely(work, project_id, found.document, name)
        said = f"Created from template '{found.name}'."
        return self._transfer.add_document(project_id, document, said).pipeline

    def save(self, pipeline_id: int, name: str, description: str | None = None) -> Template:
        """Keep a pipeline as a template: its stages and settings, and the configs of its experiments.

        Args:
            pipeline_id: The pipeline.
            name: The name of the template.
            description: What it is for; by default what the pipeline says.

        Raises:
            NameTakenError: There is a template of that name.
            RuleError: The pipeline has no stages.
        """
        self._store.trust.check()
        name = validate_name(name, "template")
        document = self._transfer.document(pipeline_id)
        if not document.stages:
            what = f"Pipeline {document.name!r} cannot be a template."
            raise RuleError(what, "It has no stages.", "Add a stage first.")
        about = document.description if description is None else validate_description(description, "template")
        kept = replace(document, name=name, description=about)
        taken = any(each.name == name for each in READY)
        if taken or not self._files.write(name, write_document(kept)):
            fix = "Choose another name, or delete that one first."
            raise NameTakenError(f"A template named {name!r} already exists.", fix=fix)
        return Template(document=kept, is_ready=False)

    def delete(self, name: str) -> None:
        """Delete a template; the pipelines that were made of it stay.

        Raises:
            NotFoundError: There is none.
            RuleError: It comes with the package.
        """
        self._store.trust.check()
        if any(each.name == name for each in READY):
            raise RuleError(f"Template {name!r} cannot be deleted.", "It comes with pipeline_widgets.")
        if not self._files.delete(name):
            raise NotFoundError(f"There is no template named {name!r}.", fix="See project.templates.")


def _name_freely(work: UnitOfWork, project_id: int, document: Document, name: str | None) -> Document:
    """Return a document with names that nothing here has, but for a name that was asked for."""
    if name is None:
        wanted = name_numbered(document.name, lambda names: work.pipelines.named(project_id, names))
    else:
        wanted = validate_name(name, "pipeline")
    given: set[str] = set()

    def experiments(names: Collection[str]) -> Iterable[Named]:
        others = (_Taken(each) for each in names if each in given)
        return [*work.experiments.named(project_id, names), *others]

    renamed: dict[str, str] = {}
    for each in document.experiments:
        renamed[each.name] = name_numbered(each.name, experiments)
        given.add(renamed[each.name])
    # Agents are the workspace's: two pipelines of one template must not replace each other's versions.
    promised = work.pipelines.deployed_agent_names()

    def agents(names: Collection[str]) -> Iterable[Named]:
        others = (_Taken(each) for each in names if each in promised)
        return [*work.agents.matching((), names), *others]

    deployed = {each: name_numbered(each, agents) for each in list_deployed_agents(document)}
    return name_parts(document, wanted, renamed, deployed)


class _Taken:
    """A name that is not free."""

    def __init__(self, name: str) -> None:
        self.id, self.name = 0, name
