"""Train the face detector: settings, data, loop, and what is kept of a run."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from vedette.errors import SettingsError
from vedette_train.data.faces import face_free_photos, read_faces
from vedette_train.data.scenes import Scenes
from vedette_train.data.targets import anchors, assign
from vedette_train.losses.face import face_loss
from vedette_train.models.face import STRIDES, face_network

__all__ = ["FaceSettings", "train"]


@dataclass(frozen=True, slots=True)
class FaceSettings:
    """Settings of a run.

    Attributes:
        data: folder that holds ``faces/``, ``objects/`` and ``photos/``.
        epochs, steps, batch: `steps` batches of `batch` composed scenes make an epoch.
        size: side of the scenes in pixels, a multiple of 32.
        rate: peak learning rate; one epoch of warm-up, then a cosine to a hundredth.
        seed: of the weights and of all scenes.
        init: another run, whose weights this one begins with.
    """

    data: Path
    epochs: int = 50
    steps: int = 200
    batch: int = 32
    size: int = 288
    rate: float = 2e-3
    seed: int = 0
    init: Path | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "steps", "batch", "rate"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"{name} is {getattr(self, name)}; give a number above 0.")
        if self.init is not None and not (self.init / "ema.weights.h5").is_file():
            raise SettingsError(f"{self.init} holds no ema.weights.h5; give the folder of another run.")
        if self.size < 64 or self.size % 32:
            raise SettingsError(f"size is {self.size}; give a multiple of 32 of at least 64.")


class _Batches(keras.utils.PyDataset):
    """Composed scenes; batch `i` of epoch `e` is the same in every run with the same seed."""

    def __init__(self, scenes: Scenes, settings: FaceSettings) -> None:
        super().__init__(workers=2, max_queue_size=6)
        self._scenes, self._settings = scenes, settings
        self._places = anchors((settings.size, settings.size), STRIDES)
        self.epoch = 0

    def __len__(self) -> int:
        return self._settings.steps

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        s = self._settings
        made = [
            self._scenes.make(np.random.default_rng([s.seed, self.epoch, index, i])) for i in range(s.batch)
        ]
        images = np.stack([scene.image for scene in made]).astype(np.float32) / np.float32(255)
        return images, np.stack([assign(scene, self._places) for scene in made])


class _Trainee(keras.Model):
    """The network with its loss over all outputs at once."""

    def __init__(self, network: keras.Model, size: int) -> None:
        super().__init__(name="trainee")
        self.network = network
        self._places = anchors((size, size), STRIDES)

    def call(self, x: Any, training: bool | None = None) -> Any:
        """Return the network's outputs."""
        return self.network(x, training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the loss of a batch."""
        return face_loss(y, y_pred, keras.ops.convert_to_tensor(self._places), STRIDES)


def train(settings: FaceSettings, run: Path, *, say: Callable[[str], None] = lambda _line: None) -> Path:
    """Train into the folder `run` and return the weights' path; resumes where an earlier call was cut off.

    A run keeps ``settings.json``, ``log.csv``, ``backup/`` (for resuming) and ``ema.weights.h5``, renewed each epoch.

    Raises:
        SettingsError: `run` was begun with other settings.
        VedetteError: the data cannot be read.
    """
    _claim(run, settings)
    keras.utils.set_random_seed(settings.seed)
    scenes = Scenes(read_faces(settings.data, split="train"), face_free_photos(settings.data), settings.size)
    batches = _Batches(scenes, settings)
    model = _Trainee(face_network((settings.size, settings.size)), settings.size)
    total = settings.epochs * settings.steps
    schedule = keras.optimizers.schedules.CosineDecay(
        settings.rate / 20,
        max(1, total - settings.steps),
        alpha=0.01,
        warmup_target=settings.rate,
        warmup_steps=settings.steps,
    )
    optimizer = keras.optimizers.AdamW(
        schedule,
        weight_decay=0.01,
        clipnorm=10.0,
        use_ema=True,
        ema_momentum=min(0.998, max(0.0, 1 - 10 / total)),
    )
    model.compile(optimizer, jit_compile=False)
    model.build((None, settings.size, settings.size, 3))
    if settings.init is not None:
        model.network.load_weights(str(settings.init / "ema.weights.h5"))
    weights = run / "ema.weights.h5"
    callbacks = _callbacks(batches, model, run, weights, say)
    # not shuffled: scenes are random already, and a run that goes on must see what it would have seen
    model.fit(batches, epochs=settings.epochs, shuffle=False, verbose=0, callbacks=callbacks)
    return weights


def _claim(run: Path, settings: FaceSettings) -> None:
    run.mkdir(parents=True, exist_ok=True)
    path = run / "settings.json"
    mine = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(settings).items()}
    if path.exists() and (old := json.loads(path.read_text())["settings"]) != mine:
        changed = [k for k in mine if old.get(k) != mine[k]]
        raise SettingsError(
            f"{run} was begun with other settings ({', '.join(changed)}); give another --out."
        )
    versions = {
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "python": platform.python_version(),
    }
    path.write_text(json.dumps({"settings": mine, "versions": versions}, indent=2))


def _callbacks(
    batches: _Batches, model: _Trainee, run: Path, weights: Path, say: Callable[[str], None]
) -> list[keras.callbacks.Callback]:
    """Order matters: the backup holds the raw weights, what follows the swap sees their moving average."""

    def keep(epoch: int, logs: dict[str, float]) -> None:
        model.network.save_weights(str(weights))
        say(f"epoch {epoch + 1}: loss {logs['loss']:.4f}")

    return [
        keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: setattr(batches, "epoch", epoch)),
        keras.callbacks.BackupAndRestore(str(run / "backup"), delete_checkpoint=False),
        keras.callbacks.CSVLogger(str(run / "log.csv"), append=True),
        keras.callbacks.SwapEMAWeights(swap_on_epoch=True),
        keras.callbacks.LambdaCallback(on_epoch_end=keep),
    ]
