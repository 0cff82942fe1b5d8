"""The declaration of an algorithm, and whether it can start from another's checkpoint (spec section 7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pipeline_widgets.directions import isolate
from pipeline_widgets.domain.artifact_words import describe_kinds, describe_role

#: Facets of an artifact that have to agree, such as {"base_model": "letters", "action": "Discrete(2)"}.
Signature: TypeAlias = Mapping[str, str | int | float | bool | None]

#: The kind that fits everything: for algorithms about which nothing is known.
ANY = "any"

STOP_WITHIN = 10.0  # seconds that a training may take to stop, where an algorithm does not say
LOAD_WITHIN = 60.0  # seconds that opening a checkpoint may take, where an algorithm does not say
ANSWER_WITHIN = 30.0  # seconds that one answer may take


@dataclass(frozen=True, slots=True)
class Port:
    """One way in which an algorithm can start from a checkpoint.

    Args:
        role: What the checkpoint becomes: "weights", "decoder", "init+reference", ...
        kinds: Artifact kinds that it takes; "any" takes all.
        match: Facets of the signatures that must be equal. "!facet" must merely be present.
    """

    role: str
    kinds: frozenset[str]
    match: tuple[str, ...]

    def __init__(self, role: str, kinds: Iterable[str], match: Iterable[str] = ()) -> None:
        object.__setattr__(self, "role", role)
        object.__setattr__(self, "kinds", frozenset([kinds] if isinstance(kinds, str) else kinds))
        object.__setattr__(self, "match", tuple([match] if isinstance(match, str) else match))


@dataclass(frozen=True, kw_only=True, slots=True)
class AlgorithmSpec:
    """The declaration of an algorithm: everything about it but its code."""

    name: str
    produces: frozenset[str]
    accepts: tuple[Port, ...] = ()
    scratch: bool = True
    #: "max" where a higher score is better, "min" where a lower one is.
    score: Literal["max", "min"] = "max"
    #: Seconds that an agent may take to open a checkpoint, and to answer once.
    load_within: float = LOAD_WITHIN
    answer_within: float = ANSWER_WITHIN
    #: Seconds without progress of a save after which a training that was asked to stop is ended.
    stop_within: float = STOP_WITHIN
    #: Glob patterns of files that only a resumed run needs; an agent's copy leaves them out.
    training_only: tuple[str, ...] = ()
    #: The installed modules that its runs import, to be imported ahead of them.
    preload: tuple[str, ...] = ()

    @property
    def accepted_kinds(self) -> frozenset[str]:
        """The artifact kinds that it can start from, by any port."""
        return frozenset[str]().union(*(port.kinds for port in self.accepts))

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher score wins."""
        return self.score == "max"


@dataclass(frozen=True, kw_only=True, slots=True)
class FitResult:
    """Whether an algorithm can start from an artifact, and the reason in one sentence."""

    fits: bool
    reason: str
    #: What the checkpoint is used as; None where it does not fit.
    role: str | None = None

    def __bool__(self) -> bool:
        return self.fits


def assess_compatibility(
    source: AlgorithmSpec, made: Signature, candidate: AlgorithmSpec, wants: Signature
) -> FitResult:
    """Tell whether `candidate` can start from what `source` produces, through the first port that fits.

    A facet that either side does not state contradicts nothing, so it does not hinder the fit.

    Args:
        source: The algorithm of the source stage.
        made: The signature of what it made or will make.
        candidate: The algorithm that would start from it.
        wants: The signature of the experiment that would start.
    """
    taker, maker = isolate(candidate.name), isolate(source.name)
    if not candidate.accepts:
        return FitResult(fits=False, reason=f"{taker} always starts from scratch.")
    problems: list[str] = []
    for port in candidate.accepts:
        if not _takes_kind(port, source):
            continue
        problem = _facet_problem(port, made, taker, wants)
        if problem is None:
            reason = f"The {maker} checkpoint is used as {describe_role(port.role)}."
            return FitResult(fits=True, reason=reason, role=port.role)
        problems.append(problem)
    if not problems:  # no port takes such a checkpoint
        needed = describe_kinds(candidate.accepted_kinds)
        produced = describe_kinds(source.produces, joined_by="and")
        problems = [f"{taker} needs {needed}, {maker} produces {produced}"]
    why = "; ".join(dict.fromkeys(problems))
    return FitResult(fits=False, reason=f"Can't start from {maker}: {why}.")


def _takes_kind(port: Port, source: AlgorithmSpec) -> bool:
    return ANY in port.kinds | source.produces or bool(port.kinds & source.produces)


def _facet_problem(port: Port, made: Signature, taker: str, wants: Signature) -> str | None:
    """Say which facet of a port contradicts or is missing; None where they agree."""
    for facet in port.match:
        name = facet.removeprefix("!")
        if facet.startswith("!") and made.get(name) is None:
            return f"its checkpoint states no {name}, which {taker} needs"
        ours, theirs = wants.get(name), made.get(name)
        if ours is not None and theirs is not None and ours != theirs:
            return f"its {name} is {theirs}, {taker} needs {ours}"
    return None
