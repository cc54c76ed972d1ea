"""Say what a stranger's `.tflite` is, by written rules, or ask. One rule a module, each with what fired it in words."""

from __future__ import annotations

from vedette.recognise.rules import HEADS, recognise

__all__ = ["HEADS", "recognise"]
