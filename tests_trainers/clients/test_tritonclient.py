"""tritonclient, unchanged, against a policy: JSON, binary tensors, compressed, asynchronous (spec 8.5)."""

from __future__ import annotations

import asyncio
import json
import subprocess
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_async
from clients.agents import Language, Policy
from clients.table import ANSWERED, Table
from tritonclient.utils import InferenceServerException

CLIENT = "tritonclient"
OBSERVATIONS = np.random.default_rng(0).normal(0, 2, (12, 4)).astype(np.float32)
table = Table()


def headers(agent: Policy | Language) -> dict[str, str]:
    """Return the header with the key; a new mapping, since the client adds to it."""
    return {"Authorization": f"Bearer {agent.key}"}


def observed(datatype: str = "FP32", *, binary: bool = True) -> list[Any]:
    """Return the input tensor."""
    tensor = triton.InferInput("observation", list(OBSERVATIONS.shape), datatype)
    kind = {"FP32": np.float32, "FP64": np.float64, "FP16": np.float16}[datatype]
    tensor.set_data_from_numpy(OBSERVATIONS.astype(kind), binary_data=binary)
    return [tensor]


def expected(agent: Policy) -> list[int]:
    """Return the actions, asked for at the agent's own path."""
    body = json.dumps({"observation": OBSERVATIONS.tolist()})
    key = f"Authorization: Bearer {agent.key}"
    command = ["curl", "-sS", "--noproxy", "*", "-H", key, "-d", body, f"{agent.url}/get_action"]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["action"]
    assert set(found) == {0, 1}  # else a mixed-up order would not be seen
    return found


def infer(agent: Policy, inputs: list[Any], **options: Any) -> Any:
    """Infer with a new client."""
    with triton.InferenceServerClient(agent.address) as client:
        return client.infer(agent.name, inputs, headers=headers(agent), **options)


def actions(agent: Policy, result: Any) -> str:
    """Return the actions of a result, once they are seen to be right."""
    got = result.as_numpy("action")
    assert got.tolist() == expected(agent)
    return f"actions {got.tolist()} as {got.dtype}"


@table.row(CLIENT, "is_server_live, is_server_ready, is_model_ready")
def ready(agent: Policy) -> str:
    with triton.InferenceServerClient(agent.address) as client:
        told = [client.is_server_live(), client.is_server_ready(), client.is_model_ready(agent.name)]
    assert told == [True, True, True]
    return str(told)


@table.row(CLIENT, "get_server_metadata")
def server_metadata(agent: Policy) -> str:
    with triton.InferenceServerClient(agent.address) as client:
        told = client.get_server_metadata()
    assert "binary_tensor_data" in told["extensions"]
    return f"{told['name']}, {', '.join(told['extensions'])}"


@table.row(CLIENT, "get_model_metadata")
def model_metadata(agent: Policy) -> str:
    with triton.InferenceServerClient(agent.address) as client:
        told = client.get_model_metadata(agent.name, headers=headers(agent))
    (tensor,) = told["inputs"]
    assert (tensor["name"], tensor["shape"]) == ("observation", [-1, 4])
    return f"{tensor['name']} {tensor['datatype']} {tensor['shape']} -> {told['outputs'][0]['name']}"


@table.row(CLIENT, "get_model_config")
def model_config(agent: Policy) -> str:
    with triton.InferenceServerClient(agent.address) as client:
        told = client.get_model_config(agent.name, headers=headers(agent))
    assert told["input"][0]["dims"] == [-1, 4]
    return f"{told['input'][0]['name']} {told['input'][0]['data_type']}"


@table.row(CLIENT, "infer, binary both ways (its default)")
def infer_binary(agent: Policy) -> str:
    result = infer(agent, observed())
    assert result.get_output("action")["parameters"]["binary_data_size"] > 0
    return actions(agent, result)


@table.row(CLIENT, "infer, JSON both ways")
def infer_json(agent: Policy) -> str:
    outputs = [triton.InferRequestedOutput("action", binary_data=False)]
    result = infer(agent, observed(binary=False), outputs=outputs)
    assert "data" in result.get_output("action")
    return actions(agent, result)


@table.row(CLIENT, "infer, binary in and JSON out")
def infer_mixed(agent: Policy) -> str:
    outputs = [triton.InferRequestedOutput("action", binary_data=False)]
    return actions(agent, infer(agent, observed(), outputs=outputs))


@table.row(CLIENT, "infer, JSON in and binary out, FP64, with an id")
def infer_named(agent: Policy) -> str:
    outputs = [triton.InferRequestedOutput("action", binary_data=True)]
    result = infer(agent, observed("FP64", binary=False), outputs=outputs, request_id="7", model_version="1")
    assert result.get_response()["id"] == "7"
    return actions(agent, result)


@table.row(CLIENT, "infer, gzip both ways")
def infer_gzip(agent: Policy) -> str:
    options = {"request_compression_algorithm": "gzip", "response_compression_algorithm": "gzip"}
    return actions(agent, infer(agent, observed(), **options))


@table.row(CLIENT, "infer, deflate both ways, 6,000 rows")
def infer_deflate(agent: Policy) -> str:
    many = np.tile(OBSERVATIONS, (500, 1))
    tensor = triton.InferInput("observation", list(many.shape), "FP32")
    tensor.set_data_from_numpy(many)
    options = {"request_compression_algorithm": "deflate", "response_compression_algorithm": "deflate"}
    got = infer(agent, [tensor], **options).as_numpy("action")
    assert got.tolist() == expected(agent) * 500
    return f"{len(got)} actions"


@table.row(CLIENT, "async_infer, 8 at once")
def infer_async(agent: Policy) -> str:
    with triton.InferenceServerClient(agent.address, concurrency=4) as client:
        asked = [client.async_infer(agent.name, observed(), headers=headers(agent)) for _ in range(8)]
        got = [each.get_result().as_numpy("action").tolist() for each in asked]
    assert got == [expected(agent)] * 8
    return f"8 times {got[0]}"


@table.row("tritonclient.aio", "infer")
def infer_aio(agent: Policy) -> str:
    async def ask() -> Any:
        async with triton_async.InferenceServerClient(agent.address) as client:
            return await client.infer(agent.name, observed(), headers=headers(agent))

    return actions(agent, asyncio.run(ask()))


def refused(agent: Policy, inputs: list[Any], status: str, **options: Any) -> str:
    """Return the refusal of an inference."""
    with pytest.raises(InferenceServerException) as caught:
        infer(agent, inputs, **options)
    assert caught.value.status() == status
    return f"{status}: {caught.value.message()}"


@table.row(CLIENT, "infer with a wrong tensor name")
def wrong_name(agent: Policy) -> str:
    tensor = triton.InferInput("x", list(OBSERVATIONS.shape), "FP32")
    tensor.set_data_from_numpy(OBSERVATIONS)
    return refused(agent, [tensor], "422")


@table.row(CLIENT, "infer with a wrong version")
def wrong_version(agent: Policy) -> str:
    return refused(agent, observed(), "404", model_version="9")


@table.row(CLIENT, "infer with shared memory")
def shared_memory(agent: Policy) -> str:
    tensor = triton.InferInput("observation", list(OBSERVATIONS.shape), "FP32")
    tensor.set_shared_memory("region", OBSERVATIONS.nbytes)
    return refused(agent, [tensor], "400")


@table.row(CLIENT, "infer with a zip bomb")
def zip_bomb(agent: Policy) -> str:
    zeros = np.zeros((1_000_000, 4), np.float32)
    tensor = triton.InferInput("observation", list(zeros.shape), "FP32")
    tensor.set_data_from_numpy(zeros)
    return refused(agent, [tensor], "413", request_compression_algorithm="gzip")


@table.row(CLIENT, "infer without a key")
def no_key(agent: Policy) -> str:
    client = triton.InferenceServerClient(agent.address)
    with client, pytest.raises(InferenceServerException) as caught:
        client.infer(agent.name, observed())
    assert caught.value.status() == "401"
    return f"401: {caught.value.message()}"


@pytest.mark.spec("8.5")
@pytest.mark.parametrize("row", table)
def test_tritonclient_is_answered(row: str, policy: Policy, record_property: Any) -> None:
    """Every call of the table, by the client as it is installed."""
    record_property(ANSWERED, f"{row} | {table[row](policy)}")


@pytest.mark.spec("8.5")
def test_tritonclient_asks_a_language_model_with_texts(language: Language, record_property: Any) -> None:
    """BYTES tensors, binary and as JSON, are prompts, and so are the answers."""
    for binary in (True, False):
        tensor = triton.InferInput("prompt", [len(language.prompts)], "BYTES")
        tensor.set_data_from_numpy(np.array(language.prompts, dtype=object), binary_data=binary)
        with triton.InferenceServerClient(language.address) as client:
            result = client.infer(language.name, [tensor], headers=headers(language))
        got = [text.decode() for text in result.as_numpy("text")]
        assert got == [language.predictor(prompt) for prompt in language.prompts]
        how = "binary" if binary else "JSON"
        record_property(ANSWERED, f"{CLIENT} | infer, BYTES as {how}, of {language.name} | {got}")
