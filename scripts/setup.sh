#!/usr/bin/env bash
# Make this checkout ready to run. Safe to call every time: when nothing has changed it ends at once.
#
#   scripts/setup.sh run    what the program needs
#   scripts/setup.sh dev    that, and what tests and checks need
#
# In order: system libraries, Python, a virtual environment in .venv, the packages of pyproject.toml.
# As root missing system packages are installed with apt; otherwise the one line to run is printed.
set -euo pipefail
cd "$(dirname "$0")/.."

purpose=${1:-run}
case $purpose in
run | dev) ;;
*)
    echo "usage: $0 [run|dev]" >&2
    exit 2
    ;;
esac

# One system library a line: the file the loader looks for (or another that will do), and its package.
RUN_LIBRARIES='
libGL.so.1 libgl1
libEGL.so.1 libegl1
libEGL_mesa.so.0|libEGL_nvidia.so.0 libegl-mesa0
libGLX_mesa.so.0|libGLX_nvidia.so.0 libgl1-mesa-dri
libglib-2.0.so.0 libglib2.0-0
libfontconfig.so.1 libfontconfig1
libdbus-1.so.3 libdbus-1-3
libxkbcommon.so.0 libxkbcommon0
libxkbcommon-x11.so.0 libxkbcommon-x11-0
libxcb-cursor.so.0 libxcb-cursor0
libxcb-icccm.so.4 libxcb-icccm4
libxcb-image.so.0 libxcb-image0
libxcb-keysyms.so.1 libxcb-keysyms1
libxcb-randr.so.0 libxcb-randr0
libxcb-render-util.so.0 libxcb-render-util0
libxcb-shape.so.0 libxcb-shape0
libxcb-shm.so.0 libxcb-shm0
libxcb-sync.so.1 libxcb-sync1
libxcb-xfixes.so.0 libxcb-xfixes0
libxcb-xkb.so.1 libxcb-xkb1
libX11-xcb.so.1 libx11-xcb1
'
LIBRARIES=${N2F_SETUP_LIBRARIES:-$RUN_LIBRARIES} # the tests' way to pretend that one is missing

say() { echo "setup: $*" >&2; }

# python3.11 by that name, else any python3 that pyproject.toml allows. Empty: there is none.
find_python() {
    local candidate
    for candidate in python3.11 python3.12 python3; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' \
            2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

# Debian packages that are not here, on one line.
missing_packages() {
    local known names package python found=()
    known=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p)
    while read -r names package; do
        [ -z "$names" ] || grep -qE "^[[:space:]]+(${names//./\\.}) " <<<"$known" || found+=("$package")
    done <<<"$LIBRARIES"
    python=$(find_python)
    [ -n "$python" ] || found+=(python3)
    [ -n "$python" ] && "$python" -c 'import ensurepip, venv' 2>/dev/null || found+=(python3-venv)
    if [ "$purpose" = dev ]; then
        command -v Xvfb >/dev/null && command -v xvfb-run >/dev/null || found+=(xvfb)
        command -v xauth >/dev/null || found+=(xauth)
    fi
    echo "${found[*]}"
}

install_system_packages() {
    local missing
    missing=$(missing_packages)
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        say "these system packages are missing (Debian and Ubuntu names): $missing"
        say "install them with the next line, then run the same command again:"
        echo "sudo apt-get install -y $missing" >&2
        exit 1
    fi
    say "installing system packages: $missing"
    export DEBIAN_FRONTEND=noninteractive
    # A stale or partly unreachable package list is no reason to stop: the install decides.
    apt-get update -qq >/dev/null || true
    # shellcheck disable=SC2086  # one word per package
    if ! apt-get install -y -qq --no-install-recommends $missing >/dev/null; then
        say "apt could not install them; run this line to see why: apt-get install -y $missing"
        exit 1
    fi
    missing=$(missing_packages)
    if [ -n "$missing" ]; then
        say "still missing after the install: $missing (Python 3.11 or 3.12 is needed)"
        exit 1
    fi
}

# The CPU wheel: from the configured index, else PyTorch's own, else whatever there is.
install_cpu_torch() {
    local version
    version=$(sed -n 's/.*"torch==\([0-9.]*\)".*/\1/p' pyproject.toml)
    pip_install "torch==$version+cpu" 2>/dev/null ||
        pip_install --index-url https://download.pytorch.org/whl/cpu "torch==$version+cpu" 2>/dev/null ||
        pip_install "torch==$version"
}

pip_install() {
    .venv/bin/python -m pip install --quiet --quiet --no-input --disable-pip-version-check \
        --no-warn-script-location --root-user-action=ignore "$@"
}

install_python_packages() {
    local device=$1 other extras
    .venv/bin/python -c 'import pip' 2>/dev/null || "$(find_python)" -m venv --clear .venv
    # Both onnxruntime wheels fill the same folder: never both.
    [ "$device" = cpu ] && other=onnxruntime-gpu || other=onnxruntime
    if .venv/bin/python -m pip show --quiet "$other" 2>/dev/null; then
        .venv/bin/python -m pip uninstall --quiet --quiet --yes onnxruntime onnxruntime-gpu
    fi
    extras=$device
    if [ "$purpose" = dev ]; then
        extras=$device,dev,train,ray
        [ "$device" = gpu ] || install_cpu_torch
    fi
    pip_install --editable ".[$extras]"
}

# The system packages come first, before anything is made, and cost only a look.
install_system_packages

nvidia-smi -L >/dev/null 2>&1 && device=gpu || device=cpu
wanted=$({ cat pyproject.toml scripts/setup.sh && echo "$device $PWD"; } | sha256sum)
if .venv/bin/python -c '' 2>/dev/null; then
    for stamp in .venv/.setup-dev ".venv/.setup-$purpose"; do
        if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then exit 0; fi
    done
fi

say "installing the Python packages into .venv (a few minutes the first time)"
if ! install_python_packages "$device"; then
    say "pip could not install the packages; see its message above, check the network and run again"
    exit 1
fi
echo "$wanted" >".venv/.setup-$purpose"
say "ready"
