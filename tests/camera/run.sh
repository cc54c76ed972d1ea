#!/bin/bash
# Run Vedette's camera adapter on the real picamera2 and libcamera, with libcamera's virtual camera in place of a sensor.
#
#   sudo tests/camera/run.sh          about 3 minutes the first time, then seconds (the system is kept in build/camera)
#
# It unpacks a Debian trixie with libcamera from trixie-backports, puts picamera2 from PyPI in a virtual environment with
# --system-site-packages (as on a Raspberry Pi), and feeds pictures of known colours through the whole stack. Nothing of
# the machine is changed: mounts live in a mount namespace of their own and end with it.
#
# Exit status: 0 passed; 77 skipped, with the reason; anything else failed.
# DEBIAN_MIRROR overrides the mirror found in this machine's apt sources.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=$root/build/camera
suite=trixie
picamera2=0.3.38

skip() { echo "skipped: $*"; exit 77; }

find_mirror() {
    local found
    found=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -m1 -E '/debian/?$' || true)}
    found=${found:-http://deb.debian.org/debian}
    echo "${found%/}"
}

check_machine() {
    [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || skip "needs Linux on x86-64, this is $(uname -s) on $(uname -m)"
    [ "$(id -u)" = 0 ] || skip "needs root to unpack a Debian system and to chroot (sudo $0)"
    command -v mmdebstrap >/dev/null || skip "needs mmdebstrap (sudo apt-get install -y mmdebstrap)"
    unshare --mount true 2>/dev/null || skip "this machine does not allow mount namespaces (a container without privileges?)"
}

check_mirror() {
    local probe; probe=$(mktemp)
    /usr/lib/apt/apt-helper download-file "$1/dists/$suite-backports/InRelease" "$probe" >/dev/null 2>&1 ||
        { rm -f "$probe"; skip "the Debian mirror $1 does not answer (set DEBIAN_MIRROR)"; }
    rm -f "$probe"
}

# The certificates that this machine trusts for downloads, where it says so (a proxy that opens TLS, for instance).
find_certificates() {
    local file
    for file in "${PIP_CERT:-}" "${REQUESTS_CA_BUNDLE:-}" "${SSL_CERT_FILE:-}" "$(pip config get global.cert 2>/dev/null || true)"; do
        [ -f "$file" ] && { echo "$file"; return; }
    done
    return 0
}

# Run a command in the system $1, with the rest of the machine's devices and this machine's name resolution.
inside() {
    local system=$1; shift
    unshare --mount --propagation private bash -euc '
        system=$1; shift
        mount -t proc proc "$system/proc"
        mount --rbind /sys "$system/sys"
        mount --rbind /dev "$system/dev"
        [ ! -e /etc/resolv.conf ] || cp -L /etc/resolv.conf "$system/etc/resolv.conf"
        exec chroot "$system" "$@"' inside "$system" "$@"
}

build_system() {
    local system=$1 mirror=$2 certificates
    echo "unpacking $suite from $mirror (about 2 minutes, kept in $cache)"
    mmdebstrap --quiet --variant=minbase --components=main \
        --aptopt='APT::Install-Recommends "false"' \
        --setup-hook='mkdir -p "$1/etc/apt/preferences.d"; printf "Package: *libcamera*\nPin: release n='$suite'-backports\nPin-Priority: 600\n" > "$1/etc/apt/preferences.d/libcamera"' \
        --include=ca-certificates,python3,python3-venv,python3-dev,python3-numpy,python3-pil,python3-prctl \
        --include=python3-libcamera,libcamera-tools,libcamera-ipa,gcc,libc6-dev \
        "$suite" "$system" "deb $mirror $suite main" "deb $mirror $suite-backports main"
    certificates=$(find_certificates)
    [ -z "$certificates" ] || cp -L "$certificates" "$system/opt/certificates.pem"
    inside "$system" python3 -m venv --system-site-packages /opt/venv
    inside "$system" env -i PATH=/usr/bin:/bin HOME=/root ${certificates:+PIP_CERT=/opt/certificates.pem} \
        ${PIP_INDEX_URL:+PIP_INDEX_URL="$PIP_INDEX_URL"} ${http_proxy:+http_proxy="$http_proxy"} \
        ${https_proxy:+https_proxy="$https_proxy"} \
        /opt/venv/bin/pip install --quiet --disable-pip-version-check --no-cache-dir \
        "picamera2==$picamera2" 'opencv-python-headless>=4.9'
}

main() {
    local mirror system recipe
    check_machine
    recipe=$(sed -n '/^build_system/,/^}/p' "$here/run.sh" | cat - <(echo "$suite $picamera2") | sha256sum | cut -c1-12)
    system=$cache/$suite-$recipe
    if [ ! -d "$system" ]; then
        mirror=$(find_mirror)
        check_mirror "$mirror"
        rm -rf --one-file-system "$cache"; mkdir -p "$cache"
        trap 'rm -rf --one-file-system "$cache"/*.part' EXIT
        build_system "$system.part" "$mirror"
        mv "$system.part" "$system"
    fi
    rm -rf --one-file-system "$system/opt/check"; mkdir -p "$system/opt/check" "$system/usr/share/libcamera/pipeline/virtual"
    cp "$here"/*.py "$here/fakedma.c" "$root/tests/sources/fake_picamera2.py" "$system/opt/check/"
    cp -r "$root/sdk" "$system/opt/check/sdk"
    cp "$here/virtual.yaml" "$system/usr/share/libcamera/pipeline/virtual/virtual.yaml"
    inside "$system" gcc -O1 -Wall -shared -fPIC -o /opt/check/fakedma.so /opt/check/fakedma.c
    inside "$system" env -i PATH=/usr/bin:/bin HOME=/root PYTHONPATH=/opt/check:/opt/check/sdk PYTHONDONTWRITEBYTECODE=1 \
        LD_PRELOAD=/opt/check/fakedma.so \
        /opt/venv/bin/python -m camera_check
}

main "$@"
