"""Ways to hand over a language model wrongly, each on a copy of a checkpoint or on what was loaded from it.

A sabotage of files changes a copy that keeps the signature of the original: what a broken copy, a wrong path
or another tool leaves. A sabotage of what was loaded stands for a train function that loads by itself.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from pipeline_widgets.trainers.trl import letters, models

#: Changes a copy of a checkpoint folder; gets that of another run as well.
OfFiles: TypeAlias = Callable[[Path, Path], None]
#: Returns another model and tokenizer than those that were loaded; gets the checkpoint, and another run's.
OfLoaded: TypeAlias = Callable[[Any, Any, Path, Path], tuple[Any, Any]]

TEMPLATE = letters.CHAT_TEMPLATE.replace("'>'", "'e>'")


def template_file(copy: Path, _: Path) -> None:
    """Write another chat template."""
    (copy / models.MODEL / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")


def tokenizer_file(copy: Path, _: Path) -> None:
    """Exchange two tokens of the vocabulary."""
    file = copy / models.MODEL / "tokenizer.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    vocabulary = content["model"]["vocab"]
    vocabulary["a"], vocabulary["e"] = vocabulary["e"], vocabulary["a"]
    file.write_text(json.dumps(content), encoding="utf-8")


def stop_file(copy: Path, _: Path) -> None:
    """Let another token end an answer."""
    file = copy / models.MODEL / "generation_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), "eos_token_id": 3}))


def adapter_dropped_file(copy: Path, _: Path) -> None:
    """Put the base in place of the model with its adapter."""
    _put(copy / models.REFERENCE, copy / models.MODEL)


def adapter_twice_file(copy: Path, _: Path) -> None:
    """Merge the adapter into the model that has it already."""
    state = _state(copy)
    base = _state(copy, models.REFERENCE)
    _write(copy, {name: 2 * value - base[name] for name, value in state.items()})


def head_new_file(copy: Path, _: Path) -> None:
    """Leave out the head, so that loading makes a random one."""
    _write(copy, {name: value for name, value in _state(copy).items() if "lm_head" not in name})


def wrong_layer_names_file(copy: Path, _: Path) -> None:
    """Name the layers as another architecture does."""
    _write(copy, {name.replace("layers", "blocks"): value for name, value in _state(copy).items()})


def wrong_scale_file(copy: Path, _: Path) -> None:
    """Lose a factor of two of the weights, as a wrong scale of a smaller number type does."""
    _write(copy, {name: value / 2 if "proj" in name else value for name, value in _state(copy).items()})


def file_of_another_run(copy: Path, other: Path) -> None:
    """Put the weights of another run in place."""
    _put(other / models.MODEL, copy / models.MODEL)


def template_loaded(model: Any, tokenizer: Any, *_: Path) -> tuple[Any, Any]:
    """Use another chat template."""
    tokenizer.chat_template = TEMPLATE
    return model, tokenizer


def tokenizer_loaded(model: Any, tokenizer: Any, *_: Path) -> tuple[Any, Any]:
    """Use a tokenizer with another vocabulary."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    content = letters.tokenizer_json()
    vocabulary = content["model"]["vocab"]
    vocabulary["a"], vocabulary["e"] = vocabulary["e"], vocabulary["a"]
    other = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(content)),
        eos_token=tokenizer.eos_token,
        pad_token=tokenizer.pad_token,
        padding_side="left",
    )
    other.chat_template = tokenizer.chat_template
    return model, other


def adapter_dropped(_: Any, tokenizer: Any, checkpoint: Path, __: Path) -> tuple[Any, Any]:
    """Load the base alone."""
    return models.load_model(checkpoint / models.REFERENCE), tokenizer


def adapter_twice(_: Any, tokenizer: Any, checkpoint: Path, __: Path) -> tuple[Any, Any]:
    """Put the adapter on the model that has it merged already."""
    from peft import PeftModel

    merged = models.load_model(checkpoint / models.MODEL)
    return PeftModel.from_pretrained(merged, str(checkpoint / models.TRAINER)), tokenizer


def head_new(model: Any, tokenizer: Any, *_: Path) -> tuple[Any, Any]:
    """Make the head anew."""
    import torch

    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(1)
        models.base_of(model).lm_head.weight.normal_(0, letters.INITIAL_SPREAD)
    return model, tokenizer


def wrong_layer_names(_: Any, tokenizer: Any, checkpoint: Path, __: Path) -> tuple[Any, Any]:
    """Load by names that nothing has, without being strict."""
    from transformers import AutoModelForCausalLM

    config = AutoModelForCausalLM.from_pretrained(checkpoint / models.MODEL).config
    model = AutoModelForCausalLM.from_config(config)
    state = {name.replace("layers", "blocks"): value for name, value in _state(checkpoint).items()}
    model.load_state_dict(state, strict=False)
    return model, tokenizer


def wrong_scale(model: Any, tokenizer: Any, *_: Path) -> tuple[Any, Any]:
    """Lose a factor of two of the weights."""
    import torch

    with torch.no_grad():
        for name, value in models.base_of(model).named_parameters():
            if "proj" in name:
                value.div_(2)
    return model, tokenizer


def model_of_another_run(_: Any, tokenizer: Any, __: Path, other: Path) -> tuple[Any, Any]:
    """Load the model of another run."""
    return models.load_model(other / models.MODEL), tokenizer


OF_FILES: dict[str, tuple[OfFiles, str]] = {
    # what is changed, and what the refusal names
    "another template": (template_file, "chat_template"),
    "another tokenizer": (tokenizer_file, "tokenizer"),
    "another end": (stop_file, "generation_config"),
    "adapter dropped": (adapter_dropped_file, "weights"),
    "adapter twice": (adapter_twice_file, "weights"),
    "head new": (head_new_file, "weights"),
    "wrong layer names": (wrong_layer_names_file, "weights"),
    "wrong dtype scale": (wrong_scale_file, "weights"),
    "file of another run": (file_of_another_run, "weights"),
}
OF_LOADED: dict[str, OfLoaded] = {
    "another template": template_loaded,
    "another tokenizer": tokenizer_loaded,
    "adapter dropped": adapter_dropped,
    "adapter twice": adapter_twice,
    "head new": head_new,
    "wrong layer names": wrong_layer_names,
    "wrong dtype scale": wrong_scale,
    "file of another run": model_of_another_run,
}


def _state(copy: Path, part: str = models.MODEL) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(copy / part / "model.safetensors")


def _write(copy: Path, state: dict[str, Any]) -> None:
    from safetensors.torch import save_file

    file = copy / models.MODEL / "model.safetensors"
    save_file({name: value.contiguous() for name, value in state.items()}, file, metadata={"format": "pt"})


def _put(source: Path, target: Path) -> None:
    shutil.copyfile(source / "model.safetensors", target / "model.safetensors")
