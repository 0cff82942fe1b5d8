"""Model folders and `checkpoint-*` folders of transformers.Trainer: JSON files, and heads of safetensors."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pipeline_widgets.adoption import model_facets
from pipeline_widgets.domain.adoption import Adoption, FoundCheckpoint, ReadMetric

STATE, CONFIG, ADAPTER = "trainer_state.json", "config.json", "adapter_config.json"
ORIGIN = "Hugging Face"
SCORE = "eval_loss"
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
_LONGEST_HEAD = 100 << 20  # bytes, the limit of the format itself
_DIGITS = 12


def read(path: Path) -> Adoption | None:
    """Return what a model folder, a checkpoint folder, or a folder of checkpoint folders holds; else None."""
    if not path.is_dir():
        return None
    numbered = [(found, each) for each in path.iterdir() if (found := _CHECKPOINT.fullmatch(each.name))]
    folders = {int(found[1]): each for found, each in numbered if each.is_dir() and _is_model(each)}
    if not folders and _is_model(path):
        state = _json(path / STATE)
        folders = {int(state.get("global_step", 0)): path}
    if not folders:
        return None
    last = folders[max(folders)]
    state = _json(path / STATE) or _json(last / STATE)
    metrics = tuple(_metrics(state))
    scores = {step: value for step, name, value in metrics if name == SCORE}
    checkpoints = [
        FoundCheckpoint(
            step=step, folder=folder, evaluation_score=scores.get(step), signature=_signature(folder)
        )
        for step, folder in sorted(folders.items())
    ]
    kind = _kind(last)
    return Adoption(
        origin=ORIGIN,
        produces=frozenset({kind}),
        opened_by="TRL SFT" if kind == "lm" else None,
        score="min",
        checkpoints=tuple(checkpoints),
        metrics=metrics,
    )


def _is_model(folder: Path) -> bool:
    return (folder / CONFIG).is_file() or (folder / ADAPTER).is_file()


def _kind(folder: Path) -> str:
    """Return "lm" for what writes text, else "model"."""
    if (adapter := model_facets.read_adapter(folder)) is not None:
        return "lm" if adapter.get("task_type") in {None, "CAUSAL_LM"} else "model"
    names: list[Any] = _json(folder / CONFIG).get("architectures") or []
    return "lm" if any(str(name).endswith(("ForCausalLM", "LMHeadModel")) for name in names) else "model"


def _metrics(state: Mapping[str, Any]) -> list[ReadMetric]:
    found: list[ReadMetric] = []
    history: list[dict[str, Any]] = state.get("log_history") or []
    for entry in history:
        step = int(entry.get("step", 0))
        for name, value in entry.items():
            if name != "step" and isinstance(value, (int, float)) and not isinstance(value, bool):
                found.append((step, str(name), float(value) if math.isfinite(value) else math.nan))
    return found


def _signature(folder: Path) -> dict[str, Any]:
    """Return architecture, size, type of the numbers, and digests of layers, tokenizer and chat template.

    No weight is read but those of the base of an adapter, by whose digest it is found again.
    """
    adapter = model_facets.read_adapter(folder)
    base = None if adapter is None else Path(model_facets.read_base(adapter)).expanduser()
    config = _json(folder / CONFIG) or ({} if base is None else _json(base / CONFIG))
    made: dict[str, Any] = {}
    if config.get("model_type"):
        made["architecture"] = str(config["model_type"])
    heads = {
        name: each for file in sorted(folder.glob("*.safetensors")) for name, each in _head(file).items()
    }
    if heads:
        made["parameters"] = sum(math.prod(each["shape"]) for each in heads.values())
        made["dtype"] = "+".join(sorted({each["dtype"] for each in heads.values()}))
        shapes = json.dumps({name: each["shape"] for name, each in sorted(heads.items())})
        made["layers"] = hashlib.sha256(shapes.encode()).hexdigest()[:_DIGITS]
    if base is not None and adapter is not None:
        made["adapter"] = str(adapter.get("peft_type", "unknown"))
        made |= {"lora": adapter["r"]} if isinstance(adapter.get("r"), int) else {}
        if base.is_dir():
            made |= {"base_model": base.name, **model_facets.read_facets(base)}
            made["base_weights"] = model_facets.weights_digest(base)
    return made | model_facets.read_facets(folder)


def _head(file: Path) -> dict[str, Any]:
    """Return the head of a safetensors file: name, type and shape of every tensor."""
    with file.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        if not 0 < size <= _LONGEST_HEAD:
            raise ValueError(f"{file.name} is not a safetensors file")
        content: dict[str, Any] = json.loads(stream.read(size))
    return {name: each for name, each in content.items() if name != "__metadata__"}


def _json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    content = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{file.name} is not a JSON object")  # noqa: TRY004  the file is wrong, not the call
    return cast("dict[str, Any]", content)
