"""Tensors as bytes after the JSON, over real sockets and as values (spec 8.5)."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Generator, Mapping
from contextlib import suppress
from typing import Any

import pytest
from endpoint_server import Answer, Endpoint, endpoint
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.errors import PipelineError
from pipeline_widgets.serving.binary_tensors import FORMATS, attach_data, encode_outputs

INFER = "/v2/models/an%20agent/infer"


@pytest.fixture(name="agent", scope="module")
def _agent() -> Generator[Endpoint]:
    """An agent that answers with what it is asked, by the names of the metadata."""
    with endpoint(lambda asked: asked, example=[0.5, 0.5]) as made:
        yield made


def sent(datatype: str, shape: list[int], raw: bytes, **tensor: Any) -> dict[str, Any]:
    """Return the JSON of a request for one binary tensor."""
    parameters = {"binary_data_size": len(raw)}
    described = {"name": "input", "datatype": datatype, "shape": shape, "parameters": parameters, **tensor}
    return {"inputs": [described], "parameters": {"binary_data_output": True}}


def infer(agent: Endpoint, request: Mapping[str, Any], raw: bytes, **headers: str) -> Answer:
    """Send a request with bytes after its JSON."""
    head = json.dumps(request).encode()
    return agent.ask(INFER, head + raw, **{"Inference_Header_Content_Length": str(len(head)), **headers})


def read(answer: Answer) -> tuple[dict[str, Any], bytes]:
    """Return the JSON of an answer, and the bytes after it."""
    assert answer.status == 200, answer.body
    size = int(answer.headers["inference-header-content-length"])
    return json.loads(answer.body[:size]), answer.body[size:]


@pytest.mark.spec("8.5")
@pytest.mark.parametrize(
    ("datatype", "raw", "datatype_back", "raw_back"),
    [
        ("FP32", struct.pack("<2f", 1.5, -2), "FP64", struct.pack("<2d", 1.5, -2)),
        ("FP64", struct.pack("<2d", 0.1, 1e300), "FP64", struct.pack("<2d", 0.1, 1e300)),
        ("FP16", struct.pack("<2e", 0.5, 3), "FP64", struct.pack("<2d", 0.5, 3)),
        ("BF16", struct.pack("<2f", 0.5, -3)[2:4] + struct.pack("<f", -3)[2:], "FP64", None),
        ("INT8", b"\xff\x02", "INT64", struct.pack("<2q", -1, 2)),
        ("INT32", struct.pack("<2i", -7, 7), "INT64", struct.pack("<2q", -7, 7)),
        ("UINT64", struct.pack("<2Q", 1, 2**64 - 1), "UINT64", struct.pack("<2Q", 1, 2**64 - 1)),
        ("BOOL", b"\x01\x00", "BOOL", b"\x01\x00"),
        ("BYTES", b"\2\0\0\0ab\3\0\0\0\xe2\x82\xac", "BYTES", b"\2\0\0\0ab\3\0\0\0\xe2\x82\xac"),
    ],
)
def test_a_tensor_goes_in_and_comes_back_as_bytes(
    agent: Endpoint, datatype: str, raw: bytes, datatype_back: str, raw_back: bytes | None
) -> None:
    """Little-endian, row by row; the answer names the bytes of each output."""
    told, back = read(infer(agent, sent(datatype, [2], raw), raw))
    (output,) = told["outputs"]
    assert (output["datatype"], output["shape"]) == (datatype_back, [2])
    assert output["parameters"] == {"binary_data_size": len(back)}
    assert "data" not in output
    assert back == (raw_back or struct.pack("<2d", 0.5, -3))


@pytest.mark.spec("8.5")
def test_each_output_comes_as_it_is_asked_for() -> None:
    """The wish for one output goes before that for all; JSON is the default."""
    with endpoint(lambda asked: asked, example={"a": [0.5], "b": ["x"]}) as agent:
        raw = struct.pack("<f", 1)
        inputs = [
            {"name": "a", "datatype": "FP32", "shape": [1], "parameters": {"binary_data_size": 4}},
            {"name": "b", "datatype": "BYTES", "shape": [1], "data": ["y"]},
        ]
        outputs = [{"name": "b", "parameters": {"binary_data": True}}, {"name": "a"}]
        told, back = read(infer(agent, {"inputs": inputs, "outputs": outputs, "id": "7"}, raw))
        assert (told["id"], told["model_version"], back) == ("7", "3", b"\1\0\0\0y")
        assert told["outputs"][0]["parameters"] == {"binary_data_size": 5}
        assert told["outputs"][1]["data"] == [1.0]
        outputs = [{"name": "a", "parameters": {"binary_data": False}}]
        by_default = {"binary_data_output": True}
        asked = {"inputs": inputs, "outputs": outputs, "parameters": by_default}
        answer = infer(agent, asked, raw)
        assert "inference-header-content-length" not in answer.headers
        assert answer.json["outputs"][0]["data"] == [1.0]


@pytest.mark.spec("8.5")
def test_a_binary_request_may_be_compressed_and_declares_what_it_likes(agent: Endpoint) -> None:
    """The length of the JSON is that before compression, both ways."""
    raw = struct.pack("<600d", *range(600))
    request = sent("FP64", [600], raw)
    head = json.dumps(request).encode()
    length = {"Inference_Header_Content_Length": str(len(head))}
    answer = agent.ask(
        INFER, gzip.compress(head + raw), Content_Encoding="gzip", Accept_Encoding="deflate", **length
    )
    assert answer.headers["content-encoding"] == "deflate"
    assert read(answer)[1] == raw
    assert read(infer(agent, request, raw, Content_Type="application/octet-stream"))[1] == raw


RAW = struct.pack("<2f", 1, 2)
BAD: dict[str, tuple[dict[str, Any], bytes, dict[str, str], str]] = {
    "too few bytes": (sent("FP32", [2], RAW), RAW[:-1], {}, "are not there"),
    "too many bytes": (sent("FP32", [2], RAW), RAW + b"!", {}, "longer than its tensors"),
    "another shape": (sent("FP32", [3], RAW), RAW, {}, "holds 3 values, and it has 2"),
    "a part of a number": (sent("FP32", [2], RAW[:-1]), RAW[:-1], {}, "a FP32 takes 4"),
    "a negative size": (sent("FP32", [2], RAW, parameters={"binary_data_size": -1}), b"", {}, "not there"),
    "no size": (sent("FP32", [2], RAW, parameters={"binary_data_size": True}), RAW, {}, "not there"),
    "data twice": (sent("FP32", [2], RAW, data=[1, 2]), RAW, {}, "has its data twice"),
    "an unknown datatype": (sent("FP8", [2], RAW), RAW, {}, "FP8"),
    "a text that is cut off": (sent("BYTES", [1], b"\5\0\0\0ab"), b"\5\0\0\0ab", {}, "contradicts itself"),
    "half a length": (sent("BYTES", [1], b"\5\0"), b"\5\0", {}, "contradicts itself"),
    "no text": (sent("BYTES", [1], b"\1\0\0\0\xff"), b"\1\0\0\0\xff", {}, "not UTF-8"),
    "NaN": (sent("FP32", [1], RAW[:4]), struct.pack("<f", float("nan")), {}, "holds nan"),
    "no length": (sent("FP32", [2], RAW), RAW, {"Inference_Header_Content_Length": "x"}, "is wrong"),
    "a long length": (sent("FP32", [2], RAW), RAW, {"Inference_Header_Content_Length": "9999"}, "is wrong"),
    "a length of 0": (sent("FP32", [2], RAW), RAW, {"Inference_Header_Content_Length": "0"}, "is wrong"),
    "half the JSON": (sent("FP32", [2], RAW), RAW, {"Inference_Header_Content_Length": "9"}, "broken JSON"),
    "shared memory": (
        sent("FP32", [2], RAW, parameters={"shared_memory_region": "x"}),
        b"",
        {},
        "Shared memory is not supported",
    ),
    "a sequence": (
        {**sent("FP32", [2], RAW), "parameters": {"sequence_id": 7}},
        RAW,
        {},
        "Sequences are not supported",
    ),
    "classes": (
        {**sent("FP32", [2], RAW), "outputs": [{"name": "output", "parameters": {"classification": 3}}]},
        RAW,
        {},
        "Classification is not supported",
    ),
    "an endless name": (sent("FP32", [2], RAW, name="x" * 9000), RAW, {}, "xxx…"),
}


@pytest.mark.spec("8.3", "8.5")
@pytest.mark.parametrize(("request_json", "raw", "headers", "reason"), BAD.values(), ids=BAD)
def test_bytes_that_contradict_the_json_are_refused_in_the_protocols_form(
    agent: Endpoint, request_json: dict[str, Any], raw: bytes, headers: dict[str, str], reason: str
) -> None:
    """The answer is 4xx with the one field that the protocol has, and the next request is answered."""
    answer = infer(agent, request_json, raw, **headers)
    assert 400 <= answer.status < 500
    assert list(answer.json) == ["error"]
    assert reason in answer.json["error"]
    assert len(answer.body) < 1000
    assert read(infer(agent, sent("FP32", [2], RAW), RAW))[1] == struct.pack("<2d", 1, 2)


@pytest.mark.spec("8.5")
def test_a_size_without_the_header_is_refused(agent: Endpoint) -> None:
    """Without the length of the JSON no bytes follow it."""
    answer = agent.ask(INFER, sent("FP32", [2], RAW))
    assert answer.status == 400
    assert "Inference-Header-Content-Length" in answer.json["error"]


@pytest.mark.spec("8.5")
def test_the_metadata_and_the_configuration_name_the_extensions_and_the_tensors(agent: Endpoint) -> None:
    """A client reads what it can send before it sends anything."""
    assert agent.get("/v2").json["extensions"] == ["binary_tensor_data", "model_configuration"]
    config = agent.get("/v2/models/an%20agent/config").json
    tensor = {"data_type": "TYPE_FP64", "dims": [-1, 2]}
    assert config["input"] == [{"name": "input", **tensor}]
    assert config["output"] == [{"name": "output", **tensor}]
    assert config["max_batch_size"] == 0
    assert agent.get("/v2/models/other/config").status == 404
    assert agent.get("/v2/models/an%20agent/versions/3/config").json == config


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "FP64": st.floats(allow_nan=False, allow_infinity=False),
    "INT64": st.integers(-(2**63), 2**63 - 1),
    "UINT64": st.integers(0, 2**64 - 1),
    "BOOL": st.booleans(),
    "BYTES": st.text(st.characters(exclude_categories=["Cs"])),
}


@given(st.data(), st.sampled_from(sorted(VALUES)))
def test_what_is_written_as_bytes_is_read_as_it_was(data: st.DataObject, datatype: str) -> None:
    """Every datatype that an answer has comes back through a request unchanged."""
    values = data.draw(st.lists(VALUES[datatype]))
    tensor = {"name": "x", "datatype": datatype, "shape": [len(values)], "data": values}
    (told,), raw = encode_outputs({"parameters": {"binary_data_output": True}}, [tensor])
    back = attach_data({"inputs": [told]}, raw)
    assert back["inputs"][0]["data"] == values


@given(st.sampled_from(sorted({*FORMATS, "BYTES"})), st.binary(max_size=40))
def test_any_bytes_are_values_or_refused(datatype: str, raw: bytes) -> None:
    """Whatever follows the JSON causes no error but the one that says why."""
    with suppress(PipelineError):
        back = attach_data(sent(datatype, [1], raw), raw)
        assert isinstance(back["inputs"][0]["data"], list)
