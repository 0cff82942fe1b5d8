"""DataFrames: the one place where rows become pandas'."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def data_frame(
    rows: Iterable[Mapping[str, Any] | Sequence[Any]],
    *,
    columns: Sequence[str] | None = None,
    index: Sequence[str] | None = None,
    dtype: type | None = None,
) -> pd.DataFrame:
    """Return rows as a DataFrame whose times are in UTC and bear no zone, since Excel takes no zoned times.

    Args:
        rows: Mappings of column to value, or values in the order of `columns`.
        columns: The names of the columns; those of the mappings by default.
        index: The label of each row.
        dtype: The type of all columns; each column's own by default.
    """
    import pandas as pd  # noqa: PLC0415  importing the package must not import pandas

    made = [_without_zones(row) for row in rows]
    labels = None if columns is None else [*columns]
    return pd.DataFrame(made, index=None if index is None else [*index], columns=labels, dtype=dtype)


def column_frame(columns: Mapping[str, Sequence[Any] | array[int] | array[float]]) -> pd.DataFrame:
    """Return columns as a DataFrame, equal to that of their rows.

    Args:
        columns: The values of each column by its name, all of one length; none of them are times.
    """
    import numpy as np  # noqa: PLC0415  importing the package must not import numpy or pandas
    import pandas as pd  # noqa: PLC0415

    if not all(map(len, columns.values())):
        return data_frame([], columns=[*columns])
    made = {
        name: np.frombuffer(each, each.typecode) if isinstance(each, array) else each
        for name, each in columns.items()
    }
    return pd.DataFrame(made)


def _without_zones(row: Mapping[str, Any] | Sequence[Any]) -> Any:
    if isinstance(row, Mapping):
        return {name: _naive(value) for name, value in row.items()}
    return [_naive(value) for value in row]


def _naive(value: Any) -> Any:
    """Return a zoned time as UTC without its zone, and anything else as it is."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    return value
