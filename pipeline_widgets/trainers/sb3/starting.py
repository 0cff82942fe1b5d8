"""A model that starts from scratch, from a checkpoint, or where a run was interrupted."""

from __future__ import annotations

from typing import Any

from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.errors import CheckpointError
from pipeline_widgets.trainers.generators import derived
from pipeline_widgets.trainers.gymnasium_spaces import SPACE_FACETS, describe_spaces
from pipeline_widgets.trainers.sb3 import checkpoint_files, replay_buffers, training_state

_WHAT = "The checkpoint does not fit this run."
_FIX = "Choose another checkpoint, or train in the environment and with the config that it was made with."


def start(ctx: TrainContext, model_class: Any, policy: Any, env: Any, **arguments: Any) -> Any:
    """Return a model to train: `sb3.start(ctx, PPO, "MlpPolicy", env)` instead of `PPO("MlpPolicy", env)`.

    From scratch it is the same, with the seed of the run. From a checkpoint it is a new model with the
    weights of the checkpoint, and nothing else of it: the optimizer, the schedules, exploration, the seed and
    an empty replay buffer are those of this run. When a run is resumed, all of that is restored, and
    `learn(total)` with `sb3.Callback` goes on to the total. The statistics of a VecNormalize are restored
    in both cases.

    Args:
        ctx: What the train function got.
        model_class: The class of the algorithm, such as PPO, or one of your own.
        policy: As for the class: "MlpPolicy", "CnnPolicy", "MultiInputPolicy" or a class.
        env: The environments to train in, with VecNormalize around them if that was so in the checkpoint.
        **arguments: Other arguments of the class. `seed` is that of the run unless it is given.

    Raises:
        CheckpointError: The start checkpoint has other spaces, normalization or layers, lacks a file, or
            holds a file that was not saved with it.
    """
    model = model_class(policy, env, **{"seed": ctx.seed, **arguments})
    if ctx.start is None:
        return model
    folder = ctx.start.path
    _check_facts(checkpoint_files.read_facts(folder), model)
    parameters, variables = checkpoint_files.read_weights(folder, model.device)
    _restore_weights(model, parameters)
    _restore_statistics(model, checkpoint_files.read_statistics(folder))
    if ctx.start.role == "resume":
        _resume(ctx, model, variables)
    return model


def _resume(ctx: TrainContext, model: Any, variables: dict[str, Any]) -> None:
    if ctx.start is None:
        return
    from stable_baselines3.common.save_util import recursive_getattr

    state = training_state.read(ctx.start.path, model.device)
    training_state.restore_optimizers(model, state)
    for name, value in variables.items():
        if value is not None:  # in place, since an optimizer refers to it
            recursive_getattr(model, name).data.copy_(value.data)
    if getattr(model, "replay_buffer", None) is not None:
        replay_buffers.restore(model, ctx.start.path, checkpoint_files.BUFFER)
    # New episodes, others than those that the interrupted run began with.
    model.get_env().seed(derived(ctx.seed, ctx.start_step))
    training_state.restore_counters(model, state)


def _check_facts(facts: dict[str, Any], model: Any) -> None:
    """Compare what a checkpoint says of itself with a model, before its weights are read."""
    ours = {
        **describe_spaces(model.observation_space, model.action_space),
        "normalization": checkpoint_files.describe_normalization(model.get_vec_normalize_env()),
    }
    for name in (*SPACE_FACETS, "normalization"):
        if name in facts and facts[name] != ours[name]:
            raise CheckpointError(_WHAT, f"Its {name} is {facts[name]}; {ours[name]} is needed.", _FIX)


def _restore_weights(model: Any, parameters: dict[str, Any]) -> None:
    from stable_baselines3.common.save_util import recursive_getattr

    names = set(model.get_parameters()) - set(training_state.optimizer_names(model))
    for name in sorted(names):
        module, saved = recursive_getattr(model, name), parameters.get(name, {})
        if (why := _difference(name, module.state_dict(), saved)) is not None:
            raise CheckpointError(_WHAT, why, _FIX)
        module.load_state_dict(saved)


def _difference(name: str, needed: dict[str, Any], saved: dict[str, Any]) -> str | None:
    """Say which layer differs; None if all have the same names and shapes."""
    for layer, tensor in needed.items():
        if layer not in saved:
            return f"Its {name} has no layer {layer!r}."
        if saved[layer].shape != tensor.shape:
            shapes = [tuple(each.shape) for each in (saved[layer], tensor)]
            return f"The layer {layer!r} of its {name} is {shapes[0]}; {shapes[1]} is needed."
    surplus = next((layer for layer in saved if layer not in needed), None)
    return None if surplus is None else f"Its {name} has a layer {surplus!r}, which this run has not."


def _restore_statistics(model: Any, saved: Any) -> None:
    ours = model.get_vec_normalize_env()
    if (saved is None) != (ours is None):
        with_, without = ("It was", "this run is not") if ours is None else ("This run is", "it was not")
        why = f"{with_} trained with VecNormalize, {without}."
        raise CheckpointError(
            _WHAT, why, "Wrap the environments alike: VecNormalize(env), or neither of them."
        )
    if saved is not None:
        restore_statistics(ours, saved)


def restore_statistics(ours: Any, saved: Any) -> None:
    """Copy the running statistics of a VecNormalize into another one, which goes on from them.

    Args:
        ours: The VecNormalize of this run.
        saved: That of a checkpoint.
    """
    if ours.norm_obs:
        ours.obs_rms = saved.obs_rms
    ours.ret_rms = saved.ret_rms
