"""Zones that stand in a file, and are changed in both while they are at work."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from vedette.errors import SettingsError, SinkError, unknown_name
from vedette.sinks.files import check_folder, write_atomic
from vedette.stages.zones import Zones, check_shapes
from vedette.zone_settings import LineSettings, dump_zones, load_zones, parse_zones, zone_tables

__all__ = ["FileZones"]

_STRING = re.compile(rb'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'')


class FileZones(Zones):
    """The stage `Zones` of a file. `describe` and `save` may be called from any thread while it runs.

    Args:
        path: the file, see `vedette.zone_settings.load_zones`.
        labels: those that the run's detectors know; any will do where there are none.
        begin: begin without zones where the folder is there and the file is not; the first `save` makes it.

    Raises:
        SettingsError: the file is missing or wrong; it names a label that is not known.
    """

    def __init__(self, path: Path, *, labels: Collection[str] = (), begin: bool = False) -> None:
        self._path, self._labels = path.resolve(), frozenset(labels)
        self._lock = threading.Lock()
        begun = begin and path.parent.is_dir() and not path.exists()
        rules = () if begun else load_zones(path)
        self._check_labels(rules, str(path))
        self._text = None if begun else path.read_bytes()
        self._kept_first = begun
        super().__init__(rules)

    def describe(self) -> dict[str, Any]:
        """Return what an editor needs, ready for JSON.

        ``file``: its name; ``version``: to be given to `save`; ``locked``: why it cannot be saved, or None; ``loses``:
        what saving it costs, or None; ``labels``: those that may be asked for, all if empty; ``zones``: the tables as
        they stand in the file.
        """
        with self._lock:
            return {
                "file": self._path.name,
                "version": _version(self._text),
                "locked": self._locked(),
                "loses": self._loses(),
                "labels": sorted(self._labels),
                "zones": zone_tables(self.rules),
            }

    def save(self, tables: Mapping[str, Any], version: str) -> None:
        """Write `tables` to the file and let them hold from the next frame on.

        The file is whole at any time. What it was before the first `save` is kept as ``NAME.bak``: comments in it are
        not carried over.

        Args:
            tables: as `describe` gives them in ``zones``.
            version: that `describe` gave when the editing began.

        Raises:
            SettingsError: they are refused as they would be in the file, or the file is not what was edited.
            SinkError: the file cannot be written.
        """
        where = self._path.name
        rules = parse_zones(tables, where=where)
        self._check_labels(rules, where)
        check_shapes(rules)
        with self._lock:
            self._check_unchanged(version)
            if locked := self._locked():
                raise SinkError(locked)
            self._write(dump_zones(rules).encode())
            self.change(rules)

    def _write(self, text: bytes) -> None:
        mode = None if self._text is None else self._path.stat().st_mode
        if self._text is not None and not self._kept_first:
            write_atomic(self._path.with_name(f"{self._path.name}.bak"), self._text)
        write_atomic(self._path, text)
        if mode is not None:
            self._path.chmod(mode)
        self._text, self._kept_first = text, True

    def _check_unchanged(self, version: str) -> None:
        name = self._path.name
        if version != _version(self._text):
            raise SettingsError(
                f"{name} was saved by somebody else meanwhile; leave the editor and open it again."
            )
        try:
            missing = self._text is None and not self._path.exists()
            now = None if missing else self._path.read_bytes()
        except OSError as error:
            raise SettingsError(f"cannot read the zones {self._path}: {error.strerror}.") from error
        if now != self._text:
            raise SettingsError(
                f"{name} was changed outside of this run; start the run again to take that over, then edit."
            )

    def _locked(self) -> str | None:
        """Return why the file cannot be written, as far as can be told before it is tried."""
        try:
            check_folder(self._path)
        except SinkError as error:
            return str(error)
        if self._path.exists() and not os.access(self._path, os.W_OK):
            return f"cannot write {self._path}: it is read-only; `chmod u+w {self._path}` allows it."
        return None

    def _loses(self) -> str | None:
        if self._text is None or b"#" not in _STRING.sub(b"", self._text):
            return None
        name = self._path.name
        kept = "" if self._kept_first else f" {name}.bak will keep the file as it is now."
        return f"Saving drops the comments in {name}.{kept}"

    def _check_labels(self, rules: Sequence[LineSettings], where: str) -> None:
        for label in {label for rule in rules for label in rule.labels}:
            if self._labels and label not in self._labels:
                raise unknown_name(f"label in {where}", label, self._labels)


def _version(text: bytes | None) -> str:
    return hashlib.sha256(text or b"").hexdigest()
