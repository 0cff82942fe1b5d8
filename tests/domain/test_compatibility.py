"""Whether an algorithm can start from an artifact (spec 7.2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from factories.values import DPO, GRPO, PPO, SFT
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.compatibility import ANY, AlgorithmSpec, Port, assess_compatibility

FACETS = ("base", "action", "observation")
signatures = st.dictionaries(st.sampled_from(FACETS), st.sampled_from(["a", "b", None]))
ports = st.builds(
    Port,
    st.sampled_from(["weights", "decoder"]),
    st.sets(st.sampled_from(["lm", "policy", ANY]), min_size=1),
    st.lists(st.sampled_from([*FACETS, "!base"]), unique=True),
)
specs = st.builds(
    AlgorithmSpec,
    name=st.sampled_from(["A", "B"]),
    produces=st.frozensets(st.sampled_from(["lm", "policy", ANY]), min_size=1),
    accepts=st.lists(ports, max_size=3).map(tuple),
)


@pytest.mark.spec("7.2")
def test_the_same_kind_fits_and_says_what_it_is_used_as() -> None:
    """A checkpoint of a kind that a port takes fits, with the port's role in the reason."""
    fit = assess_compatibility(SFT, {}, DPO, {})
    assert fit
    assert fit.role == "init+reference"
    assert fit.reason == "The SFT checkpoint is used as starting weights and reference."


@pytest.mark.spec("7.2")
def test_another_kind_does_not_fit_and_the_reason_names_both() -> None:
    """A kind that no port takes does not fit, and the sentence names what is taken and what is made."""
    fit = assess_compatibility(PPO, {}, DPO, {})
    assert not fit
    assert fit.role is None
    assert fit.reason == "Can't start from PPO: DPO needs a language model, PPO produces a policy."


@pytest.mark.spec("7.2")
def test_signatures_that_contradict_do_not_fit() -> None:
    """Different values of a matched facet are told with both values."""
    fit = assess_compatibility(SFT, {"base": "letters"}, GRPO, {"base": "words"})
    assert not fit
    assert fit.reason == "Can't start from SFT: its base is letters, GRPO needs words."
    assert assess_compatibility(SFT, {"base": "letters"}, GRPO, {"base": "letters"})


@pytest.mark.spec("7.2")
def test_a_facet_that_no_port_matches_by_may_differ() -> None:
    """Only the facets that a port names have to agree."""
    assert assess_compatibility(SFT, {"tokens": 4}, GRPO, {"tokens": 5})


@pytest.mark.spec("7.2")
def test_a_needed_facet_has_to_be_stated() -> None:
    """A facet with "!" has to be present in what was made."""
    needy = AlgorithmSpec(
        name="LatentPPO", produces=frozenset({"policy"}), accepts=(Port("decoder", "lm", "!latent"),)
    )
    fit = assess_compatibility(SFT, {}, needy, {})
    assert fit.reason == "Can't start from SFT: its checkpoint states no latent, which LatentPPO needs."
    assert assess_compatibility(SFT, {"latent": 0}, needy, {})


@pytest.mark.spec("7.2")
def test_an_algorithm_without_ports_always_starts_from_scratch() -> None:
    """Nothing fits an algorithm that accepts nothing, and the reason says so."""
    assert assess_compatibility(SFT, {}, PPO, {}).reason == "PPO always starts from scratch."


@pytest.mark.spec("7.2")
def test_the_first_port_that_fits_is_taken() -> None:
    """The role is that of the first port that fits; when none does, all kinds that fit are named once."""
    both = replace(GRPO, accepts=(Port("decoder", "policy"), Port("weights", "lm"), Port("later", "lm")))
    assert assess_compatibility(SFT, {}, both, {}).role == "weights"
    none = replace(GRPO, accepts=(Port("decoder", "policy"), Port("decoder", "policy"), Port("a", "b")))
    assert assess_compatibility(SFT, {}, none, {}).reason == (
        "Can't start from SFT: GRPO needs a b or a policy, SFT produces a language model."
    )


@pytest.mark.parametrize("kinds", ["lm", ["lm"], {"lm"}, ("lm",)])
def test_a_port_takes_one_kind_or_many(kinds: Any) -> None:
    """A single kind can be written as a plain text."""
    assert Port("weights", kinds).kinds == frozenset({"lm"})


@pytest.mark.spec("7.2")
@given(specs, signatures, specs, signatures)
def test_the_reason_is_one_sentence(
    source: AlgorithmSpec, made: dict[str, Any], candidate: AlgorithmSpec, wants: dict[str, Any]
) -> None:
    """Whatever the verdict, there is a reason that ends once, and a role exactly where it fits."""
    fit = assess_compatibility(source, made, candidate, wants)
    assert fit.reason.endswith(".")
    assert fit.reason.count(".") == 1
    assert bool(fit) == (fit.role is not None)
    if fit:
        assert fit.role in {port.role for port in candidate.accepts}


@pytest.mark.spec("7.2")
@given(specs, signatures, specs, signatures, st.sampled_from(FACETS))
def test_not_knowing_what_is_wanted_never_hinders(
    source: AlgorithmSpec, made: dict[str, Any], candidate: AlgorithmSpec, wants: dict[str, Any], facet: str
) -> None:
    """Forgetting a facet of what the candidate wants keeps every fit."""
    unknown = {name: value for name, value in wants.items() if name != facet}
    if assess_compatibility(source, made, candidate, wants):
        assert assess_compatibility(source, made, candidate, unknown)


@pytest.mark.spec("7.2")
@given(specs, signatures, specs, signatures, st.sampled_from(FACETS))
def test_not_knowing_what_was_made_hinders_only_where_it_is_needed(
    source: AlgorithmSpec, made: dict[str, Any], candidate: AlgorithmSpec, wants: dict[str, Any], facet: str
) -> None:
    """Forgetting a facet of what was made keeps every fit, but for ports that need it stated."""
    unknown = {name: value for name, value in made.items() if name != facet}
    needed = any(f"!{facet}" in port.match for port in candidate.accepts)
    if not needed and assess_compatibility(source, made, candidate, wants):
        assert assess_compatibility(source, unknown, candidate, wants)


@given(specs, signatures, specs, signatures)
def test_any_takes_every_kind(
    source: AlgorithmSpec, made: dict[str, Any], candidate: AlgorithmSpec, wants: dict[str, Any]
) -> None:
    """An algorithm about which nothing is known fits wherever the signatures do."""
    opened = replace(source, produces=frozenset({ANY}))
    if assess_compatibility(source, made, candidate, wants):
        assert assess_compatibility(opened, made, candidate, wants)
