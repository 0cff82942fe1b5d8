"""Config models of the ready algorithms. Fields have the names that Stable-Baselines3 gives its arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from pipeline_widgets.algorithms.handover_field import handover_field
from pipeline_widgets.domain.handover import Handover

_STEPS: JsonDict = {"unit": "environment steps"}
_ROWS: JsonDict = {"unit": "rows"}
#: Names of classes in torch.nn, by the names of the form.
ACTIVATIONS = {"relu": "ReLU", "tanh": "Tanh", "elu": "ELU", "leaky relu": "LeakyReLU"}


class Settings(BaseModel):
    """Config that all algorithms share, without the environment."""

    model_config = ConfigDict(extra="forbid")

    #: The class in Stable-Baselines3.
    library_class: ClassVar[str] = ""

    steps: int = Field(
        50_000,
        ge=1,
        le=10**12,
        description="Total environment steps, rounded up to whole rollouts.",
        json_schema_extra=_STEPS,
    )
    num_envs: int = Field(
        4,
        ge=1,
        le=4096,
        description="Environments stepped in parallel, in one process.",
        json_schema_extra={"unit": "environments"},
    )
    normalize_observations: bool = Field(
        default=False,
        description="Whether observations are scaled by their running mean and variance (VecNormalize).",
    )
    normalize_rewards: bool = Field(
        default=False,
        description="Whether rewards are scaled by the variance of returns; scores are not.",
    )
    learning_rate: float = Field(3e-4, gt=0, le=1, description="Step size of the optimizer at the start.")
    learning_rate_schedule: Literal["constant", "linear"] = Field(
        "constant", description="Whether the learning rate stays, or falls to 0 at the last step."
    )
    gamma: float = Field(0.99, ge=0, le=1, description="Discount of future rewards.")
    net_arch: tuple[int, ...] = Field(
        (64, 64),
        min_length=1,
        max_length=8,
        description="Units of the hidden layers, from the first to the last.",
    )
    activation: Literal["relu", "tanh", "elu", "leaky relu"] = Field(
        "tanh", description="Activation function of the hidden layers."
    )
    evaluate_every: int = Field(
        10_000,
        ge=1,
        description="Steps between evaluations, with a checkpoint each.",
        json_schema_extra=_STEPS,
    )
    evaluation_episodes: int = Field(
        20,
        ge=1,
        le=4096,
        description="Greedy episodes per evaluation, the same ones each time.",
        json_schema_extra={"unit": "episodes"},
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where the networks are: auto takes a GPU if there is one."
    )
    handover: Handover = handover_field()

    @property
    def normalization(self) -> str:
        """The normalized values as a facet: "observations and rewards", "observations", "rewards", "none"."""
        names = {"observations": self.normalize_observations, "rewards": self.normalize_rewards}
        return " and ".join(name for name, is_on in names.items() if is_on) or "none"

    @property
    def network(self) -> str:
        """The sizes and the activation of the network, as a facet."""
        return f"{' x '.join(map(str, self.net_arch))} {self.activation}"

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the class that are fields here by the same name."""
        own = set(type(self).model_fields) - set(Settings.model_fields) - {"env_id"}
        rate = self.learning_rate if self.learning_rate_schedule == "constant" else linear(self.learning_rate)
        named = {name: getattr(self, name) for name in sorted(own)}
        return {**named, "learning_rate": rate, "gamma": self.gamma}


def linear(start: float) -> Callable[[float], float]:
    """Return a schedule that falls to 0: a closure, so that a saved model needs no module of ours.

    Args:
        start: The value at the first step.
    """

    def value(remaining: float) -> float:
        return remaining * start

    return value


class PPOSettings(Settings):
    """Config of PPO without the environment."""

    library_class: ClassVar[str] = "PPO"

    n_steps: int = Field(
        512,
        ge=2,
        le=1_000_000,
        description="Steps in each environment between updates.",
        json_schema_extra=_STEPS,
    )
    batch_size: int = Field(
        64, ge=2, le=1_000_000, description="Minibatch size: rows per gradient step.", json_schema_extra=_ROWS
    )
    n_epochs: int = Field(
        10,
        ge=1,
        le=100,
        description="Passes over a rollout per update.",
        json_schema_extra={"unit": "passes"},
    )
    gae_lambda: float = Field(
        0.95, ge=0, le=1, description="Bias against variance of the advantage estimates (GAE lambda)."
    )
    clip_range: float = Field(0.2, gt=0, lt=1, description="How far a probability ratio may move from 1.")
    ent_coef: float = Field(0.0, ge=0, description="Weight of the entropy bonus in the loss.")
    vf_coef: float = Field(0.5, ge=0, description="Weight of the value loss.")
    max_grad_norm: float = Field(0.5, gt=0, description="Largest norm of a gradient.")
    target_kl: float | None = Field(
        None, gt=0, description="An update ends early beyond this KL divergence; empty for no such bound."
    )


class A2CSettings(Settings):
    """Config of A2C without the environment."""

    library_class: ClassVar[str] = "A2C"

    learning_rate: float = Field(7e-4, gt=0, le=1, description="Step size of the optimizer at the start.")
    n_steps: int = Field(
        8,
        ge=1,
        le=1_000_000,
        description="Steps in each environment between updates.",
        json_schema_extra=_STEPS,
    )
    gae_lambda: float = Field(
        1.0, ge=0, le=1, description="Bias against variance of the advantage estimates (GAE lambda)."
    )
    ent_coef: float = Field(0.0, ge=0, description="Weight of the entropy bonus in the loss.")
    vf_coef: float = Field(0.5, ge=0, description="Weight of the value loss.")
    max_grad_norm: float = Field(0.5, gt=0, description="Largest norm of a gradient.")


class OffPolicySettings(Settings):
    """Config that the off-policy algorithms share."""

    activation: Literal["relu", "tanh", "elu", "leaky relu"] = Field(
        "relu", description="Activation function of the hidden layers."
    )
    num_envs: int = Field(
        1,
        ge=1,
        le=4096,
        description="Environments stepped in parallel, in one process.",
        json_schema_extra={"unit": "environments"},
    )
    buffer_size: int = Field(
        100_000,
        ge=100,
        le=10**9,
        description="Size of the replay buffer. What is in it is part of each checkpoint, for resuming.",
        json_schema_extra={"unit": "transitions"},
    )
    learning_starts: int = Field(
        1_000, ge=0, description="Steps of random actions before training starts.", json_schema_extra=_STEPS
    )
    batch_size: int = Field(
        256, ge=1, le=1_000_000, description="Transitions per gradient step.", json_schema_extra=_ROWS
    )
    tau: float = Field(0.005, gt=0, le=1, description="Target network update rate.")
    train_freq: int = Field(
        1,
        ge=1,
        le=1_000_000,
        description="Steps in each environment between updates.",
        json_schema_extra=_STEPS,
    )
    gradient_steps: int = Field(
        1,
        ge=-1,
        le=1_000_000,
        description="Gradient steps per update; -1 for as many as transitions were collected.",
        json_schema_extra={"unit": "updates"},
    )


class DQNSettings(OffPolicySettings):
    """Config of DQN without the environment. Defaults are those of RL Zoo for CartPole."""

    library_class: ClassVar[str] = "DQN"

    learning_rate: float = Field(2.3e-3, gt=0, le=1, description="Step size of the optimizer at the start.")
    net_arch: tuple[int, ...] = Field(
        (256, 256),
        min_length=1,
        max_length=8,
        description="Units of the hidden layers, from the first to the last.",
    )
    batch_size: int = Field(
        64, ge=1, le=1_000_000, description="Transitions per gradient step.", json_schema_extra=_ROWS
    )
    tau: float = Field(1.0, gt=0, le=1, description="Target network update rate; 1 copies the network.")
    train_freq: int = Field(
        256,
        ge=1,
        le=1_000_000,
        description="Steps in each environment between updates.",
        json_schema_extra=_STEPS,
    )
    gradient_steps: int = Field(
        128,
        ge=-1,
        le=1_000_000,
        description="Gradient steps per update; -1 for as many as transitions were collected.",
        json_schema_extra={"unit": "updates"},
    )
    target_update_interval: int = Field(
        10, ge=1, description="Steps between updates of the target network.", json_schema_extra=_STEPS
    )
    exploration_fraction: float = Field(
        0.16, ge=0, le=1, description="Share of the run in which exploration falls to its final value."
    )
    exploration_initial_eps: float = Field(
        1.0, ge=0, le=1, description="Share of random actions at the start."
    )
    exploration_final_eps: float = Field(0.04, ge=0, le=1, description="Final share of random actions.")
    max_grad_norm: float = Field(10.0, gt=0, description="Largest norm of a gradient.")


class SACSettings(OffPolicySettings):
    """Config of SAC without the environment."""

    library_class: ClassVar[str] = "SAC"

    net_arch: tuple[int, ...] = Field(
        (256, 256),
        min_length=1,
        max_length=8,
        description="Units of the hidden layers, from the first to the last.",
    )
    ent_coef: str = Field(
        "auto",
        pattern=r"^(auto(_[0-9.]+)?|[0-9.]+(e-?[0-9]+)?)$",
        description='Weight of the entropy: "auto" learns it, "auto_0.1" from 0.1, a number keeps it.',
    )

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the class that are fields here by the same name."""
        weight = self.ent_coef if self.ent_coef.startswith("auto") else float(self.ent_coef)
        return {**super().arguments(), "ent_coef": weight}


class TD3Settings(OffPolicySettings):
    """Config of TD3 without the environment."""

    library_class: ClassVar[str] = "TD3"

    learning_rate: float = Field(1e-3, gt=0, le=1, description="Step size of the optimizer at the start.")
    net_arch: tuple[int, ...] = Field(
        (400, 300),
        min_length=1,
        max_length=8,
        description="Units of the hidden layers, from the first to the last.",
    )
    policy_delay: int = Field(2, ge=1, description="Critic updates per update of the policy.")
    target_policy_noise: float = Field(
        0.2, ge=0, description="Standard deviation of the noise that smooths target actions."
    )
    target_noise_clip: float = Field(0.5, ge=0, description="Largest noise of a target action.")
    action_noise: float = Field(
        0.1,
        ge=0,
        description="Standard deviation of the noise of actions in training, of a range from -1 to 1.",
    )

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the class that are fields here by the same name, without the noise."""
        return {name: value for name, value in super().arguments().items() if name != "action_noise"}


class PPOConfig(PPOSettings):
    """Config of SB3 PPO."""

    env_id: str = Field("CartPole-v1", description="A registered Gymnasium environment.")


class A2CConfig(A2CSettings):
    """Config of SB3 A2C."""

    env_id: str = Field("CartPole-v1", description="A registered Gymnasium environment.")


class DQNConfig(DQNSettings):
    """Config of SB3 DQN."""

    env_id: str = Field(
        "CartPole-v1", description="A registered Gymnasium environment with discrete actions."
    )


class SACConfig(SACSettings):
    """Config of SB3 SAC."""

    env_id: str = Field(
        "Pendulum-v1", description="A registered Gymnasium environment with continuous actions."
    )


class TD3Config(TD3Settings):
    """Config of SB3 TD3."""

    env_id: str = Field(
        "Pendulum-v1", description="A registered Gymnasium environment with continuous actions."
    )
