"""The files of a checkpoint: read and written in the process that trains or answers, never in a notebook.

================  =====================================================================================
agent.pt          the fittest agent, as AgileRL's `PPO.load("agent.pt")` opens it, with its statistics of
                  RSNorm; its optimizers have done no step, since an agent that answers needs none
facts.json        algorithm, step, spaces, normalization, and a digest of agent.pt
population_*.pt   for a resumed run alone: all agents, with their optimizers and hyperparameters
training.pt       for a resumed run alone: exploration and generators
memory.pt         for a resumed run alone: the transitions of an off-policy algorithm
================  =====================================================================================
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

from pipeline_widgets.errors import CheckpointError, format_value
from pipeline_widgets.trainers.agilerl import agents
from pipeline_widgets.trainers.gymnasium_spaces import SPACE_FACETS, describe_spaces

AGENT, FACTS, TRAINING, MEMORY = "agent.pt", "facts.json", "training.pt", "memory.pt"
#: What only a resumed run needs, so that the copy of an agent is without it.
TRAINING_ONLY = ("population_*.pt", TRAINING, MEMORY)
FIX = "Choose another checkpoint, or run the experiment that made it again."


def pack(agent: Any) -> bytes:
    """Return an agent as a file of the library, with optimizers that have done no step.

    Args:
        agent: An algorithm, or a wrapper around one.
    """
    import dill
    import torch

    with io.BytesIO() as whole:
        agent.save_checkpoint(whole)
        whole.seek(0)
        content = torch.load(whole, pickle_module=dill, weights_only=False)
    optimizers = content["network_info"]["optimizers"]
    for name in [name for name in optimizers if name.endswith("_state_dict")]:
        optimizers[name] = _fresh(optimizers[name])
    with io.BytesIO() as packed:
        torch.save(content, packed, pickle_module=dill)
        return packed.getvalue()


def save(folder: Path, packed: bytes, trainer: Any, state: dict[str, Any], step: int) -> None:
    """Write a checkpoint.

    Args:
        folder: An empty folder, such as `ctx.checkpoint(step)` gives.
        packed: The fittest agent, by `pack`.
        trainer: The library's trainer, with the population that goes on.
        state: What else a resumed run needs.
        step: Steps done.
    """
    import agilerl
    import torch

    (folder / AGENT).write_bytes(packed)
    for index, agent in enumerate(trainer.population):
        agent.save_checkpoint(str(folder / f"population_{index}.pt"))
    torch.save(state, folder / TRAINING)
    memory = pack_memory(trainer.memory)
    if memory is not None:
        torch.save(memory, folder / MEMORY)
    facts = {
        "library": "agilerl",
        "version": getattr(agilerl, "__version__", ""),
        "step": step,
        **describe(trainer.population[0]),
        "population": len(trainer.population),
        "files": {AGENT: hashlib.sha256(packed).hexdigest()},
    }
    (folder / FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def describe(agent: Any) -> dict[str, str]:
    """Return the facets of an agent: its algorithm, its spaces and whether its observations are normalized.

    Args:
        agent: An algorithm, or a wrapper around one.
    """
    base = agents.unwrapped(agent)
    normalization = "observations" if agents.is_normalized(agent) else "none"
    spaces = describe_spaces(base.observation_space, base.action_space)
    return {"algorithm": type(base).__name__, **spaces, "normalization": normalization}


def read_facts(folder: Path) -> dict[str, Any]:
    """Return what a checkpoint says of itself; the agent in it is the one that was saved with it.

    Args:
        folder: The checkpoint.

    Raises:
        CheckpointError: A file is missing, or cannot be read, or is another one.
    """
    for name in (FACTS, AGENT):
        if not (folder / name).is_file():
            raise CheckpointError(
                f"The checkpoint has no file {name}.", f"{folder / name} does not exist.", FIX
            )
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        digest = facts["files"][AGENT]
    except (ValueError, KeyError, TypeError) as error:
        raise unreadable(folder / FACTS, error) from error
    if hashlib.sha256((folder / AGENT).read_bytes()).hexdigest() != digest:
        what = f"{AGENT} is not the file that was saved with this checkpoint."
        raise CheckpointError(what, "It is of another step or of another run.", FIX)
    return facts


def check_fit(facts: dict[str, Any], agent: Any) -> None:
    """Refuse a checkpoint of another algorithm, of other spaces or of another normalization.

    The library takes them silently, and makes their networks its own.

    Args:
        facts: What the checkpoint says of itself.
        agent: An agent of this run.

    Raises:
        CheckpointError: They differ; the reason names the facet.
    """
    ours = describe(agent)
    for name in ("algorithm", *SPACE_FACETS, "normalization"):
        if facts.get(name) != ours[name]:
            why = f"Its {name} is {facts.get(name)}; {ours[name]} is needed."
            raise CheckpointError("The checkpoint does not fit this run.", why, FIX)


def read(path: Path) -> dict[str, Any]:
    """Return the content of an agent's file. It is a pickle: call this where something trains or answers.

    Args:
        path: The file.

    Raises:
        CheckpointError: It is missing or cannot be opened, or holds NaN.
    """
    import dill
    import torch

    try:
        content = torch.load(path, map_location="cpu", pickle_module=dill, weights_only=False)
        modules = content["network_info"]["modules"]
    except Exception as error:  # a pickle may raise anything
        raise unreadable(path, error) from error
    for name, state in modules.items():
        for layer, tensor in state.items() if name.endswith("_state_dict") else ():
            if torch.is_tensor(tensor) and not bool(tensor.isfinite().all()):
                why = f"{layer!r} holds NaN or infinities: the training diverged."
                fix = "Choose an earlier checkpoint, or lower the learning rate."
                raise CheckpointError("The checkpoint does not hold the expected weights.", why, fix)
    return content


def statistics_in(content: dict[str, Any]) -> Any:
    """Return the statistics of RSNorm in an agent's file; None without them.

    Args:
        content: What `read` returned.
    """
    return (content.get("wrapper_attrs") or {}).get("obs_rms")


def read_training(folder: Path, population: int) -> dict[str, Any]:
    """Return what else a resumed run needs.

    Args:
        folder: The checkpoint.
        population: How many agents this run has.

    Raises:
        CheckpointError: It has none, or it is of another number of agents.
    """
    import torch

    what, fix = "The checkpoint cannot be resumed.", "Start from it instead of resuming."
    if not (folder / TRAINING).is_file():
        raise CheckpointError(what, f"It has no file {TRAINING}: only the agent was kept of it.", fix)
    saved = len(list(folder.glob("population_*.pt")))
    if saved != population:
        raise CheckpointError(what, f"It has a population of {saved}, this run one of {population}.", fix)
    try:
        return torch.load(folder / TRAINING, map_location="cpu", weights_only=True)
    except Exception as error:
        raise unreadable(folder / TRAINING, error) from error


def pack_memory(memory: Any) -> dict[str, Any] | None:
    """Return the filled rows of a replay memory as tensors; None for no memory, or one of another class.

    Args:
        memory: A ReplayBuffer of AgileRL, or None.
    """
    if memory is None or type(memory).__name__ != "ReplayBuffer" or memory.storage is None:
        return None
    rows = memory.storage[: memory.size].clone().to_dict()
    return {"rows": rows, "cursor": memory._cursor, "size": memory.size, "counter": memory.counter}  # noqa: SLF001


def restore_memory(memory: Any, folder: Path) -> int:
    """Fill a replay memory with the transitions of a checkpoint, and return how many there were.

    Args:
        memory: A ReplayBuffer of AgileRL.
        folder: The checkpoint.

    Raises:
        CheckpointError: They are more than it can hold.
    """
    import torch
    from tensordict import TensorDict

    if not (folder / MEMORY).is_file():
        return 0
    saved = torch.load(folder / MEMORY, map_location=memory.device, weights_only=True)
    size = saved["size"]
    if size > memory.max_size:
        why = f"It has {size} transitions, the memory of this run holds {memory.max_size}."
        raise CheckpointError(
            "The replay memory does not fit the config.", why, "Resume with its own config."
        )
    rows = TensorDict(saved["rows"], batch_size=[size])
    storage = memory._init(rows)  # noqa: SLF001  as its `add` does for the first rows
    storage[:size] = rows
    memory._cursor, memory.size = saved["cursor"] % memory.max_size, size  # noqa: SLF001
    memory.counter = saved["counter"]
    return size


def unreadable(path: Path, error: Exception) -> CheckpointError:
    """Return the error for a file that is not what was saved."""
    if isinstance(error, FileNotFoundError):
        return CheckpointError(f"The checkpoint has no file {path.name}.", f"{path} does not exist.", FIX)
    why = f"It is corrupt or comes from another library ({type(error).__name__}: {format_value(str(error))})."
    return CheckpointError(f"The checkpoint file {path} cannot be read.", why, FIX)


def _fresh(state: Any) -> Any:
    """Return the state of an optimizer, or of several, as before its first step."""
    if isinstance(state, dict) and "param_groups" in state:
        return {**state, "state": {}}
    if isinstance(state, dict):
        return {name: _fresh(each) for name, each in state.items()}
    if isinstance(state, list):
        return [_fresh(each) for each in state]
    return state
