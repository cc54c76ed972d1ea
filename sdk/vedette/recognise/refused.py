"""What cannot be opened, with the reason: compiled files, foreign operators, memory from frame to frame, no picture."""

from __future__ import annotations

from vedette.errors import ModelError
from vedette.recognise.ssd import OPERATOR
from vedette.tflite.compiled import CUSTOM_OP, read_compiled
from vedette.tflite.graph import Graph, TensorInfo

__all__ = ["find_image", "refuse"]

KNOWN_CUSTOMS = frozenset({OPERATOR})
STATEFUL = frozenset({"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"})
RECURRENT = frozenset(
    {
        "LSTM",
        "RNN",
        "SVDF",
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "UNIDIRECTIONAL_SEQUENCE_RNN",
        "BIDIRECTIONAL_SEQUENCE_LSTM",
        "BIDIRECTIONAL_SEQUENCE_RNN",
    }
)
PICTURE_TYPES = ("uint8", "int8", "float32")


def refuse(graph: Graph) -> None:
    """Refuse what no rule could open.

    Raises:
        ModelError: one sentence why, and what to do.
    """
    compiled = read_compiled(graph)
    if compiled:
        raise ModelError(
            f"it is compiled for the Edge TPU (operator {CUSTOM_OP}, runtime {compiled.min_runtime} or newer) and "
            "cannot run on a CPU. Give the file that it was compiled from."
        )
    foreign = [name for name in graph.customs if name not in KNOWN_CUSTOMS]
    if any(name.startswith("Flex") for name in foreign):
        raise ModelError(
            f"it needs TensorFlow's own operators ({', '.join(foreign)}), which no runtime here has. Export it with "
            "TFLITE_BUILTINS alone."
        )
    if foreign:
        raise ModelError(
            f"it needs the custom operator '{foreign[0]}', which no runtime here has. Export it without."
        )
    _refuse_memory(graph)


def _refuse_memory(graph: Graph) -> None:
    kept = sorted(t.name for t in graph.tensors if t.variable)
    states = _states(graph)
    ops = [kind for kind in graph.counts if kind in STATEFUL | RECURRENT]
    what = (
        f"inputs {', '.join(states)}"
        if states
        else f"variables {kept[0]}"
        if kept
        else f"operator {(ops or [''])[0]}"
    )
    if states or kept or ops:
        raise ModelError(
            f"it keeps a state from frame to frame ({what}): recurrent networks are not supported. Use one that looks "
            "at single pictures."
        )


def _states(graph: Graph) -> list[str]:
    """Return the inputs that come back as outputs of the same shape, beside a picture."""
    if len(graph.inputs) < 2:
        return []
    given = {graph.tensors[i].shape for i in graph.outputs}
    pictures = [i for i in graph.inputs if _is_picture(graph.tensors[i])]
    rest = [i for i in graph.inputs if i not in pictures[:1]] if pictures else []
    words = ("lstm", "state", "hidden", "cell", "recurrent")
    called = [i for i in rest if any(word in graph.tensors[i].name.lower() for word in words)]
    same = [i for i in rest if graph.tensors[i].shape in given]
    return [graph.name(i) for i in (called or same)]


def _is_picture(tensor: TensorInfo) -> bool:
    return len(tensor.shape) == 4 and tensor.shape[3] in (1, 3)


def find_image(graph: Graph) -> TensorInfo:
    """Return the one input, which takes a picture.

    Raises:
        ModelError: it takes something else, or several things.
    """
    if len(graph.inputs) != 1 or not graph.outputs:
        names = ", ".join(f"{graph.name(i)} {graph.tensors[i].shape}" for i in graph.inputs) or "nothing"
        raise ModelError(
            f"it takes {names}, and has {len(graph.outputs)} outputs; one picture in is what is read here."
        )
    image = graph.tensors[graph.inputs[0]]
    if len(image.shape) == 4 and image.shape[1] in (1, 3) and min(image.shape[2:]) > 3:
        raise ModelError(
            f"its input {image.shape} has the channels first. Export it with channels last (NHWC)."
        )
    if not _is_picture(image):
        raise ModelError(f"its input {image.shape} is no picture (1, H, W, 3) or (1, H, W, 1).")
    if image.shape[0] > 1:
        raise ModelError(f"it takes {image.shape[0]} pictures at a time. Export it for a batch of one.")
    if image.dtype not in PICTURE_TYPES:
        raise ModelError(f"its input is {image.dtype}; {', '.join(PICTURE_TYPES)} are read.")
    return image
