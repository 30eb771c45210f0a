"""A refused record as a line of the file that `--dead-letters` names."""

from __future__ import annotations

import base64


def text_or_base64(value: bytes) -> dict[str, str]:
    """Return a record's bytes as `raw`, or as `raw_base64` if they are not UTF-8."""
    try:
        return {"raw": value.decode()}
    except UnicodeDecodeError:
        return {"raw_base64": base64.b64encode(value).decode()}
