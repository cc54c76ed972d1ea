"""Let the real picamera2 drive libcamera's virtual camera, which is not quite a sensor.

It has no raw pictures to choose a mode from, and its NV12 has two planes where picamera2's own allocator makes
one; picamera2's older allocator leaves that to libcamera.
"""

from __future__ import annotations

from typing import Any

import libcamera
import picamera2.picamera2
from picamera2.allocators import LibcameraAllocator

__all__ = ["adopt"]

Picamera2 = picamera2.picamera2.Picamera2


def adopt() -> None:
    """Change picamera2's class, for this process, as the virtual camera needs it."""
    start = Picamera2.__init__

    def init(self: Any, *args: Any, **named: Any) -> None:
        start(self, *args, **named)
        self.allocator = LibcameraAllocator(self.camera)

    Picamera2.__init__ = init
    Picamera2._get_raw_modes = _modes
    picamera2.picamera2.DmaAllocator = _NoAllocator


class _NoAllocator:
    needs_sync = True


def _modes(camera: Any) -> list[dict[str, Any]]:
    formats = camera.camera.generate_configuration([libcamera.StreamRole.VideoRecording]).at(0).formats
    return [
        {"format": str(pixels), "size": (size.width, size.height)}
        for pixels in formats.pixel_formats
        for size in formats.sizes(pixels)
    ]
