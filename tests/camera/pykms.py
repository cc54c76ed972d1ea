"""Stand in for kms++: picamera2 imports it always and uses it only to show a preview on a monitor."""


class PixelFormat:
    """Names that picamera2 looks up at import."""

    RGB888 = BGR888 = XRGB8888 = XBGR8888 = YUV420 = YVU420 = YUYV = YVYU = UYVY = VYUY = NV12 = MJPEG = None


class Card:
    """A graphics card that cannot be opened."""

    def __init__(self, *_: object) -> None:
        raise RuntimeError("there is no monitor here")
