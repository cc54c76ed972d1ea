"""Settings of a training run: frozen values, from a TOML file and from the command line. Needs no Keras."""

from __future__ import annotations

import argparse
import math
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from vedette.errors import SettingsError, unknown_name

__all__ = ["OPTIMIZERS", "FitSettings", "add_options", "check_input", "option", "read_settings"]

OPTIMIZERS = ("adamw", "muon")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def option(default: Any, text: str, *, export: bool = False) -> Any:
    """Return a dataclass field with its help; `export` marks what matters to the exported model alone."""
    return field(default=default, metadata={"help": text, "export": export})


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """Settings that every recipe has.

    Attributes:
        data: folder of the training data.
        epochs, steps, batch: `steps` batches of `batch` examples make an epoch.
        rate: peak learning rate; one epoch of warm-up, then a cosine to a hundredth.
        seed: of the weights and of all examples.
        init: another run, whose weights this one begins with.
        freeze: epochs at the beginning in which the body (a pre-trained part) keeps its weights.
        body_rate: learning rate of the body over that of the rest.
        layer_decay: learning rate of a layer of the body over that of the next one, 0..1: what lies near the picture
            changes least.
        patience: epochs without a better figure after which training ends; 0 goes to the end.
        accumulate: batches whose gradients are averaged before each update.
        optimizer: adamw, or muon: several times fewer steps for plain convolutions, at a `rate` of 5e-3 and
            a `weight_decay` of 0.1 (of kernels alone).
        weight_decay: of the optimizer, a step; biases and all else decay too.
        ema: momentum of the weights' moving average, at most; short runs use less. 0 keeps the last weights.
        teacher: a `.keras` file or another run, whose outputs are learned too; or an `.npz` of stored outputs.
        teacher_weight: share of the teacher in the loss, 0..1.
        prune: share of the channels that are cut out of `init` at the beginning, 0..0.9.
        tensorboard: write TensorBoard's event files into the run too.
        precision: what the layers compute in; weights stay float32.
        max_broken: share of the pictures that may be broken, missing or wrongly labelled, 0..1; they are left out.
    """

    data: Path = field(metadata={"help": "folder of the training data"})
    epochs: int = option(50, "passes of STEPS batches each")
    steps: int = option(200, "batches an epoch")
    batch: int = option(32, "examples a batch")
    rate: float = option(2e-3, "peak learning rate")
    seed: int = option(0, "of weights and examples")
    init: Path | None = field(default=None, metadata={"help": "run whose weights this one begins with"})
    freeze: int = option(0, "epochs in which the pre-trained body keeps its weights")
    body_rate: float = option(1.0, "learning rate of the body over that of the rest")
    layer_decay: float = option(1.0, "learning rate of each layer of the body over that of the next")
    patience: int = option(0, "epochs without a better figure before it ends; 0 never")
    accumulate: int = option(1, "batches whose gradients are averaged")
    optimizer: str = option("adamw", f"one of {', '.join(OPTIMIZERS)}")
    weight_decay: float = option(0.01, "weight decay of the optimizer")
    ema: float = option(0.998, "momentum of the weights' moving average; 0 for none")
    teacher: Path | None = field(
        default=None, metadata={"help": ".keras file, run, or .npz of outputs to learn from"}
    )
    teacher_weight: float = option(0.5, "share of the teacher in the loss")
    prune: float = option(0.0, "share of the channels to cut out of INIT at the beginning")
    tensorboard: bool = option(False, "write TensorBoard's event files too (yes or no)")
    precision: str = option("float32", f"one of {', '.join(PRECISIONS)}")
    max_broken: float = option(0.1, "share of the pictures that may be broken; they are left out")

    def __post_init__(self) -> None:
        for name in ("epochs", "steps", "batch", "rate", "accumulate"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"{name} is {getattr(self, name)}; give a number above 0.")
        for name in ("freeze", "patience", "body_rate", "seed", "weight_decay"):
            if not getattr(self, name) >= 0:
                raise SettingsError(f"{name} is {getattr(self, name)}; give 0 or more.")
        limits = {"layer_decay": 1.0, "ema": 0.9999, "teacher_weight": 1.0, "prune": 0.9, "max_broken": 1.0}
        for name, most in limits.items():
            if not 0 <= getattr(self, name) <= most:
                raise SettingsError(f"{name} is {getattr(self, name)}; give 0 to {most:g}.")
        if self.freeze >= self.epochs:
            raise SettingsError(f"freeze is {self.freeze} of {self.epochs} epochs; give fewer.")
        if self.precision not in PRECISIONS:
            raise unknown_name("precision", self.precision, PRECISIONS)
        if self.optimizer not in OPTIMIZERS:
            raise unknown_name("optimizer", self.optimizer, OPTIMIZERS)
        self._check_paths()

    def _check_paths(self) -> None:
        if self.init is not None and not (self.init / "ema.weights.h5").is_file():
            raise SettingsError(f"{self.init} holds no ema.weights.h5; give the folder of another run.")
        if self.prune and self.init is None:
            raise SettingsError("prune cuts channels that have been learned; give --init RUN too.")
        if self.teacher is not None and not self.teacher.exists():
            raise SettingsError(f"there is no teacher at {self.teacher}.")


Settings = TypeVar("Settings", bound=FitSettings)


def check_input(size_wh: tuple[int, int]) -> None:
    """Refuse an input size that strides of up to 32 do not divide.

    Raises:
        SettingsError: a side is no positive multiple of 32.
    """
    if min(size_wh) < 32 or size_wh[0] % 32 or size_wh[1] % 32:
        raise SettingsError(f"input is {size_wh[0]}x{size_wh[1]}; both sides must be multiples of 32.")


def add_options(parser: argparse.ArgumentParser, kind: type[FitSettings]) -> None:
    """Add one option a field of `kind`; each is None where it is not given."""
    parser.add_argument("--config", type=Path, metavar="FILE.toml", help="settings; options come first")
    for one in fields(kind):
        shown = "" if one.name == "data" or one.default in (None, "") else f" ({_shown(one.default)})"
        parser.add_argument(
            f"--{one.name.replace('_', '-')}", metavar=_metavar(one), help=f"{one.metadata['help']}{shown}"
        )


def read_settings(kind: type[Settings], config: Path | None, given: Mapping[str, str | None]) -> Settings:
    """Return settings of `kind` from the file `config` and, before that, the words `given` on the command line.

    Raises:
        SettingsError: a key is unknown, a value is of another type or out of range, or no data is named.
    """
    raw: dict[str, Any] = {} if config is None else _read_toml(config)
    known = {one.name: one for one in fields(kind)}
    for key in raw:
        if key not in known:
            raise unknown_name(f"setting in {config}", key, list(known))
    raw |= {name: value for name, value in given.items() if value is not None}
    if "data" not in raw:
        raise SettingsError("no training data is named; give --data DIR.")
    hints = typing.get_type_hints(kind)
    return kind(**{name: _value(name, value, hints[name]) for name, value in raw.items()})


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read the settings {path}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}.") from error


def _value(name: str, value: object, hint: Any) -> Any:
    """Return `value`, a word or a TOML value, as the type that the field has."""
    if isinstance(hint, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    option_name = f"--{name.replace('_', '-')}"
    if hint is bool:
        return _yes_or_no(option_name, value)
    if typing.get_origin(hint) is tuple:
        return _size_wh(option_name, value)
    try:
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise ValueError
        if hint in (int, float) and not math.isfinite(float(value)):
            raise ValueError
        if hint is int and float(value) % 1:
            raise ValueError
        return hint(value)
    except (TypeError, ValueError, OverflowError) as error:
        wanted = {int: "a whole number", float: "a number"}.get(hint, "a word")
        raise SettingsError(f"{option_name} is '{value}'; {wanted} is needed.") from error


def _yes_or_no(name: str, value: object) -> bool:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if str(value).lower() not in words:
        raise SettingsError(f"{name} is '{value}'; give yes or no.")
    return words[str(value).lower()]


def _size_wh(name: str, value: object) -> tuple[int, int]:
    width, _, height = str(value).partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise SettingsError(f"{name} is '{value}'; give width and height such as 320x320.")
    return int(width), int(height)


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return "yes" if default else "no"
    return "x".join(map(str, default)) if isinstance(default, tuple) else str(default)


def _metavar(one: Field[Any]) -> str:
    wanted = str(one.type)
    return "WxH" if "tuple" in wanted else "PATH" if "Path" in wanted else one.name.upper()
