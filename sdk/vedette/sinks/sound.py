"""Carry the sound of one video over to another, by ffmpeg where that is installed."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path

from vedette.sinks.files import sink_error

__all__ = ["add_sound"]

_TIMEOUT_S = 3600.0


def add_sound(video: Path, source: Path) -> tuple[str, ...]:
    """Put the first sound track of `source`, if there is one, into `video`, in place and whole; streams are copied.

    Returns:
        Why it was not done, in sentences; `video` then stays as it was, without sound.

    Raises:
        SinkError: the disk is full or gone.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        return ("sound, if it has any, is left out: ffmpeg is not installed.",)
    whole = video.with_name(f"{video.stem}.sound{video.suffix}")
    # "file:" keeps ffmpeg from taking what stands before a colon for a protocol
    command = [
        *(program, "-nostdin", "-v", "error", "-y"),
        *("-i", f"file:{video.resolve()}", "-i", f"file:{source.resolve()}"),
        *("-map", "0:v:0", "-map", "1:a:0?", "-c", "copy", "-shortest", f"file:{whole.resolve()}"),
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S, check=False
        )
        if done.returncode == 0:
            whole.replace(video)
            return ()
        said = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
        return (f"its sound is left out: ffmpeg says {said}",)
    except subprocess.TimeoutExpired:
        return (f"its sound is left out: ffmpeg did not end within {_TIMEOUT_S:.0f} s.",)
    except OSError as error:
        raise sink_error(video, error) from error
    finally:
        with contextlib.suppress(OSError):
            whole.unlink()
