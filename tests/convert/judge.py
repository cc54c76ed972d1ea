"""How near a model's masks are to stored ones, as a run's own evaluation tells: judge.py MODEL WANTED.npz."""

import json
import sys
from pathlib import Path

import numpy as np

from vedette.contract import open_model_file
from vedette.engines.litert import LiteRTEngine
from vedette.ops.quant import fill_input

CAP_DB = 60.0

if __name__ == "__main__":
    model = open_model_file(Path(sys.argv[1]))
    stored = np.load(sys.argv[2])
    noise = 0.0
    with LiteRTEngine(model.data, threads=1) as engine:
        spec = engine.inputs[0]
        for image, wanted in zip(stored["images"], stored["masks"], strict=True):
            outputs = engine.run(lambda b, image=image: fill_input(image, b[0], spec, model.contract.input))
            (mask,) = [t for t in outputs if t.name == "mask"]
            real = (mask.data.astype(np.float64) - mask.zero_point) * (mask.scale or 1.0)
            noise += float(((real - wanted) ** 2).sum())
    ratio = 10 * np.log10((stored["masks"] ** 2).sum() / max(noise, 1e-12))
    print(json.dumps({"psnr": min(CAP_DB, float(ratio)), "pictures": len(stored["images"])}))
