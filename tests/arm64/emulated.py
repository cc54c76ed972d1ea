"""An arm64 machine to run the wheel on, made of files: Debian packages unpacked, and qemu-user to run them.

Needs no root and installs nothing: apt, told to keep its state in a folder of ours, fetches the packages, and dpkg
unpacks them. Needs a Debian-like host with apt, dpkg and Debian's keyring, and uv to pick aarch64 wheels.
"""

import os
import platform
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from packed import LOCK, ROOT, build_wheel, find_uv, run

HERE = ROOT / "build" / "arm64"
SUITE, PYTHON = "trixie", "3.13"  # qemu before version 10 crashes in XNNPACK; trixie has 10
KEYRINGS = ("debian-archive-keyring.gpg", "debian-archive-keyring.pgp")
FALLBACK_MIRROR = "http://deb.debian.org/debian"
APT_LINE = "sudo apt install apt dpkg debian-archive-keyring"
HOST_ARCH = {"x86_64": "amd64", "aarch64": "arm64"}
FETCH_S = 150
INSTALL_S = 100


class NotPossibleHereError(Exception):
    """This host cannot make the machine; the message says why and what to install."""


@dataclass(frozen=True)
class Machine:
    """An emulated machine: `python` starts its interpreter with our wheel; MACHINE_CPU chooses the processor."""

    python: Path

    def vedette(self, *words: str | Path, cpu: str, cwd: Path, timeout_s: float = 150) -> str:
        """Return what `vedette WORDS` prints there."""
        command = [self.python, "-m", "vedette", *words]
        return run(command, timeout_s=timeout_s, cwd=cwd, MACHINE_CPU=cpu).stdout


def make_machine() -> Machine:
    """Return a machine with the current wheel; what was fetched before is used again.

    Raises:
        NotPossibleHereError: the host lacks a tool, or the packages cannot be fetched.
    """
    _check_host()
    HERE.mkdir(parents=True, exist_ok=True)
    try:
        if not (HERE / "fetched").exists():
            _fetch()
        _install_wheel()
    except (AssertionError, subprocess.TimeoutExpired) as error:
        raise NotPossibleHereError(f"fetching failed: {str(error).strip()[-800:]}") from error
    return Machine(_write_launcher())


def _check_host() -> None:
    missing = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
    if missing or platform.machine() not in HOST_ARCH:
        raise NotPossibleHereError(
            f"{', '.join(missing) or platform.machine()}: needs a Debian-like host. {APT_LINE}"
        )
    if _keyring() is None:
        raise NotPossibleHereError(f"Debian's keyring is not installed. {APT_LINE}")
    if find_uv() is None:
        raise NotPossibleHereError("uv is not installed. pip install uv")


def _keyring() -> Path | None:
    found = (Path("/usr/share/keyrings") / name for name in KEYRINGS)
    return next((path for path in found if path.exists()), None)


def _mirror() -> str:
    """Return DEBIAN_MIRROR, else the Debian mirror of the host's own sources, else Debian's."""
    if named := os.environ.get("DEBIAN_MIRROR"):
        return named
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    uris = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout.split()
    return next((uri for uri in uris if re.fullmatch(r"https?://.*/debian/?", uri)), FALLBACK_MIRROR)


def _fetch() -> None:
    """Unpack Python and its libraries for arm64 into root/, and a qemu that runs here."""
    host = HOST_ARCH[platform.machine()]
    for name in ("apt", "root"):
        shutil.rmtree(HERE / name, ignore_errors=True)
    apt = _private_apt(host)
    run([*apt, "update"], timeout_s=FETCH_S)
    run([*apt, "install", "--download-only", "--yes", "--no-install-recommends",
         f"python{PYTHON}", "libstdc++6"], timeout_s=FETCH_S)  # fmt: skip
    _unpack(HERE / "apt" / "archives", HERE / "root")
    (HERE / "root" / "lib").symlink_to("usr/lib")
    qemu = HERE / "apt" / "qemu"
    qemu.mkdir()
    run([*apt, "download", f"qemu-user:{host}"], timeout_s=FETCH_S, cwd=qemu)
    _unpack(qemu, qemu)
    (qemu / "usr" / "bin" / "qemu-aarch64").rename(HERE / "qemu-aarch64")  # one of forty
    shutil.rmtree(HERE / "apt")
    (HERE / "fetched").touch()


def _private_apt(host: str) -> list[str | Path]:
    """Return an apt-get that knows one source and two architectures, and keeps everything below our folder."""
    apt = HERE / "apt"
    for folder in ("lists/partial", "archives/partial"):
        (apt / folder).mkdir(parents=True)
    (apt / "status").touch()
    source = f"deb [arch=arm64,{host} signed-by={_keyring()}] {_mirror()} {SUITE} main\n"
    (apt / "sources.list").write_text(source)
    options = {
        "APT::Architecture": "arm64",
        "APT::Architectures": f"arm64,{host}",
        "APT::Sandbox::User": "root",  # apt's own user may not write here
        "Acquire::Languages": "none",
        "Acquire::Retries": "1",
        "Acquire::http::Timeout": "20",
        "Debug::NoLocking": "1",
        "Dir::Cache": apt,
        "Dir::Cache::archives": apt / "archives",
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::Etc::preferences": "-",
        "Dir::Etc::preferencesparts": "-",
        "Dir::State::lists": apt / "lists",
        "Dir::State::status": apt / "status",
    }
    return ["apt-get", "-qq", *(part for key, value in options.items() for part in ("-o", f"{key}={value}"))]


def _unpack(debs: Path, root: Path) -> None:
    root.mkdir(exist_ok=True)
    for deb in sorted(debs.glob("*.deb")):
        run(["dpkg-deb", "--extract", deb, root], timeout_s=60)


def _install_wheel() -> None:
    """Put the wheel and the real aarch64 wheels it needs into site/."""
    site = HERE / "site"
    shutil.rmtree(site, ignore_errors=True)
    run([
        find_uv() or "uv", "pip", "install", "-q", "--target", site, "--only-binary", ":all:",
        "--python-platform", "aarch64-manylinux_2_28", "--python-version", PYTHON,
        "-c", LOCK, build_wheel(),
    ], timeout_s=INSTALL_S)  # fmt: skip


def _write_launcher() -> Path:
    """Write a script that is a Python to its callers, also to those inside, which start it as sys.executable."""
    launcher = HERE / "python"
    root = HERE / "root"
    environ = {"PYTHONPATH": HERE / "site", "PYTHONNOUSERSITE": 1, "OPENBLAS_NUM_THREADS": 1}
    words = ["exec", HERE / "qemu-aarch64", "-L", root, "-0", launcher]
    words += [word for key, value in environ.items() for word in ("-E", f"{key}={value}")]
    command = " ".join(shlex.quote(str(word)) for word in words)
    python = shlex.quote(str(root / "usr" / "bin" / f"python{PYTHON}"))
    launcher.write_text(f'#!/bin/sh\n{command} -cpu "${{MACHINE_CPU:-cortex-a72}}" {python} "$@"\n')
    launcher.chmod(0o755)
    return launcher
