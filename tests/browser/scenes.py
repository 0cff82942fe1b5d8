"""What a test's notebook begins with: a workspace in the kernel's folder, and a quick way to make chains."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parent.parent

#: Defines `ws`, `project`, and `chain(names, trigger="auto", **config)`, whose stages count steps.
LETTERS = f"""
import sys, warnings
sys.path[:0] = [{str(TESTS)!r}, {str(TESTS / "support")!r}]
import pipeline_widgets as pw, trainers

ws = pw.Workspace()
project = ws.create_project("Letters", advanced_training=True)

def chain(*names, trigger="auto", name=None, **config):
    pipe = project.create_pipeline(name or f"chain {{len(project.pipelines)}}")
    for each in names:
        made = project.create_experiment(each, algorithm=trainers.counter, config=config)
        pipe.add_experiment_stage(made, trigger=trigger if len(pipe.stages) else "manual")
    return pipe
"""

HOSTILE = "<img src=x onerror=alert(1)>"

#: Another thread is at work on the view.
BUSY = """
import threading
begun, done = threading.Event(), threading.Event()
def work():
    with view._guard:
        begun.set()
        done.wait(20)
threading.Thread(target=work).start()
begun.wait()
"""
