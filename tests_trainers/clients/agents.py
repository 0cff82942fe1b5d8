"""Agents that clients ask, each trained for a moment and really served."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benches import Bench

import pipeline_widgets as pw
from pipeline_widgets.algorithms.text_predictor import TextPredictor
from pipeline_widgets.trainers.numpy import letters_predictor
from pipeline_widgets.trainers.trl import letters
from pipeline_widgets.trainers.trl.ready import open_checkpoint


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A served agent that takes observations of four numbers."""

    url: str
    key: str
    name: str

    @property
    def address(self) -> str:
        """Host and port."""
        return self.url.removeprefix("http://")


@dataclass(frozen=True, kw_only=True)
class Language:
    """A served agent that is a language model, and what is known of it without asking it over HTTP."""

    url: str
    key: str
    name: str
    #: The same checkpoint, opened in this process: tells what has to be answered.
    predictor: TextPredictor
    prompts: tuple[str, ...]
    #: For every prompt, two texts that may follow it.
    choices: tuple[tuple[str, str], ...]
    #: A message of a user that its chat template takes.
    message: str
    #: Code for OpenAI's client, as its view shows it, with the key.
    snippet: str

    @property
    def address(self) -> str:
        """Host and port."""
        return self.url.removeprefix("http://")


def numpy_letters(bench: Bench) -> Language:
    """Train the letters model for a moment and serve it; it is wrong often, and always the same."""
    experiment = bench.project.create_experiment("letters", algorithm="SFT", config={"steps": 150})
    return served_letters(bench, experiment, "numpy/letters", letters_predictor.predict)


def trl_letters(bench: Bench) -> Language:
    """Train a letters model that answers with the most likely tokens with TRL for a moment, and serve it."""
    base = bench.folder / "base"
    base.mkdir()
    letters.write_base(base, 0)
    generation = base / "generation_config.json"
    told = json.loads(generation.read_text())
    greedy = {name: value for name, value in told.items() if name not in {"temperature", "top_k"}}
    generation.write_text(json.dumps({**greedy, "do_sample": False}))
    config = {"steps": 60, "base_model": str(base)}
    experiment = bench.project.create_experiment("trl", algorithm="TRL SFT", config=config)
    return served_letters(bench, experiment, "trl/letters", open_checkpoint)


def served_letters(
    bench: Bench, experiment: pw.Experiment, name: str, predict: Callable[[Path], TextPredictor]
) -> Language:
    """Train an experiment on the letters, serve what it has saved last, and open the same in this process."""
    run = experiment.train().wait(300)
    assert run.status == "Succeeded", run.error
    agent = bench.ws.create_agent(name, run.checkpoints[-1])
    made = agent.connect()
    prompts = ("dbca>", "eabb>", "cadb>", "aaec>", "bdce>", "edcb>")
    return Language(
        url=made.url,
        key=made.key or "",
        name=agent.name,
        predictor=predict(copy_of(bench, agent)),
        prompts=prompts,
        choices=tuple(("".join(sorted(text[:-1])), text[:-1]) for text in prompts),
        message="dbca",
        snippet=openai_snippet(bench, agent, made.key or ""),
    )


def openai_snippet(bench: Bench, agent: pw.Agent, key: str) -> str:
    """Return the code with which OpenAI's client asks an agent."""
    snippets = bench.ws._services.agents.snippets(agent._id, key)
    return next(each.code for each in snippets if each.language == "openai")


def copy_of(bench: Bench, agent: pw.Agent) -> Path:
    """Return the folder that an agent answers from."""
    return Path(bench.ws._services.agents.get(agent._id).current.path)


#: Language models whose agents every client of language models has to get on with.
LANGUAGE_MODELS: dict[str, Callable[[Bench], Language]] = {
    "numpy letters": numpy_letters,
    "TRL letters": trl_letters,
}
