"""AgileRL's trainer made of a config."""

from __future__ import annotations

from typing import Any

from pipeline_widgets.trainers.agilerl.configs import DQNSettings, Evolution, PPOSettings, Settings
from pipeline_widgets.trainers.gymnasium_spaces import spaces_of


def make_trainer(config: Settings, env_id: str, seed: int) -> Any:
    """Return a LocalTrainer.

    Args:
        config: The settings.
        env_id: A registered environment.
        seed: Of mutation; the other generators are seeded before.
    """
    import torch
    from agilerl.arena.models.registry import MANIFEST_REGISTRY
    from agilerl.models import MutationSpec, ReplayBufferSpec, TournamentSelectionSpec, TrainingSpec
    from agilerl.models.env import GymEnvSpec
    from agilerl.training.trainer import LocalTrainer
    from agilerl.wrappers.agent import RSNorm

    device = config.device if config.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    environment = GymEnvSpec(name=env_id, num_envs=config.num_envs, sync=True)
    training = TrainingSpec(
        max_steps=config.steps,
        evo_steps=min(config.evo_steps, config.steps),
        eval_loop=config.fitness_episodes,
        pop_size=config.evolution.population_size,
        **_exploration(config),
    )
    evolves = config.evolution.population_size > 1
    trainer: Any = LocalTrainer(
        MANIFEST_REGISTRY.create(config.library_class, **_arguments(config, env_id)),
        environment,
        training=training,
        mutation=MutationSpec(**_mutation(config.evolution, seed)) if evolves else None,
        selection_strategy=TournamentSelectionSpec(tournament_size=config.evolution.tournament_size)
        if evolves
        else None,
        replay_buffer=ReplayBufferSpec(max_size=config.memory_size)
        if isinstance(config, DQNSettings)
        else None,
        hpo=evolves,
        device=device,
    )
    if isinstance(config, PPOSettings) and config.normalize_observations:
        trainer.population = [RSNorm(agent) for agent in trainer.population]
    return trainer


def _arguments(config: Settings, env_id: str) -> dict[str, Any]:
    """Return the arguments of the algorithm: fields of its settings by the same name, and the network."""
    names = ["gamma", "lr", "batch_size", "learn_step"]
    if isinstance(config, PPOSettings):
        names += ["update_epochs", "gae_lambda", "clip_coef", "ent_coef", "vf_coef"]
    if isinstance(config, DQNSettings):
        names += ["tau", "double"]
    arguments = {name: getattr(config, name) for name in names}
    layers = list(config.hidden_size)
    if _observes_vectors(env_id):
        arguments["net_config"] = {
            "latent_dim": config.latent_dim,
            "encoder_config": {"arch": "mlp", "hidden_size": layers},
            "head_config": {"hidden_size": layers},
        }
    return arguments


def _observes_vectors(env_id: str) -> bool:
    observation, _ = spaces_of(env_id)
    return type(observation).__name__ == "Box" and len(observation.shape) == 1


def _exploration(config: Settings) -> dict[str, Any]:
    if not isinstance(config, DQNSettings):
        return {}
    names = ("eps_start", "eps_end", "eps_decay", "learning_delay")
    return {name: getattr(config, name) for name in names}


def _mutation(evolution: Evolution, seed: int) -> dict[str, Any]:
    weights = {
        "no_mut": evolution.no_mutation,
        "arch_mut": evolution.architecture,
        "params_mut": evolution.parameters,
        "act_mut": evolution.activation,
        "rl_hp_mut": evolution.hyperparameters,
    }
    return {"probabilities": weights, "mutation_sd": evolution.mutation_sd, "rand_seed": seed % 2**32}
