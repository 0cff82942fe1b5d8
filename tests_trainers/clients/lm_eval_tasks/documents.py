"""The documents of the tasks: those that the environment names, as lines of JSON."""

from __future__ import annotations

import os
from typing import Any

from datasets import Dataset, DatasetDict


def load(**_: Any) -> DatasetDict:
    """Return the documents: "prompt", "answer", and two "choices", the first of which is the answer."""
    return DatasetDict({"test": Dataset.from_json(os.environ["CLIENT_TEST_DOCUMENTS"])})
