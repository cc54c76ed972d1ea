"""What is sent to the dashboard: read up to a bound, and parsed."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request

from vedette.errors import SettingsError

__all__ = ["read_body", "read_json"]


async def read_body(request: Request, most_bytes: int) -> bytes:
    """Return the body of `request`; no more than `most_bytes` of it are ever held.

    Raises:
        SettingsError: it is longer.
    """
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > most_bytes:
            raise SettingsError(f"that is too much: more than {most_bytes} bytes.")
    return data


async def read_json(request: Request, most_bytes: int) -> dict[str, Any]:
    """Return the JSON object in the body of `request`.

    Raises:
        SettingsError: the body is longer than `most_bytes`, no JSON, or no object.
    """
    try:
        given = json.loads(await read_body(request, most_bytes))
    except (ValueError, RecursionError) as error:
        raise SettingsError("that is no JSON.") from error
    if not isinstance(given, dict):
        raise SettingsError("send {...}: a JSON object.")
    return given
