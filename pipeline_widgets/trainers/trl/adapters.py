"""Adapters of peft: the layers that have one, and folders that hold one without its base."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

from pipeline_widgets.adoption import model_facets
from pipeline_widgets.errors import CheckpointError, ConfigError


def layers_with_adapter(model: Any) -> Generator[tuple[str, Any]]:
    """Yield the layers with an adapter named "default", and their names in the model without one."""
    for name, module in model.named_modules():
        if hasattr(module, "get_delta_weight") and "default" in getattr(module, "lora_A", {}):
            yield name, module


def is_adapter(folder: Path) -> bool:
    """Return whether a model folder holds an adapter alone, whose base is elsewhere."""
    return model_facets.read_adapter(folder) is not None


def find_base(folder: Path, *, digest: str | None = None, elsewhere: str = "") -> Path:
    """Return the folder of the base of an adapter: that which it names, or another one with its weights.

    A base that is a name on the Hub is taken from its cache, or downloaded.

    Args:
        folder: The model folder with the adapter.
        digest: Of the weights of the base, where it was there when the adapter was adopted.
        elsewhere: Where it may be as well.

    Raises:
        CheckpointError: It is at neither place, or has other weights now.
        ConfigError: The Hub does not have it.
    """
    named = model_facets.read_base(model_facets.read_adapter(folder) or {})
    places = [Path(each).expanduser() for each in (elsewhere, named) if each]
    there = [each for each in places if each.is_dir()]
    for place in there:
        if digest is None or model_facets.weights_digest(place) == digest:
            return place
    what, fix = "The base of the adapter is not found.", "Set base_model to the folder of that base."
    if there:
        others = " and ".join(f"{each} has {model_facets.weights_digest(each)}" for each in there)
        why = f"Its weights had the digest {digest} when the adapter was adopted; {others}."
        raise CheckpointError(what, why, fix)
    if not named or Path(named).is_absolute():
        raise CheckpointError(what, f"The adapter names {named!r}, and there is no such folder.", fix)
    return download(named)


def download(name: str) -> Path:
    """Return the folder of a model of the Hub, from its cache where it is there.

    Raises:
        ConfigError: The Hub does not have it.
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, ignore_patterns=["*.bin", "*.pth", "*.gguf", "*.onnx"]))
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        why = f"There is no such folder, and the Hub does not have it either ({told})."
        raise ConfigError(f"The base model {name!r} is not found.", why, "Correct base_model.") from error


def merge(model: Any, folder: Path) -> Any:
    """Return a model with the adapter of a folder merged.

    Args:
        model: The base, which is changed.
        folder: The model folder with the adapter.

    Raises:
        CheckpointError: It is no adapter of this base.
    """
    import peft

    try:
        adapted: Any = peft.PeftModel.from_pretrained(model, str(folder))
    except (OSError, ValueError, RuntimeError) as error:
        why = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        fix = "Set base_model to the folder of the base that it was trained on."
        raise CheckpointError(f"The adapter in {folder} cannot be loaded.", why, fix) from error
    return adapted.merge_and_unload()


def has_tokenizer(folder: Path) -> bool:
    """Return whether a model folder has a tokenizer of its own."""
    return (folder / "tokenizer_config.json").is_file()
