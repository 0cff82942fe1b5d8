"""Tensors as bytes after the JSON of a request or an answer: the binary tensor data extension.

https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pipeline_widgets.errors import PipelineError
from pipeline_widgets.serving.open_inference import abbreviate

#: How many of the first bytes of a body are its JSON; the bytes of its tensors follow.
JSON_LENGTH = "Inference-Header-Content-Length"
SIZE, WANTED, WANTED_BY_DEFAULT = "binary_data_size", "binary_data", "binary_data_output"
#: Characters of the module `struct`. BF16 is the upper half of FP32.
FORMATS = {
    "BOOL": "?",
    "FP16": "e",
    "FP32": "f",
    "FP64": "d",
    "BF16": "H",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
}
LENGTH_BYTES = 4  # before each of the texts of a BYTES tensor
#: Parameters that ask for what is not done here, at any place of a request.
REFUSED = {
    "shared_memory_region": "Shared memory is not supported.",
    "classification": "Classification is not supported.",
    "sequence_id": "Sequences are not supported.",
}


def split_body(raw: bytes, json_length: str | None) -> tuple[bytes, bytes | None]:
    """Return the JSON of a body, and the bytes of its tensors; None where it has no such part.

    Raises:
        PipelineError: The header does not name a part of the body.
    """
    if json_length is None:
        return raw, None
    size = int(json_length) if json_length.isascii() and json_length.isdigit() else -1
    if not 0 < size <= len(raw):
        why = f"It is {abbreviate(json_length)}, and the body has {len(raw)} bytes."
        fix = "Send the length of the JSON before the tensors."
        raise PipelineError(f"The header {JSON_LENGTH} is wrong.", why, fix)
    return raw[:size], raw[size:]


def attach_data(request: Mapping[str, Any], binary: bytes | None) -> dict[str, Any]:
    """Return a request whose binary tensors have their values as data, as tensors in JSON have.

    Args:
        request: The JSON of the body.
        binary: What follows it; None where nothing does.

    Raises:
        PipelineError: The bytes are not those that the tensors name, or something is not supported.
    """
    check_supported(request)
    inputs, at, rest = list[Any](), 0, binary or b""
    for tensor in _list(request, "inputs"):
        size = _parameters(tensor).get(SIZE)
        if size is None:
            inputs.append(tensor)
            continue
        name = abbreviate(tensor.get("name"))
        if type(size) is not int or not 0 <= size <= len(rest) - at:
            why = f"It names {abbreviate(size)} bytes, and {len(rest) - at} are left of the body."
            fix = f"Send the tensors in order after the JSON, and the header {JSON_LENGTH}."
            raise PipelineError(f"The bytes of tensor {name} are not there.", why, fix)
        if "data" in tensor:
            fix = f"Leave out 'data' or '{SIZE}'."
            raise PipelineError(f"Tensor {name} has its data twice.", "In the JSON, and after it.", fix)
        data = _decode(name, tensor.get("datatype"), rest[at : at + size])
        inputs.append({**tensor, "data": data})
        at += size
    if at < len(rest):
        why = f"{len(rest) - at} bytes follow the last tensor."
        raise PipelineError("The body is longer than its tensors.", why, f"Correct each '{SIZE}'.")
    return {**request, "inputs": inputs} if inputs else dict(request)


def check_supported(request: Mapping[str, Any]) -> None:
    """Refuse a request that asks for what the protocol knows and is not done here.

    Raises:
        PipelineError: It does.
    """
    for asked in (request, *_tensors(request, "inputs"), *_tensors(request, "outputs")):
        for name, value in _parameters(asked).items():
            if name in REFUSED and value:
                raise PipelineError(REFUSED[name], fix=f"Leave out the parameter {name!r}.")


def encode_outputs(
    request: Mapping[str, Any], outputs: Sequence[dict[str, Any]]
) -> tuple[list[dict[str, Any]], bytes | None]:
    """Return output tensors for the JSON of an answer, and the bytes of those that are wanted as bytes.

    There are none where no output is wanted so.
    """
    by_default = _parameters(request).get(WANTED_BY_DEFAULT) is True
    asked = {each.get("name"): _parameters(each).get(WANTED) for each in _tensors(request, "outputs")}
    told, binary = list[dict[str, Any]](), list[bytes]()
    for tensor in outputs:
        wanted = asked.get(tensor["name"])
        if wanted is not True and not (wanted is None and by_default):
            told.append(tensor)
            continue
        raw = _encode(tensor["datatype"], tensor["data"])
        binary.append(raw)
        bare = {name: value for name, value in tensor.items() if name != "data"}
        told.append({**bare, "parameters": {SIZE: len(raw)}})
    return told, b"".join(binary) if binary else None


def join_body(content: Mapping[str, Any], binary: bytes) -> tuple[bytes, dict[str, str]]:
    """Return the body of an answer with binary tensors, and its headers."""
    head = json.dumps(content, allow_nan=False, separators=(",", ":")).encode()
    return head + binary, {JSON_LENGTH: str(len(head)), "Content-Type": "application/octet-stream"}


def _decode(name: str, datatype: object, raw: bytes) -> list[Any]:
    if datatype == "BYTES":
        return _decode_texts(name, raw)
    kind = FORMATS.get(str(datatype))
    if kind is None:
        known = ", ".join(sorted({*FORMATS, "BYTES"}))
        raise PipelineError(f"Tensor {name} has the datatype {abbreviate(datatype)}.", fix=f"Known: {known}.")
    count, rest = divmod(len(raw), struct.calcsize(f"<{kind}"))
    if rest:
        why = f"It has {len(raw)} bytes, and a {datatype} takes {struct.calcsize(f'<{kind}')}."
        raise PipelineError(f"Tensor {name} contradicts itself.", why, "Correct its datatype or its bytes.")
    values = struct.unpack(f"<{count}{kind}", raw)
    if datatype == "BF16":
        return list(struct.unpack(f"<{count}f", struct.pack(f"<{count}I", *(each << 16 for each in values))))
    return list(values)


def _decode_texts(name: str, raw: bytes) -> list[str]:
    """Return the texts of a BYTES tensor: before each stands its length."""
    texts, at = list[str](), 0
    while at < len(raw):
        start = at + LENGTH_BYTES
        size = int.from_bytes(raw[at:start], "little") if start <= len(raw) else len(raw)
        if start + size > len(raw):
            why = "A length before one of its texts is more than what follows."
            fix = f"Send each as its length in {LENGTH_BYTES} bytes, the lowest first, and the text."
            raise PipelineError(f"Tensor {name} contradicts itself.", why, fix)
        try:
            texts.append(raw[start : start + size].decode())
        except UnicodeDecodeError as error:
            raise PipelineError(f"Tensor {name} is not UTF-8.", f"{error}.", "Send texts.") from error
        at = start + size
    return texts


def _encode(datatype: str, data: Sequence[Any]) -> bytes:
    if datatype == "BYTES":
        texts = [str(each).encode("utf-8", "replace") for each in data]
        return b"".join(len(each).to_bytes(LENGTH_BYTES, "little") + each for each in texts)
    return struct.pack(f"<{len(data)}{FORMATS[datatype]}", *data)


def _tensors(request: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return what a request lists as tensors; what is none is refused where tensors are read."""
    return [each for each in _list(request, name) if isinstance(each, Mapping)]


def _list(request: Mapping[str, Any], name: str) -> list[Any]:
    listed: Any = request.get(name)
    return cast("list[Any]", listed) if isinstance(listed, list) else []


def _parameters(asked: Any) -> Mapping[str, Any]:
    found: Any = cast("Mapping[str, Any]", asked).get("parameters") if isinstance(asked, Mapping) else None
    return cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else {}
