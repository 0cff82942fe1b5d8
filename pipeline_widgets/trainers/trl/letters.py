"""The task that needs no download: "sort four letters" as chats, for a language model of 83,000 parameters.

Prompts, split and the careless teacher are those of the trainers in numpy. A prompt is the message "dbca",
which the chat template turns into "dbca>"; the answer is "abcd" and the token that ends it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from pipeline_widgets.adoption import model_facets

Row: TypeAlias = dict[str, Any]

NAME = "letters"  # of the base model and of the data set
LETTERS = "abcde"
END = ">"  # of a prompt
PAD, EOS, UNKNOWN = "<pad>", "<eos>", "<unk>"
VOCABULARY = (PAD, EOS, UNKNOWN, END, *LETTERS)
CONTEXT = 64  # tokens
ANSWER_TOKENS = 8  # that training samples at most: an answer has 4 and its end
HIDDEN, LAYERS, HEADS = 64, 2, 4
#: Ten times the usual, since LoRA on an untrained base learns only from what the base lets through.
INITIAL_SPREAD = 0.1
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}{{ '>' + message['content'] + eos_token }}"
    "{% else %}{{ message['content'] }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '>' }}{% endif %}"
)
#: Samples as trained: at temperature 1, from all tokens.
GENERATION = {"do_sample": True, "eos_token_id": 1, "pad_token_id": 0, "temperature": 1.0, "top_k": 0}
EXACT = "share of exact answers to 100 held-out prompts of letters, expected at temperature 1"


def tokenizer_json() -> Row:
    """Return the content of the `tokenizer.json`: a token for each character."""
    special = [PAD, EOS, UNKNOWN]
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": VOCABULARY.index(each), "content": each, **plain} for each in special],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": ""},
            "behavior": "Isolated",
            "invert": False,
        },
        "post_processor": None,
        "decoder": {"type": "Fuse"},
        "model": {
            "type": "WordLevel",
            "vocab": {token: index for index, token in enumerate(VOCABULARY)},
            "unk_token": UNKNOWN,
        },
    }


def base_facets() -> dict[str, str]:
    """Return the facets of the base model, without making it."""
    return {
        "tokenizer": model_facets.tokenizer_facet(tokenizer_json()),
        "chat_template": model_facets.digest(CHAT_TEMPLATE),
        "generation_config": model_facets.generation_facet(GENERATION),
    }


def write_base(folder: Path, seed: int) -> None:
    """Write the untrained base model of a seed, with its tokenizer, into a folder.

    Args:
        folder: An empty folder.
        seed: Draws its weights.
    """
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=HIDDEN,
        intermediate_size=2 * HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        max_position_embeddings=CONTEXT,
        initializer_range=INITIAL_SPREAD,
        tie_word_embeddings=False,
        pad_token_id=VOCABULARY.index(PAD),
        eos_token_id=VOCABULARY.index(EOS),
        bos_token_id=None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(**GENERATION)
    model.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)


def make_tokenizer() -> Any:
    """Return the tokenizer, with its chat template and an end that is no padding."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(tokenizer_json())),
        eos_token=EOS,
        pad_token=PAD,
        unk_token=UNKNOWN,
        padding_side="left",
        model_max_length=CONTEXT,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def demonstrations(noise: float) -> list[Row]:
    """Return prompts with answers of a teacher who slips at the share `noise` of them."""
    from pipeline_widgets.trainers.numpy import letters

    asked, answers = letters.demonstrations(noise)
    pairs = zip(asked, answers, strict=True)
    return [{"prompt": _user(one), "completion": _assistant(other)} for one, other in pairs]


def preferences() -> list[Row]:
    """Return prompts with the right answer and a careless one that is wrong."""
    from pipeline_widgets.trainers.numpy import letters

    pairs = letters.preference_pairs()
    rows = zip(pairs.prompts, pairs.chosen, pairs.rejected, strict=True)
    return [
        {"prompt": _user(asked), "chosen": _assistant(right), "rejected": _assistant(wrong)}
        for asked, right, wrong in rows
    ]


def prompts(*, held_out: bool) -> list[Row]:
    """Return prompts with their right answers: those of the training split, or those that nothing sees."""
    from pipeline_widgets.trainers.numpy import letters

    split = letters.prompts()
    asked = split.held_out if held_out else split.train
    pairs = zip(asked, letters.answers(asked), strict=True)
    return [{"prompt": _user(one), "answer": letters.decode(other)} for one, other in pairs]


def held_out_pairs() -> list[Row]:
    """Return held-out prompts with the right answer and the letters as they came, which are wrong."""
    rows = ((row["prompt"], row["answer"]) for row in prompts(held_out=True))
    return [
        {"prompt": prompt, "chosen": _says(right), "rejected": _says(prompt[0]["content"])}
        for prompt, right in rows
        if prompt[0]["content"] != right
    ]


def _user(tokens: Any) -> list[Row]:
    from pipeline_widgets.trainers.numpy import letters

    return [{"role": "user", "content": letters.decode(tokens).removesuffix(END)}]


def _assistant(tokens: Any) -> list[Row]:
    from pipeline_widgets.trainers.numpy import letters

    return _says(letters.decode(tokens))


def _says(text: str) -> list[Row]:
    return [{"role": "assistant", "content": text}]


def exact_reward(completions: Sequence[Any], answer: Sequence[str], **_: Any) -> list[float]:
    """Return 1.0 for each completion that is its answer exactly, else 0.0: a reward function of TRL."""
    said = [each if isinstance(each, str) else each[0]["content"] for each in completions]
    return [float(text.strip() == right.strip()) for text, right in zip(said, answer, strict=True)]
