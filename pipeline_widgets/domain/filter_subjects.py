"""What runs, experiments, pipelines and projects are filtered by (spec 9.8)."""

from __future__ import annotations

from pipeline_widgets.domain.filtering import FieldKind, FilterSubject
from pipeline_widgets.domain.rollup import PipelineStatus
from pipeline_widgets.domain.run import Status

_TEXT, _NUMBER = FieldKind.TEXT, FieldKind.NUMBER
_COMMON = {
    "name": _TEXT,
    "status": FieldKind.STATUS,
    "tag": _TEXT,
    "note": _TEXT,
    "favourite": FieldKind.FLAG,
    "algorithm": _TEXT,
    "seed": _NUMBER,
    "evaluation_score": _NUMBER,
}

#: `name` is that of the run's experiment, `run` its number. Scores are the best of all that it ever saved;
#: `peak_cpu` is in CPUs, what it used of memory at most in bytes.
RUNS = FilterSubject(
    noun="runs",
    fields={
        **_COMMON,
        "pipeline": _TEXT,
        "run": _NUMBER,
        "step": _NUMBER,
        "training_score": _NUMBER,
        "peak_cpu": _NUMBER,
        "peak_memory": _NUMBER,
        "peak_gpu_memory": _NUMBER,
    },
    statuses=tuple(status.value for status in Status if status is not Status.DRAFT),
)
#: Scores are the best of all its runs, metrics those of its latest run.
EXPERIMENTS = FilterSubject(
    noun="experiments",
    fields={**_COMMON, "pipeline": _TEXT, "runs": _NUMBER, "training_score": _NUMBER},
    statuses=tuple(status.value for status in Status),
)
#: Algorithm, seed, config fields and metrics are those of any of its stages' experiments; the score is the
#: one that the list shows.
PIPELINES = FilterSubject(
    noun="pipelines",
    fields={**_COMMON, "description": _TEXT, "experiment": _TEXT, "stages": _NUMBER},
    statuses=tuple(status.value for status in PipelineStatus),
)
#: The status is any of those of its pipelines, of its other experiments, and of what is active, as the
#: workspace counts them.
PROJECTS = FilterSubject(
    noun="projects",
    fields={
        "name": _TEXT,
        "kind": _TEXT,
        "status": FieldKind.STATUS,
        "experiments": _NUMBER,
        "pipelines": _NUMBER,
    },
    statuses=tuple(status.value for status in PipelineStatus),
    is_open=False,
)
