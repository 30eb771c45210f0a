"""Keys and values of records as they came."""

from __future__ import annotations

from typing import Any

import faust


class RawSchema(faust.Schema):
    """Passes keys and values through as they came: what they mean is decided record by record."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> Any:
        """Return the key as it is."""
        return message.key

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:
        """Return the batch as it is."""
        return message.value
