"""Convert tensors of the Open Inference Protocol, version 2, to the input of a predictor, and back.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal, cast

from pipeline_widgets.errors import PipelineError

#: The largest of each.
FLOATS = {"FP16": 65_504.0, "BF16": 3.3895313892515355e38, "FP32": 3.4028234663852886e38, "FP64": math.inf}
INTEGERS = {
    f"{sign}INT{bits}": range(0 if sign else -(2 ** (bits - 1)), 2 ** (bits if sign else bits - 1))
    for sign in ("U", "")
    for bits in (8, 16, 32, 64)
}
DATATYPES = frozenset({*FLOATS, *INTEGERS, "BOOL", "BYTES"})
DIMENSIONS = 32  # of a tensor
#: A body of 1 MB has no room for more values. A shape must not ask for more lists than that either.
VALUES = 500_000
SHOWN = 80  # characters of a sent value that a message shows
ANY_LENGTH = -1
_TAIL = r"(?:/versions/(?P<version>[^/]+))?(?:/(?P<action>infer|ready|config))?"


@dataclass(frozen=True, slots=True)
class ModelPath:
    """A path below /v2/models."""

    name: str
    version: str | None
    #: None asks for the metadata.
    action: Literal["infer", "ready", "config"] | None


def model_path(path: str, agent: str) -> ModelPath:
    """Parse a path below /v2/models; the name of the agent may hold slashes."""
    own = re.fullmatch(f"(?P<name>{re.escape(agent)}){_TAIL}", path)
    found = own or cast("re.Match[str]", re.fullmatch(f"(?P<name>(?s:.*?)){_TAIL}", path))
    return ModelPath(found["name"], found["version"], cast("Any", found["action"]))


def read_inputs(request: Mapping[str, Any], example: Any = None, name: str = "") -> Any:
    """Return the input for a predictor: the values of one tensor, or of several by name.

    Args:
        request: The body of an inference request.
        example: The example input of the predictor; if given, the tensors have to bear the metadata's names.
        name: The name of a single tensor in the metadata.

    Raises:
        PipelineError: It is not such a request, or its tensors contradict themselves.
    """
    inputs: Any = request.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise PipelineError("The request has no inputs.", fix='Pass "inputs": a list of tensors.')
    named = dict(_tensor(each) for each in cast("list[Any]", inputs))
    if len(named) != len(cast("list[Any]", inputs)):
        raise PipelineError("Two inputs have the same name.", fix="Give each its own.")
    if isinstance(example, Mapping):
        _check_names([str(each) for each in cast("Mapping[Any, Any]", example)], named)
        return named
    if example is not None:
        _check_names([name], named)
    return next(iter(named.values())) if len(named) == 1 else named


def get_request_id(request: Mapping[str, Any]) -> dict[str, str]:
    """Return the id of a request, which its answer repeats.

    Raises:
        PipelineError: It is not a text.
    """
    if "id" not in request:
        return {}
    if not isinstance(request["id"], str):
        raise PipelineError("The id of the request is not a text.", fix='Pass "id": "…", or leave it out.')
    return {"id": request["id"]}


def get_requested_outputs(request: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the outputs that a request asks for; none where it asks for all.

    Raises:
        PipelineError: It does not say it in the protocol's way.
    """
    outputs: Any = request.get("outputs", [])
    names = [_name_of(each) for each in cast("list[Any]", outputs)] if isinstance(outputs, list) else [None]
    if not all(isinstance(each, str) for each in names):
        what, fix = "The outputs that are asked for have no names.", 'Pass "outputs": [{"name": ...}].'
        raise PipelineError(what, fix=fix)
    return tuple(cast("list[str]", names))


def select_outputs(tensors: Sequence[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the requested tensors; all if none was named.

    Raises:
        PipelineError: There is no tensor of that name.
    """
    known = {each["name"]: each for each in tensors}
    for name in names:
        if name not in known:
            fix = f"There is {', '.join(map(abbreviate, known)) or 'none'}."
            raise PipelineError(f"There is no output {abbreviate(name)}.", fix=fix)
    return [known[name] for name in dict.fromkeys(names)] if names else list(tensors)


def build_outputs(answer: Any, name: str) -> list[dict[str, Any]]:
    """Return an answer as output tensors: one of that name, or one for each entry of a mapping."""
    named = cast("Mapping[str, Any]", answer) if isinstance(answer, Mapping) else {name: answer}
    return [_describe(str(each), value) for each, value in named.items()]


def describe_model(example: Any, name: str) -> list[dict[str, Any]]:
    """Return the metadata of the tensors that look like an example; any number of rows is taken."""
    if example is None:
        return []
    return [
        {"name": each["name"], "datatype": each["datatype"], "shape": [ANY_LENGTH, *_rows_of(value)]}
        for each, value in zip(build_outputs(example, name), _values(example), strict=True)
    ]


def describe_config(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of a model as the extension for model configurations has it.

    https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_model_configuration.md
    """

    def described(tensors: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [
            {"name": each["name"], "data_type": _config_type(each["datatype"]), "dims": each["shape"]}
            for each in tensors
        ]

    config = {"name": metadata["name"], "platform": metadata["platform"], "max_batch_size": 0}
    tensors = {"input": described(metadata["inputs"]), "output": described(metadata["outputs"])}
    return {**config, "backend": "pipeline_widgets", **tensors}


def _config_type(datatype: str) -> str:
    return f"TYPE_{'STRING' if datatype == 'BYTES' else datatype}"


def abbreviate(value: object) -> str:
    """Return a sent value as text, short enough for a message."""
    try:
        text = repr(value)
    except RecursionError:
        text = type(value).__name__
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _name_of(output: Any) -> Any:
    return cast("dict[str, Any]", output).get("name") if isinstance(output, dict) else None


def _check_names(expected: Sequence[str], named: Mapping[str, Any]) -> None:
    """Refuse tensors under other names than those of the metadata."""
    if set(named) != set(expected):
        why = f"The request has {', '.join(map(abbreviate, list(named)[:4]))}."
        fix = f"Name them as the metadata does: {', '.join(map(abbreviate, expected))}."
        raise PipelineError("The inputs have other names than the agent's.", why, fix)


def _tensor(given: Any) -> tuple[str, Any]:
    if not isinstance(given, dict):
        fix = 'A tensor is {"name": ..., "shape": [...], "datatype": ..., "data": [...]}.'
        raise PipelineError("An input is not a tensor.", fix=fix)
    tensor = cast("dict[str, Any]", given)
    name, datatype = tensor.get("name"), tensor.get("datatype")
    if not isinstance(name, str):
        raise PipelineError("A tensor has no name.", fix='Give it one: "name".')
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        known = ", ".join(sorted(DATATYPES))
        what = f"Tensor {abbreviate(name)} has the datatype {abbreviate(datatype)}."
        raise PipelineError(what, fix=f"Known: {known}.")
    sizes = _sizes(name, tensor.get("shape"))
    flat = _flat(name, tensor.get("data"))
    if len(flat) != math.prod(sizes):
        why = f"Its shape {abbreviate(sizes)} holds {math.prod(sizes)} values, and it has {len(flat)}."
        raise PipelineError(
            f"Tensor {abbreviate(name)} contradicts itself.", why, "Correct its shape or its data."
        )
    for value in flat:
        if not _fits(datatype, value):
            what = f"Tensor {abbreviate(name)} is {datatype}, but holds {abbreviate(value)}."
            raise PipelineError(what, fix="Correct its data.")
    return name, _nest(flat, sizes)


def _sizes(name: str, shape: Any) -> list[int]:
    listed = cast("list[Any]", shape) if isinstance(shape, list) else None
    if listed is None or not all(type(size) is int and size >= 0 for size in listed):
        raise PipelineError(f"Tensor {abbreviate(name)} has no shape.", fix='Give it one: "shape": [1, 4].')
    sizes = cast("list[int]", listed)
    if len(sizes) > DIMENSIONS or any(each > VALUES for each in (*sizes, *_products(sizes))):
        why = f"At most {DIMENSIONS} dimensions and {VALUES:,} values are taken."
        raise PipelineError(
            f"The shape of tensor {abbreviate(name)} is too large.", why, "Send less at once."
        )
    if sum(_products(sizes[:-1])) > VALUES:
        why = f"Nested, it would be more than {VALUES:,} lists."
        raise PipelineError(
            f"The shape of tensor {abbreviate(name)} is too large.", why, "Send less at once."
        )
    return sizes


def _products(sizes: Sequence[int]) -> list[int]:
    """Return the number of lists or values at every depth."""
    return list(accumulate(sizes, lambda one, other: one * other))


def _fits(datatype: str, value: Any) -> bool:
    if datatype == "BYTES":
        return isinstance(value, str)
    if datatype == "BOOL" or isinstance(value, bool):
        return datatype == "BOOL" and isinstance(value, bool)
    if datatype in INTEGERS:
        return isinstance(value, int) and value in INTEGERS[datatype]
    return isinstance(value, (int, float)) and abs(value) <= FLOATS[datatype] and _is_double(value)


def _is_double(value: float) -> bool:
    """Return whether a number, perhaps an integer of any size, is a finite double."""
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _flat(name: str, data: Any, depth: int = 0) -> list[Any]:
    """Return the values of data, which may be flat or nested."""
    if depth > DIMENSIONS:
        why = f"At most {DIMENSIONS} dimensions are taken."
        raise PipelineError(
            f"The data of tensor {abbreviate(name)} is nested too deeply.", why, "Send it flat."
        )
    if not isinstance(data, list):
        return [] if data is None else [data]
    return [
        value
        for each in cast("list[Any]", data)
        for value in (_flat(name, each, depth + 1) if isinstance(each, list) else [each])
    ]


def _nest(flat: Sequence[Any], sizes: Sequence[int]) -> Any:
    """Return flat values nested in the shape of a tensor."""
    if not sizes:
        return flat[0]
    if len(sizes) == 1:
        return list(flat)
    step = math.prod(sizes[1:])
    return [_nest(flat[at * step : (at + 1) * step], sizes[1:]) for at in range(sizes[0])]


def _describe(name: str, value: Any) -> dict[str, Any]:
    sizes, flat = _measure(value)
    datatype = _datatype(flat) if sizes is not None else None
    if sizes is None or datatype is None:  # a value that is no tensor is sent as its JSON
        sizes, flat, datatype = [1], [json.dumps(value, allow_nan=False)], "BYTES"
    return {"name": name, "shape": sizes or [1], "datatype": datatype, "data": flat}


def _measure(value: Any) -> tuple[list[int] | None, list[Any]]:
    """Return the sizes and the values of nested lists; no sizes if they are ragged."""
    sizes: list[int] = []
    level: list[Any] = [value]
    while level and all(isinstance(each, list) for each in level):
        lengths = {len(each) for each in level}
        if len(lengths) > 1 or len(sizes) == DIMENSIONS:
            return None, []
        sizes.append(lengths.pop())
        level = [inner for each in level for inner in each]
    return (None, []) if any(isinstance(each, (list, dict)) for each in level) else (sizes, level)


def _rows_of(value: Any) -> list[int]:
    """Return the sizes of an example; none for a value that is no tensor."""
    return _measure(value)[0] or []


def _values(example: Any) -> list[Any]:
    return list(cast("Mapping[Any, Any]", example).values()) if isinstance(example, Mapping) else [example]


def _datatype(flat: Sequence[Any]) -> str | None:
    """Return the datatype that holds all of the values; None if there is none."""
    for datatype in ("BOOL", "INT64", "UINT64", "BYTES"):
        if flat and all(_fits(datatype, value) for value in flat):
            return datatype
    return "FP64" if all(_fits("FP64", value) for value in flat) else None
