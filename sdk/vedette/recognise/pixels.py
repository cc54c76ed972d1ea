"""How pixels become what the input takes: normalization and the order of colours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from vedette.errors import ModelError, SettingsError
from vedette.recognise.facts import Facts, Found

__all__ = ["COLORS", "RANGES", "choose_color", "choose_normalization", "parse_normalization"]

Triple = tuple[float, float, float]
RANGES: Mapping[str, tuple[Triple, Triple]] = {
    "unit": ((0.0,) * 3, (255.0,) * 3),
    "signed": ((127.5,) * 3, (127.5,) * 3),
    "pixels": ((0.0,) * 3, (1.0,) * 3),
    "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
}
"""Name -> mean, std: real = (pixel - mean) / std. unit = 0..1, signed = -1..1, pixels = 0..255."""

COLORS = ("rgb", "bgr", "gray")
_FLAG = (
    "--normalize unit (0..1), --normalize signed (-1..1), --normalize pixels (0..255), --normalize imagenet"
)
_SHIFT = {"uint8": 0, "int8": 128}


def parse_normalization(text: str) -> tuple[Triple, Triple]:
    """Return mean and std from a name of `RANGES` or ``MEAN:STD``, each one number or three with commas.

    Raises:
        SettingsError: it is neither, or a std is not above 0.
    """
    if text in RANGES:
        return RANGES[text]
    sides = text.split(":")
    try:
        mean, std = (_triple([float(v) for v in side.split(",")]) for side in sides)
    except ValueError:
        mean, std = (0.0,) * 3, (0.0,) * 3
    if not min(std) > 0:
        raise SettingsError(
            f"--normalize '{text}' is not known: give {', '.join(RANGES)}, or MEAN:STD such as "
            "123.7,116.3,103.5:58.4,57.1,57.4 with every std above 0."
        )
    return mean, std


def _triple(values: Sequence[float]) -> Triple:
    if len(values) not in (1, 3):
        raise ValueError("one value or three")
    return (values[0], values[0], values[0]) if len(values) == 1 else (values[0], values[1], values[2])


def choose_normalization(facts: Facts, found: Found, given: str | None) -> tuple[Triple, Triple, str]:
    """Return mean, std and the sentence that says where they are from.

    Looked at in this order: what was given, the input's quantization, metadata, the network's own first operators,
    the rule.

    Raises:
        ModelError: nothing says it, or two things contradict each other.
        SettingsError: `given` is not known.
    """
    if given is not None:
        return *parse_normalization(given), f"normalization: {given}, as given."
    noted = _noted(facts)
    if facts.image.dtype in _SHIFT:
        return _quantized(facts, noted, found.normalize)
    if noted:
        return *noted, f"normalization: mean {noted[0][0]:g}, std {noted[1][0]:g}, from the file's metadata."
    inner = _own_scaling(facts)
    if inner:
        return *RANGES["pixels"], f"normalization: none, the network scales its pixels itself ({inner})."
    if found.normalize:
        return *RANGES[found.normalize], f"normalization: {found.normalize}, {found.normalize_why}."
    raise ModelError(f"the file does not say how its {facts.image.dtype} input is scaled. Say it: {_FLAG}.")


def _noted(facts: Facts) -> tuple[Triple, Triple] | None:
    note = facts.metadata.inputs[0] if facts.metadata.inputs else None
    if not note or not note.mean or not note.std:
        return None
    try:
        mean, std = _triple(note.mean), _triple(note.std)
    except ValueError:
        return None
    return (mean, std) if min(std) > 0 and max(map(abs, (*mean, *std))) < 1e6 else None


def _quantized(facts: Facts, noted: tuple[Triple, Triple] | None, usual: str) -> tuple[Triple, Triple, str]:
    """Read the scaling out of the input's scale and zero point: codes are pixels, where that gives a usual range."""
    image = facts.image
    if not image.quantized:
        if image.dtype == "int8":
            raise ModelError(f"its int8 input has no scale. Say how pixels are scaled: {_FLAG}.")
        return *RANGES[
            "pixels"
        ], "normalization: none, the uint8 input has no scale, so it takes pixels as they are."
    mean, std = float(image.zero_point + _SHIFT[image.dtype]), 1 / image.scale
    low, high = image.limits
    told = f"scale {image.scale:.4g}, zero point {image.zero_point}: {low:.3g} to {high:.3g}"
    name = _usual(mean, std)
    if noted == RANGES["pixels"]:  # of a quantized input: the codes are the pixels
        noted = None
    if noted and _apart(noted, mean, std):
        raise ModelError(
            f"its metadata (mean {noted[0][0]:g}, std {noted[1][0]:g}) and its input's quantization ({told}) "
            f"contradict each other. Say which holds: {_FLAG}."
        )
    if name:
        also = "; its metadata says the same" if noted else ""
        return (
            (mean,) * 3,
            (std,) * 3,
            f"normalization: {name}, from the input's quantization ({told}){also}.",
        )
    if noted:
        return *noted, f"normalization: mean {noted[0][0]:g}, std {noted[1][0]:g}, from the file's metadata."
    if usual:
        return *RANGES[usual], f"normalization: {usual}, the rule's; the quantization is calibrated ({told})."
    raise ModelError(
        f"its input's quantization ({told}) is no usual range. Say how pixels are scaled: {_FLAG}."
    )


def _usual(mean: float, std: float) -> str:
    """Return the name of the range whose codes are the pixels, within two codes at either end."""
    for name in ("unit", "signed", "pixels"):
        if not _apart(RANGES[name], mean, std):
            return name
    return ""


def _apart(noted: tuple[Triple, Triple], mean: float, std: float) -> bool:
    """Tell whether codes by `noted` differ from the pixels by more than two, at black or at white."""
    return any(
        abs((pixel - m) / s * std + mean - pixel) > 2
        for pixel in (0.0, 255.0)
        for m, s in zip(*noted, strict=True)
    )


def _own_scaling(facts: Facts) -> str:
    """Return how the network divides its input by some hundred, right at its beginning; "" where it does not."""
    index = facts.image.index
    for _ in range(4):
        users = facts.graph.users(index)
        if len(users) != 1 or users[0].kind not in ("MUL", "DIV", "SUB", "ADD", "CAST"):
            return ""
        op = users[0]
        constants = [v for i in op.inputs if i != index for v in facts.graph.values(i, limit=64)]
        if constants and op.kind == "MUL" and 0.002 < max(map(abs, constants)) < 0.03:
            return f"its {op.kind} by {max(constants):.4g}"
        if constants and op.kind == "DIV" and 40 < max(map(abs, constants)) < 300:
            return f"its {op.kind} by {max(constants):.4g}"
        index = op.outputs[0] if op.outputs else -1
    return ""


def choose_color(facts: Facts, found: Found, given: str | None) -> tuple[str, str]:
    """Return the order of colours, and the sentence that says where it is from.

    Raises:
        SettingsError: `given` is not known, or does not fit the input's channels.
    """
    gray = facts.channels == 1
    if given is not None and (given not in COLORS or (given == "gray") != gray):
        raise SettingsError(
            f"--color {given} does not fit an input of {facts.channels} channel(s): rgb, bgr or gray."
        )
    if given is not None:
        return given, f"colours: {given}, as given."
    if gray:
        return "gray", "colours: gray, the input has one channel."
    noted = facts.metadata.inputs[0].color if facts.metadata.inputs else ""
    if noted == "rgb":
        return noted, "colours: rgb, from the file's metadata."
    return found.color, f"colours: {found.color}, as this family is trained; the file does not say (--color)."


def parse_head(text: str) -> tuple[str, dict[str, object]]:
    """Return a head's type and parameters from ``type`` or ``type:key=value,key=value``."""
    kind, _, rest = text.partition(":")
    return kind, {
        key.strip(): _value(value.strip())
        for key, _, value in (p.partition("=") for p in rest.split(",") if p)
    }


def _value(text: str) -> object:
    if text in ("true", "false"):
        return text == "true"
    return (
        float(text)
        if re.fullmatch(r"-?\d+\.\d+", text)
        else int(text)
        if re.fullmatch(r"-?\d+", text)
        else text
    )
