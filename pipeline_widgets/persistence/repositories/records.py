"""Records of how runs came about: texts and environments once each, by the SHA-256 of their content."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import BindParameter, bindparam, insert, select, update

from pipeline_widgets.domain.code_record import CodeRecord, digest_of_text
from pipeline_widgets.domain.resources import DEFAULT_PLACEMENT, Placement
from pipeline_widgets.domain.run_record import Environment, GitState, RunCode, TriggerPlace
from pipeline_widgets.persistence import schema
from pipeline_widgets.persistence.repositories.base import Repository, in_chunks

if TYPE_CHECKING:
    from pipeline_widgets.domain.limits import Limits

_DIGESTS: BindParameter[Any] = bindparam("digests", expanding=True)
_S, _E, _A = schema.sources.c, schema.environments.c, schema.algorithms.c
_TEXTS = select(_S.digest, _S.text).where(_S.digest.in_(_DIGESTS))
_KNOWN_TEXTS = select(_S.digest).where(_S.digest.in_(_DIGESTS))
_ENVIRONMENT = select(_E.content).where(_E.digest == bindparam("digest_"))
_VARIABLES = select(schema.workspace.c.recorded_variables)
_PLACEMENT = select(schema.workspace.c.launcher, schema.workspace.c.resources)
_LIMITS = select(schema.workspace.c.limits)
_TRACKERS = select(schema.workspace.c.trackers)
_IDENTITY = select(schema.workspace.c.identity)


class Records(Repository):
    """The texts of code, and the environments of runs."""

    def identity(self) -> str:
        """Return the identity of the workspace."""
        return self.connection.execute(_IDENTITY).scalar() or ""

    def trackers(self) -> tuple[str, ...]:
        """Return the trackers of the workspace, as they were written."""
        return tuple(self.connection.execute(_TRACKERS).scalar() or ())

    def set_trackers(self, written: Collection[str]) -> None:
        """Let the workspace have other trackers."""
        self.connection.execute(update(schema.workspace).values(trackers=list(written) or None))

    def keep_texts(self, texts: Mapping[str, str]) -> None:
        """Insert texts that are not there yet, by their digests."""
        known: set[str] = set()
        for part in in_chunks(texts):  # pyright: ignore[reportArgumentType]  digests are told as ids are
            known |= set(self.connection.scalars(_KNOWN_TEXTS, {"digests": part}))
        new = [{"digest": digest, "text": text} for digest, text in texts.items() if digest not in known]
        if new:
            self.connection.execute(insert(schema.sources), new)

    def keep_code(self, code: CodeRecord) -> RunCode:
        """Keep the code of a run with its texts, and return how the run's row names it."""
        return self.keep_origin(None, code)

    def expect_code(self, run_id: int, code: CodeRecord) -> None:
        """Let the next run of the same algorithm expect the code that a run has loaded."""
        own = select(schema.runs.c.algorithm_id).where(schema.runs.c.id == run_id).scalar_subquery()
        self.connection.execute(update(schema.algorithms).where(_A.id == own).values(code=code.to_json()))

    def keep_origin(self, place: TriggerPlace | None, code: CodeRecord | None) -> RunCode:
        """Keep where a run is triggered and the code that it will load; return how its row names them."""
        kept, texts = RunCode(), dict[str, str]()
        if place is not None:
            git = place.git or GitState(commit=None, branch=None)
            diff = digest_of_text(git.diff) if git.diff else None
            kept = RunCode(
                folder=place.folder,
                commit=git.commit,
                branch=git.branch,
                diff=diff,
                is_diff_cut=git.is_diff_cut,
                untracked=git.untracked,
            )
            texts |= {diff: git.diff} if diff is not None else {}
        if code is not None:
            text = code.record_text
            record = digest_of_text(text)
            kept = replace(kept, digest=code.digest, record=record)
            texts |= {**code.texts, record: text}
        self.keep_texts(texts)
        return kept

    def texts(self, digests: Collection[str]) -> dict[str, str]:
        """Return texts by their digests; those that are not kept are left out."""
        found: dict[str, str] = {}
        for part in in_chunks(digests):  # pyright: ignore[reportArgumentType]
            found |= {row["digest"]: row["text"] for row in self._all(_TEXTS, digests=part)}
        return found

    def code(self, record: str | None, *, with_texts: bool = True) -> CodeRecord | None:
        """Return the code that a run's row names; None where it names none."""
        text = self.texts([record]).get(record) if record else None
        if text is None:
            return None
        plain = json.loads(text)
        bare = CodeRecord.from_json(plain)
        if not with_texts:
            return bare
        return CodeRecord.from_json(plain, self.texts(bare.sources))

    def keep_environment(self, environment: Environment) -> str:
        """Keep an environment, and return its digest."""
        digest = environment.digest
        if self._first(_ENVIRONMENT, digest_=digest) is None:
            values = {"digest": digest, "content": environment.to_json(), "created_at": self.now}
            self.connection.execute(insert(schema.environments).values(**values))
        return digest

    def environment(self, digest: str | None) -> Environment | None:
        """Return an environment; None where there is none of that digest."""
        row = self._first(_ENVIRONMENT, digest_=digest) if digest else None
        return None if row is None else Environment.from_json(row["content"])

    def recorded_variables(self) -> tuple[str, ...]:
        """Return the names of the environment variables that runs record."""
        return tuple(self.connection.execute(_VARIABLES).scalar() or ())

    def placement(self) -> Placement:
        """Return where runs are launched whose stage and experiment do not say."""
        row = self._first(_PLACEMENT)
        return DEFAULT_PLACEMENT if row is None else Placement.from_row(row["launcher"], row["resources"])

    def set_placement(self, placement: Placement) -> None:
        """Let runs be launched there whose stage and experiment do not say."""
        self.connection.execute(update(schema.workspace).values(**placement.to_row()))

    def limits(self) -> Limits:
        """Return the limits of each machine that launches runs itself."""
        from pipeline_widgets.domain.limits import Limits  # noqa: PLC0415  not before Running

        return Limits.from_json(self.connection.execute(_LIMITS).scalar())

    def set_limits(self, limits: Limits) -> None:
        """Let each machine that launches runs itself have other limits."""
        self.connection.execute(update(schema.workspace).values(limits=limits.to_json()))

    def record_variables(self, names: Collection[str]) -> None:
        """Let runs record these environment variables from now on, and no others."""
        self.connection.execute(update(schema.workspace).values(recorded_variables=list(names)))
