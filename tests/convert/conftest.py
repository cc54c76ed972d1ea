"""Small networks of every kind, made once by one TensorFlow process, and what a conversion of them needs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from face_run import ENVIRONMENT, needs_tensorflow
from once import once
from tiny_run import SIDE, draw_pictures, write_run
from vedette.contract import InputContract
from vedette_convert.quantize import float_network

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def networks(tmp_path_factory):
    """A folder of small networks; see networks.py."""
    if needs_tensorflow.args[0]:
        pytest.skip(needs_tensorflow.kwargs["reason"])
    return once(tmp_path_factory, "networks", make_networks)


def make_networks(folder):
    done = subprocess.run(
        [sys.executable, HERE / "networks.py", folder],
        env={**ENVIRONMENT, "PYTHONPATH": str(HERE)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="session")
def tiny_run(networks, tmp_path_factory):
    """A run folder of the small network."""
    return write_run(tmp_path_factory.mktemp("run") / "tiny", networks / "tiny.keras")


@pytest.fixture
def own_layers(monkeypatch):
    """Let conversions import fakequant.py, as they import an installed package's layers."""
    paths = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


@pytest.fixture(scope="session")
def tiny_input():
    """The small network's input, as its contract has it."""
    mean = (127.5, 127.5, 127.5)
    return InputContract("image", (SIDE, SIDE), "rgb", "letterbox", 114, mean, mean)


@pytest.fixture(scope="session")
def tiny_float(networks, tiny_input, tmp_path_factory):
    """The small network as float TFLite."""

    def convert(folder):
        network = float_network(networks / "tiny.keras", draw_pictures(3)[2], tiny_input)
        (folder / "tiny.tflite").write_bytes(network)

    return (once(tmp_path_factory, "tiny_float", convert) / "tiny.tflite").read_bytes()
