"""Load the model and tokenizer of a training, and save them.

A checkpoint has three folders, of which the first is all that anybody but a resumed run needs:

    model/      weights as safetensors with an adapter merged, tokenizer, chat template, generation config
    trainer/    the library's own checkpoint: optimizer, scheduler, random state, data cursor, adapter
    reference/  the model at the start of the stage: base of the adapter, reference of DPO and GRPO

A merged model has no base to be found: it opens on any machine, in any tool. It is written from base and
adapter by `merged_state`, which leaves the model in training as it is.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast
from weakref import WeakKeyDictionary

from pipeline_widgets.adoption import model_facets
from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.errors import CheckpointError, ConfigError
from pipeline_widgets.trainers.trl import adapters, letters
from pipeline_widgets.trainers.trl.config import base_name

MODEL, TRAINER, REFERENCE, ADAPTER = "model", "trainer", "reference", "adapter"
#: Files that only a resumed run needs: `training_only` of an algorithm.
TRAINING_ONLY = (f"{TRAINER}/*", f"{REFERENCE}/*")
#: Facets that `start` compares with the files of the start checkpoint.
CHECKED = ("tokenizer", "chat_template", "generation_config", "weights")
TARGETS = "all-linear"  # layers that get an adapter, as peft names them; not the head

Adapter: TypeAlias = Literal["merge", "continue"]


@dataclass
class Started:
    """The model that a run has begun with; its checkpoints state it."""

    base: str
    #: The model at the start of the stage: a folder.
    source: Path
    reference: str | None
    #: Rank of the adapter; 0 trains all weights.
    lora: int
    adapter: str
    tokenizer: Any
    #: The adapter that the stage has begun with, where it continues one.
    source_adapter: Path | None = None

    @property
    def facets(self) -> dict[str, Any]:
        """The facts that its checkpoints state beside the digests of their own files."""
        return {
            "base_model": self.base,
            "lora": self.lora,
            "adapter": self.adapter,
            **({"reference": self.reference} if self.reference else {}),
        }


_started: WeakKeyDictionary[TrainContext, Started] = WeakKeyDictionary()


def started(ctx: TrainContext) -> Started | None:
    """Return what `start` has begun a run with; None where it was not called."""
    return _started.get(ctx)


def start(
    ctx: TrainContext,
    base: str | Path = letters.NAME,
    *,
    lora: int | Any = 0,
    adapter: Adapter = "merge",
    pad_token: str = "",
    reward_head: bool = False,
) -> tuple[Any, Any]:
    """Return the model and the tokenizer that a run trains with, wherever it starts from.

    From scratch that is the base model. From a checkpoint it is what that holds, and nothing else of it: the
    optimizer and the schedule are new. A run that is resumed gets the model as it was at the start of its
    stage, so that DPO and GRPO keep their reference; `trainer.train(resume_from_checkpoint=trl.resume(ctx))`
    brings its weights and all else, and `trl.Callback` holds that this was done.

    Args:
        ctx: What the train function got.
        base: The model that the chain begins with: a folder, a name on the Hub, or "letters".
        lora: Rank of a LoRA adapter on all linear layers but the head, or a `peft.LoraConfig`; 0 trains all
            weights.
        adapter: What becomes of an adapter of the start checkpoint: "merge" trains a new one on top of the
            merged model, "continue" trains it on.
        pad_token: A token of the vocabulary to pad with.
        reward_head: Whether the model scores texts. Then a new head is asked for where the checkpoint has
        none.

    Raises:
        CheckpointError: The files are not those that were saved, or weights are missing in them.
        ConfigError: The tokenizer pads with the token that ends an answer, or there is no adapter to
        continue.
    """
    made = _locate(ctx, str(base), adapter)
    _started[ctx] = made
    model = load_model(made.source, reward_head="add" if reward_head else "none")
    # Where DPO and GRPO load their reference from, as a full model: the start of this stage.
    model.config._name_or_path = str(made.source)  # noqa: SLF001  the libraries look there
    tokenizer = made.tokenizer = load_tokenizer(_tokenizer_folder(ctx, made.source))
    _check_padding(tokenizer, pad_token)
    for config in (model.config, getattr(model, "generation_config", None)):
        if config is not None:
            config.pad_token_id = tokenizer.pad_token_id
    if lora or made.source_adapter is not None:
        model = _adapt(ctx, model, made, lora, reward_head=reward_head)
    return model, tokenizer


def resume(ctx: TrainContext) -> str | None:
    """Return what `trainer.train(resume_from_checkpoint=...)` takes: a folder to resume from, or None.

    Args:
        ctx: What the train function got.

    Raises:
        CheckpointError: The checkpoint was saved without the state of its trainer.
    """
    if ctx.start is None or ctx.start.role != "resume":
        return None
    folder = ctx.start.path / TRAINER
    if not (folder / "trainer_state.json").is_file():
        why = "It has no state of optimizer, schedule and data."
        raise CheckpointError(
            "The checkpoint cannot be resumed.", why, "Start from it instead, or train the stage again."
        )
    return str(folder)


def load_model(folder: Path, *, reward_head: Literal["none", "add", "present"] = "none") -> Any:
    """Load a model folder, and end where a weight would be new.

    `from_pretrained` fills in random numbers for what a file does not have, and warns.

    Args:
        folder: The model folder.
        reward_head: "none" for a language model; for one that scores texts, "add" allows a new head, and
            "present" does not.

    Raises:
        CheckpointError: The folder has no model, or not all of its weights.
    """
    import transformers

    kind = "AutoModelForCausalLM" if reward_head == "none" else "AutoModelForSequenceClassification"
    options: dict[str, Any] = {} if reward_head == "none" else {"num_labels": 1}
    options["dtype"] = "float32"
    try:
        model, info = getattr(transformers, kind).from_pretrained(
            str(folder), output_loading_info=True, local_files_only=True, **options
        )
    except (OSError, ValueError, RuntimeError) as error:
        why = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        raise CheckpointError(f"The model in {folder} cannot be loaded.", why, _ANOTHER) from error
    new = {str(name) for name in [*info["missing_keys"], *(each[0] for each in info["mismatched_keys"])]}
    if reward_head == "add":
        new -= {"score.weight"}
    unused = sorted(str(name) for name in info["unexpected_keys"] if "lm_head" not in str(name))
    if new:
        shown = ", ".join(sorted(new)[:3]) + (f" and {len(new) - 3} more" if len(new) > 3 else "")  # noqa: PLR2004
        why = f"It has no weights for {shown}; they would be random."
        if unused:
            why += f" It has weights that nothing uses, such as {unused[0]}."
        fix = "Choose a checkpoint of this architecture; a new reward head is what TRL Reward makes."
        raise CheckpointError(f"The model in {folder} is not whole.", why, fix)
    return model


_ANOTHER = "Choose another checkpoint, or run the stage that made it again."


def load_tokenizer(folder: Path) -> Any:
    """Load the tokenizer of a model folder; it pads on the left, as generating needs.

    Raises:
        CheckpointError: The folder has none.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(folder), padding_side="left", local_files_only=True)
    except (OSError, ValueError) as error:
        why = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        fix = "Save the tokenizer into that folder: tokenizer.save_pretrained(folder)."
        raise CheckpointError(f"The tokenizer in {folder} cannot be loaded.", why, fix) from error


def model_folder(checkpoint: Path) -> Path:
    """Return where the model of a checkpoint is: in its folder `model`, or right there if it was adopted."""
    return checkpoint / MODEL if (checkpoint / MODEL).is_dir() else checkpoint


def open_model(checkpoint: Path, *, reward_head: Literal["none", "present"] = "none") -> tuple[Any, Any]:
    """Return the model and the tokenizer of a checkpoint, with an adapter merged into its base.

    Args:
        checkpoint: The folder.
        reward_head: "present" for a model that scores texts.

    Raises:
        CheckpointError: It has no model, or not all of its weights, or its base is gone.
    """
    folder = model_folder(checkpoint)
    if not adapters.is_adapter(folder):
        return load_model(folder, reward_head=reward_head), load_tokenizer(folder)
    base = adapters.find_base(folder)
    model = adapters.merge(load_model(base, reward_head=reward_head), folder)
    return model, load_tokenizer(folder if adapters.has_tokenizer(folder) else base)


def save(ctx: TrainContext, step: int, model: Any, tokenizer: Any) -> None:
    """Save a checkpoint that opens anywhere: an adapter is merged, tokenizer and chat template are with it.

    For a loop of one's own; `trl.Callback` saves by itself, and more: this one cannot be resumed.

    Args:
        ctx: What the train function got.
        step: The step that the checkpoint belongs to.
        model: The model; one of peft stays as it is.
        tokenizer: Its tokenizer.
    """
    prepared = scratch_folder(ctx)
    try:
        found = write(prepared / MODEL, model, tokenizer)
        began = started(ctx)
        with ctx.checkpoint(step, signature={**(began.facets if began else {}), **found}) as folder:
            move_into(prepared, folder)
    finally:
        shutil.rmtree(prepared, ignore_errors=True)


def write(place: Path, model: Any, tokenizer: Any) -> dict[str, Any]:
    """Write a model folder, and return its facets. An adapter is merged in what is written."""
    plain = base_of(model)
    if plain is model:
        model.save_pretrained(place)
    else:
        plain.save_pretrained(place, state_dict=merged_state(model))
    if tokenizer is not None:  # a Trainer needs none where its rows are token ids already
        tokenizer.save_pretrained(place)
    return saved_facets(place)


def move_into(prepared: Path, folder: Path) -> None:
    """Move the content of a folder into another one, and remove it."""
    for entry in list(prepared.iterdir()):
        shutil.move(entry, folder / entry.name)
    prepared.rmdir()


def saved_facets(place: Path) -> dict[str, Any]:
    """Return the facets of a model folder that was just written."""
    return {**model_facets.read_facets(place), "weights": model_facets.weights_digest(place)}


def base_of(model: Any) -> Any:
    """Return the model below an adapter; the model itself where it has none."""
    return model.get_base_model() if hasattr(model, "peft_config") else model


def merged_state(model: Any) -> dict[str, Any]:
    """Return the weights of a model of peft with its adapter merged, and leave the model as it is."""
    import torch

    base = base_of(model)
    state: dict[str, Any] = {}
    for name, value in base.state_dict().items():
        if ".lora_" in name or ".original_module." in name or ".modules_to_save." in name:
            continue
        state[name.replace(".base_layer.", ".")] = value.detach().clone()
    with torch.no_grad():
        for name, layer in adapters.layers_with_adapter(base):
            weight = state[f"{name}.weight"]
            weight += layer.get_delta_weight("default").to(weight.dtype)
        for name, module in base.named_modules():
            if hasattr(module, "modules_to_save") and "default" in module.modules_to_save:
                trained = module.modules_to_save["default"].state_dict()
                state |= {f"{name}.{key}": value.detach().clone() for key, value in trained.items()}
    return state


def scratch_folder(ctx: TrainContext) -> Path:
    """Return a new folder within the run's own, which is gone when the run is over."""
    ctx.folder.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="scratch-", dir=ctx.folder))
    weakref.finalize(ctx, shutil.rmtree, folder, ignore_errors=True)
    return folder


def _locate(ctx: TrainContext, base: str, adapter: Adapter) -> Started:
    """Return where the model at the start of the stage is."""
    name = base_name(base)
    if ctx.start is None:
        source = _base_folder(ctx, base)
        return Started(name, source, model_facets.weights_digest(source), 0, "none", None)
    saved = ctx.start
    model = model_folder(saved.path)
    if adapters.is_adapter(model):
        return _locate_adapter(ctx, model, base, adapter)
    _check_files(model, saved.signature)
    own = saved.path / REFERENCE
    if saved.role == "resume":
        source = own if own.is_dir() else model
        kept = own / ADAPTER
        made = Started(name, source, model_facets.weights_digest(source), 0, "none", None)
        made.reference = str(saved.signature.get("reference") or made.reference)
        made.adapter = str(saved.signature.get("adapter") or "none")
        made.source_adapter = kept if kept.is_dir() else None
        return made
    reference = model_facets.weights_digest(model)
    if adapter == "continue":
        kept = saved.path / TRAINER
        if not (kept / "adapter_config.json").is_file():
            why = "It was trained without LoRA, or the copy leaves out what only training needs."
            fix = 'Choose adapter="merge", or a checkpoint that was trained with LoRA.'
            raise ConfigError("The start checkpoint has no adapter to continue.", why, fix)
        return Started(name, own, reference, 0, "continued", None, source_adapter=kept)
    return Started(name, model, reference, 0, "none", None)


def _locate_adapter(ctx: TrainContext, folder: Path, base: str, adapter: Adapter) -> Started:
    """Return what a run begins with whose start is an adapter that was adopted, without its base."""
    told: Mapping[str, Any] = ctx.start.signature if ctx.start is not None else {}
    elsewhere = base if base != letters.NAME else ""
    known_as = told.get("base_weights")
    found = adapters.find_base(
        folder, digest=None if known_as is None else str(known_as), elsewhere=elsewhere
    )
    _compare({**model_facets.read_facets(found), **model_facets.read_facets(folder)}, told)
    if adapter == "continue":
        digests = [str(model_facets.weights_digest(each)) for each in (found, folder)]
        return Started(base_name(base), found, "+".join(digests), 0, "continued", None, source_adapter=folder)
    merged = scratch_folder(ctx) / "merged"
    adapters.merge(load_model(found), folder).save_pretrained(merged)
    load_tokenizer(folder if adapters.has_tokenizer(folder) else found).save_pretrained(merged)
    return Started(base_name(base), merged, model_facets.weights_digest(merged), 0, "none", None)


def _base_folder(ctx: TrainContext, base: str) -> Path:
    if base == letters.NAME:
        folder = scratch_folder(ctx) / letters.NAME
        letters.write_base(folder, ctx.seed)
        return folder
    folder = Path(base).expanduser()
    return folder if folder.is_dir() else adapters.download(base)


def _tokenizer_folder(ctx: TrainContext, source: Path) -> Path:
    if ctx.start is None:
        return source
    folder = model_folder(ctx.start.path)
    return source if adapters.is_adapter(folder) and not adapters.has_tokenizer(folder) else folder


def _check_files(folder: Path, signature: Mapping[str, Any]) -> None:
    """End where the files of a checkpoint are not those that its signature tells of."""
    if not (folder / "config.json").is_file():
        why = f"Neither it nor a folder {MODEL} in it has a config.json."
        raise CheckpointError("The checkpoint holds no language model.", why, _ANOTHER)
    _compare(saved_facets(folder), signature)


def _compare(found: Mapping[str, Any], signature: Mapping[str, Any]) -> None:
    for name in CHECKED:
        told = signature.get(name)
        if told is not None and told != found.get(name):
            why = f"Its {name} is {found.get(name)}, and was {told} when it was saved."
            raise CheckpointError(f"The checkpoint has another {name}.", why, _ANOTHER)


def _check_padding(tokenizer: Any, pad_token: str) -> None:
    if pad_token:
        if pad_token not in tokenizer.get_vocab():
            raise ConfigError(
                f"There is no token {pad_token!r}.", "It is not in the vocabulary.", "Correct pad_token."
            )
        tokenizer.pad_token = pad_token
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id == tokenizer.eos_token_id:
        does = (
            "has no token to pad with"
            if tokenizer.pad_token_id is None
            else "pads with the token that ends an answer"
        )
        why = f"{tokenizer.eos_token!r} would be masked as padding, and the model would not learn to stop."
        free = [
            token for token in tokenizer.get_vocab() if "pad" in token.lower() or "reserved" in token.lower()
        ]
        fix = f"Set pad_token to another token of the vocabulary{f', such as {free[0]!r}' if free else ''}."
        raise ConfigError(f"The tokenizer {does}.", why, fix)


def _adapt(ctx: TrainContext, model: Any, made: Started, lora: Any, *, reward_head: bool) -> Any:
    """Return the model with the adapter that the stage begins with."""
    import peft
    import torch

    if made.source_adapter is not None:
        adapted = peft.PeftModel.from_pretrained(model, str(made.source_adapter), is_trainable=True)
        made.lora = cast("Any", adapted).peft_config["default"].r
        made.adapter = "continued"
        return adapted
    if isinstance(lora, int):
        task = "SEQ_CLS" if reward_head else "CAUSAL_LM"
        lora = peft.LoraConfig(r=lora, lora_alpha=2 * lora, target_modules=TARGETS, task_type=task)
    with torch.random.fork_rng():
        torch.manual_seed(ctx.seed)
        adapted = peft.get_peft_model(model, lora)
    made.lora = lora.r
    made.adapter = (
        made.adapter
        if ctx.start_role == "resume"
        else ("new" if ctx.start is None else "new on the merged start")
    )
    return adapted
