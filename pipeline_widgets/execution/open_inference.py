"""Tensors of the Open Inference Protocol, version 2, to what a predictor takes, and back.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pipeline_widgets.errors import PipelineError

NUMBERS = frozenset(
    ["UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64"]
)
INTEGERS = frozenset(name for name in NUMBERS if "INT" in name)
DATATYPES = NUMBERS | {"BOOL", "BYTES"}
ANY_LENGTH = -1


def values_of(request: Mapping[str, Any]) -> Any:
    """Return what a predictor takes of an inference request: one tensor's values, or several by name.

    Raises:
        PipelineError: It is no such request, or its tensors contradict themselves.
    """
    inputs: Any = request.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise PipelineError("The request has no inputs.", fix='Pass "inputs": a list of tensors.')
    named = dict(_tensor(each) for each in cast("list[Any]", inputs))
    if len(named) != len(cast("list[Any]", inputs)):
        raise PipelineError("Two inputs have the same name.", fix="Give each its own.")
    return next(iter(named.values())) if len(named) == 1 else named


def tensors_of(answer: Any, name: str) -> list[dict[str, Any]]:
    """Return an answer as output tensors: one of that name, or one for each entry of a mapping."""
    named = cast("Mapping[str, Any]", answer) if isinstance(answer, Mapping) else {name: answer}
    return [_described(str(each), value) for each, value in named.items()]


def metadata_of(example: Any, name: str) -> list[dict[str, Any]]:
    """Return the metadata of the tensors that look like an example; any number of rows is taken."""
    if example is None:
        return []
    named = cast("Mapping[str, Any]", example) if isinstance(example, Mapping) else {name: example}
    return [
        {"name": key, "datatype": _datatype(_flat(value)), "shape": [ANY_LENGTH, *_sizes_of(value)]}
        for key, value in named.items()
    ]


def _tensor(given: Any) -> tuple[str, Any]:
    if not isinstance(given, dict):
        fix = 'A tensor is {"name": ..., "shape": [...], "datatype": ..., "data": [...]}.'
        raise PipelineError("An input is no tensor.", fix=fix)
    tensor = cast("dict[str, Any]", given)
    name, shape, datatype = tensor.get("name"), tensor.get("shape"), tensor.get("datatype")
    if not isinstance(name, str):
        raise PipelineError("A tensor has no name.", fix='Give it one: "name".')
    if datatype not in DATATYPES:
        known = ", ".join(sorted(DATATYPES))
        raise PipelineError(f"Tensor {name!r} has the datatype {datatype!r}.", fix=f"Known are {known}.")
    sizes = _sizes(name, shape)
    flat = _flat(tensor.get("data"))
    if len(flat) != math.prod(sizes):
        why = f"Its shape {sizes} holds {math.prod(sizes)} values, and it has {len(flat)}."
        raise PipelineError(f"Tensor {name!r} contradicts itself.", why, "Correct its shape or its data.")
    for value in flat:
        _check(name, str(datatype), value)
    return name, _nested(flat, sizes)


def _sizes(name: str, shape: Any) -> list[int]:
    listed = cast("list[Any]", shape) if isinstance(shape, list) else None
    if listed is None or not all(type(size) is int and size >= 0 for size in listed):
        raise PipelineError(f"Tensor {name!r} has no shape.", fix='Give it one: "shape": [1, 4].')
    return cast("list[int]", listed)


def _check(name: str, datatype: str, value: Any) -> None:
    if datatype == "BYTES":
        fits = isinstance(value, str)
    elif datatype == "BOOL":
        fits = isinstance(value, bool)
    else:
        kinds = int if datatype in INTEGERS else (int, float)
        fits = isinstance(value, kinds) and not isinstance(value, bool)
    if not fits:
        raise PipelineError(f"Tensor {name!r} is {datatype}, but holds {value!r}.", fix="Correct its data.")


def _flat(data: Any) -> list[Any]:
    """The values of data, which may come flat or nested."""
    if not isinstance(data, list):
        return [] if data is None else [data]
    return [
        value
        for each in cast("list[Any]", data)
        for value in (_flat(each) if isinstance(each, list) else [each])
    ]


def _nested(flat: Sequence[Any], sizes: Sequence[int]) -> Any:
    """Flat values in the shape of a tensor."""
    if not sizes:
        return flat[0]
    if len(sizes) == 1:
        return list(flat)
    step = math.prod(sizes[1:])
    return [_nested(flat[at * step : (at + 1) * step], sizes[1:]) for at in range(sizes[0])]


def _described(name: str, value: Any) -> dict[str, Any]:
    shape, flat = _sizes_of(value) or [1], _flat(value)
    if len(flat) != math.prod(shape) or any(isinstance(each, dict) or each is None for each in flat):
        shape, flat = [1], [json.dumps(value, allow_nan=False)]  # what is no tensor goes as its JSON
    return {"name": name, "shape": shape, "datatype": _datatype(flat), "data": flat}


def _sizes_of(value: Any) -> list[int]:
    """The sizes of nested lists; none of a single value."""
    sizes: list[int] = []
    while isinstance(value, list):
        listed = cast("list[Any]", value)
        sizes.append(len(listed))
        value = listed[0] if listed else None
    return sizes


def _datatype(flat: Sequence[Any]) -> str:
    if any(isinstance(value, str) for value in flat):
        return "BYTES"
    if flat and all(isinstance(value, bool) for value in flat):
        return "BOOL"
    return "INT64" if flat and all(isinstance(value, int) for value in flat) else "FP64"
