"""TFLite files as they lie on the disk: the graph, its metadata, what is attached, what was compiled."""

from __future__ import annotations

from vedette.tflite.graph import Graph, Op, Signature, TensorInfo, read_graph

__all__ = ["Graph", "Op", "Signature", "TensorInfo", "read_graph"]
