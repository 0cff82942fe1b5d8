"""Facets of a language model that two stages must agree on, read from its files without any library.

Two models with the same architecture answer differently as soon as the tokenizer, the chat template or the
tokens that end an answer differ, and nothing fails then. A digest of each is a facet of every checkpoint.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

DIGITS = 12  # of a digest in hexadecimal; enough to tell two apart, and short enough for a sentence
WEIGHTS = "*.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
#: What the parts of a model folder do not say about the text that the model writes.
_UNSAID = {"transformers_version", "_from_model_config", "pad_token_id", "bos_token_id", "max_new_tokens"}


def digest(content: object) -> str:
    """Return the digest of JSON values, whatever the order of their keys."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]


def read_facets(folder: Path) -> dict[str, str]:
    """Return the facets of a model folder: its tokenizer, chat template and generation config.

    A part that is not there has no facet.

    Args:
        folder: Where `config.json`, `tokenizer.json` and the like are.

    Raises:
        OSError: A file cannot be read.
        ValueError: A file is not what its name says.
    """
    made = {
        "tokenizer": tokenizer_digest(folder),
        "chat_template": template_digest(folder),
        "generation_config": generation_digest(folder),
    }
    return {name: value for name, value in made.items() if value is not None}


def tokenizer_digest(folder: Path) -> str | None:
    """Return the digest of how a tokenizer makes ids of a text; None without a `tokenizer.json`.

    What padding and truncation were used last is left out: trainers write it into the file.
    """
    content = _read(folder / "tokenizer.json")
    return None if content is None else tokenizer_facet(content)


def tokenizer_facet(content: Mapping[str, Any]) -> str:
    """Return the digest of the content of a `tokenizer.json`."""
    model: dict[str, Any] = content.get("model") or {}
    added_tokens: list[dict[str, Any]] = content.get("added_tokens") or []
    after: dict[str, Any] = content.get("post_processor") or {}
    pairs: list[str | list[str]] = model.get("merges") or []
    merges = [each if isinstance(each, str) else " ".join(each) for each in pairs]
    added = sorted((each["id"], each["content"]) for each in added_tokens)
    # Of what is done afterwards, the tokens that are added count; the rest is written anew by each library.
    specials = sorted(after.get("special_tokens") or [])
    parts = [content.get("normalizer"), content.get("pre_tokenizer"), specials]
    return digest([model.get("type"), model.get("vocab"), merges, added, parts])


def template_digest(folder: Path) -> str | None:
    """Return the digest of the chat template; None without one."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return digest(file.read_text(encoding="utf-8"))
    template = (_read(folder / "tokenizer_config.json") or {}).get("chat_template")
    return None if template is None else digest(template)


def generation_digest(folder: Path) -> str | None:
    """Return the digest of the settings that change an answer, with the tokens that end it.

    None without a `generation_config.json`.
    """
    content = _read(folder / "generation_config.json")
    return None if content is None else generation_facet(content)


def generation_facet(content: Mapping[str, Any]) -> str:
    """Return the digest of the content of a `generation_config.json`."""
    told = {name: value for name, value in content.items() if name not in _UNSAID and value is not None}
    if isinstance(told.get("eos_token_id"), int):
        told["eos_token_id"] = [told["eos_token_id"]]
    return digest(told)


def weights_digest(folder: Path) -> str | None:
    """Return the digest of the weights of a model folder; None without safetensors files."""
    files = sorted(folder.glob(WEIGHTS))
    if not files:
        return None
    found = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            found.update(hashlib.file_digest(stream, "sha256").digest())
    return found.hexdigest()[:DIGITS]


def read_adapter(folder: Path) -> dict[str, Any] | None:
    """Return the config of the adapter that a folder of peft holds; None where it holds a whole model.

    Args:
        folder: The model folder.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not a JSON object.
    """
    return None if (folder / "config.json").is_file() else _read(folder / ADAPTER_CONFIG)


def read_base(adapter: Mapping[str, Any]) -> str:
    """Return the base that the config of an adapter names: a folder, or a name on the Hub."""
    return str(adapter.get("base_model_name_or_path") or "")


def _read(file: Path) -> dict[str, Any] | None:
    if not file.is_file():
        return None
    content = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{file} is not a JSON object")  # noqa: TRY004  the file is wrong, not the call
    return cast("dict[str, Any]", content)
