"""The bundled models."""

from __future__ import annotations

from pathlib import Path

from vedette.errors import unknown_name

__all__ = ["bundled", "find"]


def bundled() -> dict[str, Path]:
    """Return the bundled model files by name."""
    return {path.stem: path for path in sorted(Path(__file__).parent.glob("*.tflite"))}


def find(model: str | Path) -> Path:
    """Return the file of a bundled model's name, or `model` itself where it looks like a path.

    Raises:
        SettingsError: no bundled model has that name; the nearest is named.
    """
    text = str(model)
    if text in bundled():
        return bundled()[text]
    if text.endswith(".tflite") or "/" in text or (text and Path(text).exists()):
        return Path(text)
    raise unknown_name("model", text, bundled())
