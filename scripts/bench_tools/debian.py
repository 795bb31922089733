"""Programs that only some measurements need, from Debian packages: unpacked, never installed.

nginx, to compare with HTTP; and, if asked for, Go's compiler with the library pin/tftp, which
Debian has no program for. A program that the machine has is taken first. Must be called
before the bench leaves for its private network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

PIN_SERVER = Path(__file__).parent / "pin_server" / "main.go"
GO_PACKAGES = ("golang-github-pin-tftp-dev", "golang-golang-x-net-dev", "golang-golang-x-sys-dev")
NGINX_LIBRARIES = ("libpcre2-8-0", "libssl3", "zlib1g", "libcrypt1")
APT = ("apt-get", "-qq", "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20")
LIMIT = 300.0  # seconds for one download


class Unavailable(RuntimeError):
    """A program can neither be found nor fetched."""


def find_nginx(cache: Path) -> list[str]:
    """Returns the command that starts nginx. Raises Unavailable."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    found = shutil.which("nginx", path=path)
    if found:
        return [found]
    folder = cache / "nginx"
    program = folder / "usr/sbin/nginx"
    if not program.exists():
        _unpack(folder, ["nginx"])
        if "not found" in _output(["ldd", str(program)]):
            _unpack(folder, NGINX_LIBRARIES)
    libraries = ":".join(str(path) for path in folder.glob("usr/lib/*-linux-gnu"))
    return ["env", f"LD_LIBRARY_PATH={libraries}", str(program)] if libraries else [str(program)]


def pin_server(cache: Path) -> Path:
    """Returns where the server made with Go lies once it is built."""
    return cache / "pin_server"


def build_pin_server(cache: Path) -> Path:
    """Builds the server made with Go, fetching what that takes. Raises Unavailable."""
    program = pin_server(cache)
    if program.exists() and program.stat().st_mtime > PIN_SERVER.stat().st_mtime:
        return program
    library = cache / "pin_library"
    if not library.exists():
        _unpack(library, GO_PACKAGES)
    environment = {
        **os.environ,
        "GOPATH": str(library / "usr/share/gocode"),
        "GOCACHE": str(cache / "go_cache"),
        "GO111MODULE": "off",
        "CGO_ENABLED": "0",
    }
    tool = shutil.which("go")
    if tool is None:
        root = _go_compiler(cache)
        tool, environment["GOROOT"] = str(root / "bin/go"), str(root)
    done = subprocess.run(
        [tool, "build", "-o", program, PIN_SERVER],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Unavailable(f"go could not build pin/tftp: {done.stderr.strip()[-300:]}")
    for folder in ("go", "go_cache"):  # half a gigabyte that is not needed again
        shutil.rmtree(cache / folder, ignore_errors=True)
    return program


def _go_compiler(cache: Path) -> Path:
    folder = cache / "go"
    if not folder.exists():
        names = _output(["apt-cache", "depends", "golang-go"]).split()
        package = next((name for name in names if name.startswith("golang-1.")), None)
        if package is None:
            raise Unavailable("there is no go here, and apt-cache knows no package golang-go")
        print("bench: fetching Go's compiler (80 MB)", file=sys.stderr)
        _unpack(folder, [package, package.removesuffix("-go") + "-src"])
    found = sorted(folder.glob("usr/lib/go-*"))
    if not found:
        raise Unavailable("the package of Go's compiler does not hold what was expected")
    return found[-1]


def _unpack(folder: Path, packages: Sequence[str]) -> None:
    """Adds the contents of packages to a folder, which comes to be only if all went well."""
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise Unavailable(f"{packages[0]} is not here, nor {tool} to fetch it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        place = Path(name)
        _download(place, packages)
        fresh = place / "tree"
        for deb in place.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", deb, fresh], check=True)
        if folder.exists():
            shutil.copytree(fresh, folder, symlinks=True, dirs_exist_ok=True)
        else:
            fresh.rename(folder)


def _download(place: Path, packages: Sequence[str]) -> None:
    """Downloads packages into a folder; with lists of our own if there are none or old ones."""
    # The download needs no other user, and that user could not enter the folder.
    apt = [*APT, *(("-o", "APT::Sandbox::User=root") if os.geteuid() == 0 else ())]
    if _quiet([*apt, "download", *packages], place):
        return
    for part in ("state/lists/partial", "cache/archives/partial"):
        (place / part).mkdir(parents=True)
    apt += ["-o", f"Dir::State={place}/state", "-o", f"Dir::Cache={place}/cache"]
    apt += ["-o", "Dir::State::status=/var/lib/dpkg/status"]
    _quiet([*apt, "update"], place)
    if not _quiet([*apt, "download", *packages], place):
        raise Unavailable(f"apt-get could not download {' '.join(packages)}")


def _quiet(command: Sequence[str], folder: Path) -> bool:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _output(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout


if __name__ == "__main__":  # for scripts/peers: builds that server in the folder named
    try:
        print(build_pin_server(Path(sys.argv[1])))
    except Unavailable as error:
        sys.exit(str(error))
