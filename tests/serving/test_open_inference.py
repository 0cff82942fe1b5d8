"""Tensors of the Open Inference Protocol, there and back (spec 8.3)."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline_widgets.errors import PipelineError
from pipeline_widgets.serving.open_inference import (
    ModelPath,
    build_outputs,
    describe_model,
    get_request_id,
    get_requested_outputs,
    model_path,
    read_inputs,
    select_outputs,
)


def a_tensor(**fields: Any) -> dict[str, Any]:
    """Return a tensor of one number, but for what is said."""
    return {"name": "x", "shape": [1], "datatype": "FP32", "data": [1], **fields}


def nested(depth: int) -> Any:
    """Return a number in that many lists."""
    data: Any = 1
    for _ in range(depth):
        data = [data]
    return data


def in_objects(depth: int) -> Any:
    """Return a number in that many objects."""
    data: Any = 1
    for _ in range(depth):
        data = {"a": data}
    return data


BROKEN: dict[str, dict[str, Any]] = {
    "three million lists": {"shape": [3_000_000, 0], "data": []},
    "lists upon lists": {"shape": [400_000, *[1] * 9], "data": [1] * 400_000},
    "900 dimensions": {"shape": [1] * 900},
    "data in 900 lists": {"data": nested(900)},
    "data in 900 objects": {"data": [in_objects(900)]},
    "endless sizes": {"shape": [10**4000] * 2},
    "a datatype that is a list": {"datatype": ["FP32"]},
    "a datatype that is an object": {"datatype": {}},
    "a datatype in 900 objects": {"datatype": in_objects(900)},
    "no datatype": {"datatype": None},
    "a size that is none": {"shape": [True]},
    "a negative size": {"shape": [-1]},
    "no name": {"name": 5},
    "too few values": {"shape": [2]},
    "a single value without one": {"shape": [], "data": []},
    "text": {"data": ["1"]},
    "a truth value": {"data": [True]},
    "nothing": {"data": [None]},
    "no integer": {"datatype": "INT32", "data": [1.5]},
    "below UINT8": {"datatype": "UINT8", "data": [-5]},
    "above UINT8": {"datatype": "UINT8", "data": [256]},
    "below INT8": {"datatype": "INT8", "data": [-129]},
    "above INT64": {"datatype": "INT64", "data": [2**63]},
    "above FP16": {"datatype": "FP16", "data": [1e5]},
    "above FP32": {"data": [1e39]},
    "above FP64": {"datatype": "FP64", "data": [10**400]},
}


@pytest.mark.spec("8.3")
@pytest.mark.parametrize("fields", BROKEN.values(), ids=BROKEN.keys())
def test_a_tensor_that_is_none_is_refused_with_a_reason(fields: dict[str, Any]) -> None:
    """However large or deep it is, the answer is a short sentence."""
    with pytest.raises(PipelineError) as caught:
        read_inputs({"inputs": [a_tensor(**fields)]})
    assert caught.value.why or caught.value.fix
    assert len(str(caught.value)) < 500


GOOD: dict[str, tuple[dict[str, Any], Any]] = {
    "one value": ({"shape": [], "data": [1]}, 1),
    "flat": ({"shape": [2, 2], "data": [1, 2, 3, 4]}, [[1, 2], [3, 4]]),
    "nested": ({"shape": [2, 2], "data": [[1, 2], [3, 4]]}, [[1, 2], [3, 4]]),
    "no rows": ({"shape": [0, 3], "data": []}, []),
    "the largest of UINT64": ({"datatype": "UINT64", "data": [2**64 - 1]}, [2**64 - 1]),
    "the smallest of INT8": ({"datatype": "INT8", "data": [-128]}, [-128]),
    "the largest of FP16": ({"datatype": "FP16", "data": [65_504]}, [65_504]),
    "texts": ({"datatype": "BYTES", "data": ["a"]}, ["a"]),
    "truth values": ({"datatype": "BOOL", "data": [True]}, [True]),
}


@pytest.mark.spec("8.3")
@pytest.mark.parametrize(("fields", "values"), GOOD.values(), ids=GOOD.keys())
def test_a_tensor_becomes_what_a_predictor_takes(fields: dict[str, Any], values: Any) -> None:
    """Its values lie in lists as its shape says."""
    assert read_inputs({"inputs": [a_tensor(**fields)]}) == values


@pytest.mark.spec("8.3")
def test_tensors_have_the_names_of_the_metadata() -> None:
    """Where an example says what is taken, other names are refused; else one tensor may have any name."""
    one, two = {"inputs": [a_tensor()]}, {"inputs": [a_tensor(), a_tensor(name="y")]}
    assert read_inputs(one) == [1]
    assert read_inputs(two) == {"x": [1], "y": [1]}
    assert read_inputs(one, [0.0], "x") == [1]
    assert read_inputs(one, {"x": [0.0]}, "input") == {"x": [1]}
    for request, example, name in ((one, [0.0], "input"), (two, [0.0], "x"), (one, {"x": 0, "y": 0}, "x")):
        with pytest.raises(PipelineError, match="other names"):
            read_inputs(request, example, name)
    with pytest.raises(PipelineError, match="same name"):
        read_inputs({"inputs": [a_tensor(), a_tensor()]})


ANSWERS: list[tuple[Any, list[int], str, list[Any]]] = [
    (1.5, [1], "FP64", [1.5]),
    (3, [1], "INT64", [3]),
    (True, [1], "BOOL", [True]),
    ("a", [1], "BYTES", ["a"]),
    ([1, 2.5], [2], "FP64", [1, 2.5]),
    ([[1, 2], [3, 4]], [2, 2], "INT64", [1, 2, 3, 4]),
    ([], [0], "FP64", []),
    (2**63, [1], "UINT64", [2**63]),
    (10**30, [1], "FP64", [10**30]),
    (10**400, [1], "BYTES", [str(10**400)]),
    ([[1, 2, 3], [4, 5], [6]], [1], "BYTES", ["[[1, 2, 3], [4, 5], [6]]"]),
    ([[1], 2], [1], "BYTES", ["[[1], 2]"]),
    (["a", 1], [1], "BYTES", ['["a", 1]']),
    ([True, 2], [1], "BYTES", ["[true, 2]"]),
    ([{"a": 1}], [1], "BYTES", ['[{"a": 1}]']),
    (None, [1], "BYTES", ["null"]),
]


@pytest.mark.spec("8.3")
@pytest.mark.parametrize(
    ("answer", "shape", "datatype", "data"), ANSWERS, ids=[str(each[0])[:20] for each in ANSWERS]
)
def test_an_answer_becomes_a_tensor_or_is_told_as_json(
    answer: Any, shape: list[int], datatype: str, data: list[Any]
) -> None:
    """The datatype holds each of its values; what is ragged or of several kinds goes as its JSON."""
    assert build_outputs(answer, "y") == [{"name": "y", "shape": shape, "datatype": datatype, "data": data}]


@pytest.mark.spec("8.3")
def test_what_a_request_asks_for_beside_its_inputs() -> None:
    """Outputs by name and an id that is text; anything else is refused, and not passed over."""
    tensors = build_outputs({"a": 1, "b": 2}, "y")
    assert select_outputs(tensors, get_requested_outputs({})) == tensors
    assert [
        each["name"] for each in select_outputs(tensors, get_requested_outputs({"outputs": [{"name": "b"}]}))
    ] == ["b"]
    assert get_request_id({"id": "7"}) == {"id": "7"}
    assert get_request_id({}) == {}
    with pytest.raises(PipelineError, match="no output 'c'"):
        select_outputs(tensors, ["c"])
    wrongs: list[Any] = ["a", ["a"], [{"name": 1}], {}]
    for wrong in wrongs:
        with pytest.raises(PipelineError, match="no names"):
            get_requested_outputs({"outputs": wrong})
    with pytest.raises(PipelineError, match="id of the request"):
        get_request_id({"id": 5})


@pytest.mark.spec("8.3")
def test_the_metadata_is_what_an_example_looks_like() -> None:
    """Any number of rows is taken; without an example nothing is said."""
    assert describe_model(None, "input") == []
    assert describe_model([0.0, 0.0], "input") == [{"name": "input", "datatype": "FP64", "shape": [-1, 2]}]
    assert describe_model({"a": "x", "b": [1]}, "input") == [
        {"name": "a", "datatype": "BYTES", "shape": [-1]},
        {"name": "b", "datatype": "INT64", "shape": [-1, 1]},
    ]


@pytest.mark.spec("8.3")
@pytest.mark.parametrize(
    ("path", "agent", "expected"),
    [
        ("x", "x", ModelPath("x", None, None)),
        ("x/infer", "x", ModelPath("x", None, "infer")),
        ("x/versions/2/ready", "x", ModelPath("x", "2", "ready")),
        ("x/versions/1", "x/versions/1", ModelPath("x/versions/1", None, None)),
        ("x/versions/1/infer", "x/versions/1", ModelPath("x/versions/1", None, "infer")),
        ("a b/ready/ready", "a b/ready", ModelPath("a b/ready", None, "ready")),
        ("infer/infer", "infer", ModelPath("infer", None, "infer")),
        ("y/versions/3/infer", "x", ModelPath("y", "3", "infer")),
        ("", "x", ModelPath("", None, None)),
        ("a\nb/infer", "x", ModelPath("a\nb", None, "infer")),
    ],
)
def test_a_path_names_an_agent_a_version_and_what_is_asked(
    path: str, agent: str, expected: ModelPath
) -> None:
    """The agent's own name comes first, whatever it looks like."""
    assert model_path(path, agent) == expected
