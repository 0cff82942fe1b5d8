"""Config models of the ready algorithms. Fields have the names that AgileRL gives its arguments."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from pipeline_widgets.algorithms.handover_field import handover_field
from pipeline_widgets.domain.handover import Handover

_STEPS: JsonDict = {"unit": "environment steps"}
_ROWS: JsonDict = {"unit": "rows"}


class Evolution(BaseModel):
    """The evolution of a population: tournaments, and mutations of those that win."""

    model_config = ConfigDict(extra="forbid")

    population_size: int = Field(
        1,
        ge=1,
        le=256,
        description="Agents that are trained side by side; 1 trains a single one, without evolution.",
        json_schema_extra={"unit": "agents"},
    )
    tournament_size: int = Field(
        2, ge=1, le=256, description="Agents in a tournament.", json_schema_extra={"unit": "agents"}
    )
    no_mutation: float = Field(0.4, ge=0, le=1, description="Weight of leaving a winner unchanged.")
    architecture: float = Field(0.2, ge=0, le=1, description="Weight of changing its layers.")
    parameters: float = Field(0.2, ge=0, le=1, description="Weight of noise on its weights.")
    activation: float = Field(0.0, ge=0, le=1, description="Weight of another activation function.")
    hyperparameters: float = Field(0.2, ge=0, le=1, description="Weight of other hyperparameters.")
    mutation_sd: float = Field(0.1, ge=0, description="Standard deviation of the noise on weights.")


class Settings(BaseModel):
    """Config that the algorithms share, without the environment."""

    model_config = ConfigDict(extra="forbid")

    #: The name in AgileRL.
    library_class: ClassVar[str] = ""
    #: Whether RSNorm works with it: AgileRL's loop for DQN does not take a wrapped agent.
    can_normalize: ClassVar[bool] = False

    steps: int = Field(
        50_000,
        ge=1,
        le=10**12,
        description="Total environment steps of an agent, rounded up to whole generations.",
        json_schema_extra=_STEPS,
    )
    evo_steps: int = Field(
        5_000,
        ge=1,
        description="Steps of a generation: then agents are evaluated, saved, selected and mutated.",
        json_schema_extra=_STEPS,
    )
    num_envs: int = Field(
        8,
        ge=1,
        le=4096,
        description="Environments stepped in parallel, in one process.",
        json_schema_extra={"unit": "environments"},
    )
    gamma: float = Field(0.99, ge=0, le=1, description="Discount of future rewards.")
    fitness_episodes: int = Field(
        3,
        ge=1,
        le=1_000,
        description="Rounds of episodes by which the library ranks agents; their mean is the training score.",
        json_schema_extra={"unit": "rounds"},
    )
    evaluation_episodes: int = Field(
        20,
        ge=1,
        le=4096,
        description="Greedy episodes per evaluation, the same ones each time.",
        json_schema_extra={"unit": "episodes"},
    )
    latent_dim: int = Field(
        64, ge=16, le=128, description="Units between encoder and head.", json_schema_extra={"unit": "units"}
    )
    hidden_size: tuple[int, ...] = Field(
        (64,), min_length=1, max_length=3, description="Units of the hidden layers of encoder and head."
    )
    evolution: Evolution = Field(
        default_factory=lambda: Evolution.model_validate({}),
        description="Population, tournament and mutation.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where the networks are: auto takes a GPU if there is one."
    )
    handover: Handover = handover_field()


class PPOSettings(Settings):
    """Config of PPO without the environment."""

    library_class: ClassVar[str] = "PPO"
    can_normalize: ClassVar[bool] = True

    normalize_observations: bool = Field(
        default=False,
        description="Whether observations are scaled by their running mean and variance (RSNorm).",
    )
    lr: float = Field(1e-3, gt=0, le=1, description="Step size of the optimizer.")
    batch_size: int = Field(
        256,
        ge=2,
        le=1_000_000,
        description="Minibatch size: rows per gradient step.",
        json_schema_extra=_ROWS,
    )
    learn_step: int = Field(
        1_024, ge=1, description="Steps of all environments between updates.", json_schema_extra=_STEPS
    )
    update_epochs: int = Field(
        4, ge=1, le=100, description="Passes over a rollout per update.", json_schema_extra={"unit": "passes"}
    )
    gae_lambda: float = Field(
        0.95, ge=0, le=1, description="Bias against variance of the advantage estimates (GAE lambda)."
    )
    clip_coef: float = Field(0.2, gt=0, lt=1, description="How far a probability ratio may move from 1.")
    ent_coef: float = Field(0.01, ge=0, le=1, description="Weight of the entropy bonus in the loss.")
    vf_coef: float = Field(0.5, ge=0, le=1, description="Weight of the value loss.")


class DQNSettings(Settings):
    """Config of DQN without the environment."""

    library_class: ClassVar[str] = "DQN"

    lr: float = Field(1e-3, gt=0, le=1, description="Step size of the optimizer.")
    batch_size: int = Field(
        64, ge=1, le=65_536, description="Transitions per gradient step.", json_schema_extra=_ROWS
    )
    learn_step: int = Field(4, ge=1, description="Steps of all environments between updates.")
    tau: float = Field(0.01, gt=0, le=1, description="Target network update rate.")
    double: bool = Field(default=True, description="Whether targets are those of Double DQN.")
    memory_size: int = Field(
        50_000,
        ge=100,
        le=10**9,
        description="Size of the replay memory. What is in it is part of each checkpoint, for resuming.",
        json_schema_extra={"unit": "transitions"},
    )
    learning_delay: int = Field(
        500, ge=0, description="Transitions collected before training starts.", json_schema_extra=_ROWS
    )
    eps_start: float = Field(1.0, ge=0, le=1, description="Share of random actions at the start.")
    eps_end: float = Field(0.05, ge=0, le=1, description="Final share of random actions.")
    eps_decay: float = Field(
        0.998,
        gt=0,
        le=1,
        description="Factor of the share of random actions at each step of all environments.",
    )


class PPOConfig(PPOSettings):
    """Config of AgileRL PPO."""

    env_id: str = Field("CartPole-v1", description="A registered Gymnasium environment.")


class DQNConfig(DQNSettings):
    """Config of AgileRL DQN."""

    env_id: str = Field(
        "CartPole-v1", description="A registered Gymnasium environment with discrete actions."
    )
