# shellcheck shell=bash
#
# What the scripts in this folder share: messages, stages, and a virtual environment
# that sets itself up. Sourced, never run. Everything it makes lies in .venv and .cache
# of the repository; nothing else is written, save Debian's python3-venv package where
# it is missing. A set-up that is done costs a few milliseconds.

REPO=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
CACHE=$REPO/.cache
VENV=$REPO/.venv
ME=${0##*/}
# Relative to the caller's folder, which the scripts leave.
if [[ -n ${TFTP_PEERS-} ]]; then
    TFTP_PEERS=$(realpath -m -- "$TFTP_PEERS")
    export TFTP_PEERS
fi

say() { printf '%s\n' "$*" >&2; }

die() {
    say "$ME: $*"
    exit 1
}

# stage NAME COMMAND...: runs one step, then says in one line how it went and how long it took.
stage() {
    local name=$1 began=${EPOCHREALTIME/[.,]/} status=0 took
    shift
    # A subshell outside of any condition: there `set -e` holds inside of COMMAND too.
    set +e
    (
        set -e
        "$@"
    )
    status=$?
    set -e
    took=$(((${EPOCHREALTIME/[.,]/} - began) / 100000))
    took=$((took / 10)).$((took % 10))
    if ((status)); then
        say "$ME: $name FAILED (exit $status) after $took s"
        exit 1
    fi
    say "$ME: $name ok, $took s"
}

# as_root COMMAND...: runs it as root; fails quietly where one cannot become root.
as_root() {
    if ((EUID == 0)); then
        "$@"
    elif ! command -v sudo >/dev/null; then
        return 1
    elif [[ -t 0 && -t 2 ]]; then
        sudo "$@"
    else
        sudo -n "$@" 2>/dev/null
    fi
}

# apt_install PACKAGE...: installs Debian packages, with fresh lists if the old ones fail.
apt_install() {
    command -v apt-get >/dev/null || return 1
    local output install=(env DEBIAN_FRONTEND=noninteractive apt-get -qq
        -o DPkg::Lock::Timeout=120 install --no-install-recommends "$@")
    as_root "${install[@]}" >/dev/null 2>&1 && return
    as_root apt-get -qq update >/dev/null 2>&1 || return 1
    output=$(as_root "${install[@]}" 2>&1) && return
    say "$output"
    return 1
}

# find_python [MODULE...]: prints the first Python >= 3.11 that has these modules.
find_python() {
    local python modules=sys
    (($# == 0)) || modules+=$(printf ', %s' "$@")
    for python in python3 /usr/bin/python3 python3.{14,13,12,11}; do
        if "$python" -c "import $modules; sys.exit(sys.version_info < (3, 11))" 2>/dev/null; then
            command -v "$python"
            return
        fi
    done
    return 1
}

# find_python_for_venv: the same, able to make environments; installs what that takes.
find_python_for_venv() {
    find_python ensurepip venv && return
    say "$ME: installing python3-venv with apt-get"
    if apt_install python3 python3-venv && find_python ensurepip venv; then
        return
    fi
    if find_python >/dev/null; then
        die "this Python cannot make virtual environments; as root: apt-get install python3-venv"
    fi
    die "no Python 3.11 or newer was found; as root: apt-get install python3 python3-venv"
}

# make_venv FOLDER: makes a virtual environment, or keeps the one there if it is sound.
make_venv() {
    local folder=$1 python
    # One that was copied or moved along with its repository still points to the old place.
    if [[ -x $folder/bin/python3 && $(head -c 500 "$folder/bin/pip" 2>/dev/null) == "#!$folder/bin/"* ]] &&
        "$folder/bin/python3" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        return
    fi
    python=$(find_python_for_venv) || return 1
    rm -rf -- "$folder"
    "$python" -m venv "$folder"
}

# pip_install FOLDER ARGUMENT...: pip in that environment; speaks only when it fails.
pip_install() {
    local folder=$1 log
    shift
    log=$(mktemp)
    if ! "$folder/bin/python3" -m pip install --disable-pip-version-check --no-input "$@" \
        >"$log" 2>&1; then
        cat "$log" >&2
        rm -f -- "$log"
        return 1
    fi
    rm -f -- "$log"
}

# use_writable_places: pip and mktemp work without a writable home and without /tmp.
use_writable_places() {
    mkdir -p "$CACHE" 2>/dev/null || true
    [[ -w $CACHE ]] || die "cannot write to $CACHE"
    if [[ ! -w ${TMPDIR:-/tmp} ]]; then
        mkdir -p "$CACHE/tmp"
        export TMPDIR=$CACHE/tmp
    fi
    if [[ ! -w ${HOME:-/nonexistent} && -z ${PIP_CACHE_DIR-} ]]; then
        export PIP_CACHE_DIR=$CACHE/pip
    fi
}

# set_up run|dev: .venv holds this project and what it needs to run, or to be tested.
set_up() {
    local lock
    set_up_is_done "$1" && return
    use_writable_places
    exec {lock}>"$CACHE/setup.lock"
    flock "$lock"
    if ! set_up_is_done "$1"; then
        say "$ME: setting up .venv (once; a minute or less)"
        make_venv "$VENV" || exit 1
        pip_install "$VENV" -r "$REPO/requirements/build.txt" -r "$REPO/requirements/$1.txt" ||
            die "pip could not install requirements/$1.txt (see above)"
        pip_install "$VENV" --no-deps --no-build-isolation --editable "$REPO" ||
            die "pip could not install the project (see above)"
        set_up_key "$1" >"$VENV/.stamp-$1"
        # What tests need includes all that serving needs.
        [[ $1 == run ]] || set_up_key run >"$VENV/.stamp-run"
    fi
    exec {lock}>&-
}

set_up_is_done() {
    [[ -x $VENV/bin/python3 && -r $VENV/.stamp-$1 ]] || return 1
    [[ $(<"$VENV/.stamp-$1") == "$(set_up_key "$1")" ]]
}

# Another place, another Python, other pins or other entry points ask for a new set-up.
set_up_key() {
    local files=(pyproject.toml tftp/_version.py requirements/{build,run}.txt)
    [[ $1 == run ]] || files+=("requirements/$1.txt")
    {
        printf '%s\n' "$1" "$REPO"
        readlink -f "$VENV/bin/python3"
        (cd "$REPO" && cat "${files[@]}")
    } | sha256sum
}
