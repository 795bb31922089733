# shellcheck shell=bash
#
# Peers that have to be made: libraries, to which a tool of ours in this folder gives a command
# line, and programs that are compiled. Sourced by scripts/peers, whose functions it uses.

# Libraries: name, tool, Debian packages.
LIBRARIES="
net-tftpd    net_tftpd.pl    libnet-tftpd-perl
net-tftp     net_tftp.pl     libnet-tftp-perl
erlang-tftp  erlang_tftp.sh  erlang-base erlang-tftp
"
# shellcheck disable=SC2034 # scripts/peers reads it
BUILT_PEERS="busybox-tftpd pin"

# ---------------------------------------------------------------- libraries

library() { awk -v name="$1" '$1 == name { $1 = ""; print substr($0, 2) }' <<<"$LIBRARIES"; }
library_names() { awk 'NF { print $1 }' <<<"$LIBRARIES"; }

# use_library NAME [unpacked]: takes the library that the machine has, or that was unpacked.
use_library() {
    local name=$1 tool packages settings=() where="the system's library"
    read -r tool packages <<<"$(library "$name")"
    if (($# == 2)); then
        mapfile -t settings < <(settings_for "$packages")
        ((${#settings[@]})) || return 1
        where="packages $packages, unpacked"
    fi
    use_tool "$name" "$tool" "$where" "${settings[@]}"
}

# settings_for PACKAGES: the environment in which a tool finds libraries that were unpacked.
settings_for() {
    local folder=$PEERS/debian libraries
    case $1 in
        *-perl)
            [[ ! -d $folder/$1/usr/share/perl5 ]] || echo "PERL5LIB=$folder/$1/usr/share/perl5"
            ;;
        erlang-*)
            [[ -d $folder/erlang-base && -d $folder/erlang-tftp ]] || return 0
            echo "ERLANG_ROOT=$folder/erlang-base/usr/lib/erlang"
            echo "ERLANG_TFTP=$folder/erlang-tftp/usr/lib/erlang/lib"
            libraries=$(libraries_in "$folder/erlang-base")
            [[ -z $libraries ]] || echo "LD_LIBRARY_PATH=$libraries"
            ;;
    esac
}

# use_tool NAME TOOL WHERE [VARIABLE=VALUE...]: a peer is what our tool makes of a library.
use_tool() {
    local name=$1 tool=$2 where=$3 version
    mkdir -p "$PEERS/tools"
    install -m 755 "$REPO/scripts/peer_tools/$tool" "$PEERS/tools/.$tool.new"
    mv -f -- "$PEERS/tools/.$tool.new" "$PEERS/tools/$tool"
    wrap "$name" "$PEERS/tools/$tool" "${@:4}"
    version=$(timeout 20 "$PEERS/bin/$name" --version 2>/dev/null </dev/null) || return 1
    note "$name" "$PEERS/bin/$name" "$version" "$where"
}

# ---------------------------------------------------------------- what has to be compiled

PIN_SOURCE=$REPO/scripts/bench_tools/pin_server/main.go

use_pin() {
    local folder=$PEERS/pin version
    [[ -x $folder/pin_server ]] && cmp -s "$PIN_SOURCE" "$folder/main.go" || return 1
    version=$(zcat "$folder"/pin_library/usr/share/doc/golang-github-pin-tftp-dev/changelog.Debian.gz 2>/dev/null |
        sed -n '1s/.*(\(.*\)).*/\1/p') || version=unknown
    wrap pin "$folder/pin_server" "PIN_VERSION=$version"
    note pin "$PEERS/bin/pin" "$version" "Go library, compiled"
}

build_pin() {
    local python
    python=$(find_python) || return 0
    say "$ME: building pin/tftp"
    rm -f -- "$PEERS/pin/pin_server"
    if (cd "$REPO" && "$python" -m scripts.bench_tools.debian "$PEERS/pin") >"$PEERS/pin.log" 2>&1; then
        cp "$PIN_SOURCE" "$PEERS/pin/main.go"
    fi
}

use_busybox_tftpd() {
    local busybox=$PEERS/busybox/busybox
    use_tool busybox-tftpd busybox_tftpd.sh "the system's busybox" "BUSYBOX=$(type -P busybox)" ||
        use_tool busybox-tftpd busybox_tftpd.sh "Debian's source, compiled" "BUSYBOX=$busybox"
}

# Debian builds its busybox without tftpd, but has the source. Nothing more is switched on than
# tftpd with all its options, and what starts it.
build_busybox_tftpd() {
    local tool
    say "$ME: building busybox with tftpd"
    for tool in cc make; do
        command -v "$tool" >/dev/null || apt_install gcc libc6-dev make || return 0
    done
    rm -rf -- "$PEERS/source" "$PEERS/busybox"
    # A subshell outside of any condition: there `set -e` holds inside of it too.
    set +e
    (
        set -e
        compile_busybox
    ) >"$PEERS/busybox.log" 2>&1
    set -e
    rm -rf -- "$PEERS/source"
}

compile_busybox() {
    local option
    source_of busybox
    cd "$PEERS/source/tree"
    make allnoconfig
    for option in BUSYBOX SHOW_USAGE FEATURE_IPV6 UDPSVD TFTPD FEATURE_TFTP_{GET,PUT,BLOCKSIZE}; do
        sed -i "s/^# CONFIG_$option is not set/CONFIG_$option=y/" .config
    done
    (set +o pipefail && yes '' | make oldconfig)
    make -j "$(nproc)" busybox
    mkdir -p "$PEERS/busybox"
    mv busybox "$PEERS/busybox/busybox"
}

# source_of PACKAGE: the upstream source of a Debian package, unpacked in source/tree. The lists
# of sources are not among those that a machine usually has.
source_of() {
    local place=$PEERS/source
    mkdir -p "$place"/{lists/partial,archives/partial,parts}
    # shellcheck disable=SC2016 # apt-get's own names
    apt-get indextargets 'Created-By: Packages' --format '$(REPO_URI) $(RELEASE)' | sort -u |
        awk '$2 !~ /-/ { print "deb-src", $1, $2, "main" }' >"$place/parts/source.list"
    local apt=(apt-get -qq -o Acquire::Retries=1 -o Acquire::http::Timeout=20
        -o "Dir::State=$place" -o "Dir::Cache=$place" -o Dir::State::status=/var/lib/dpkg/status
        -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$place/parts")
    ((EUID)) || apt+=(-o APT::Sandbox::User=root)
    cd "$place"
    "${apt[@]}" -o APT::Update::Error-Mode=any update
    "${apt[@]}" --download-only source "$1"
    # With Python, since tar needs bzip2 for this, which a small system lacks.
    "$(find_python)" -c 'import sys, tarfile
with tarfile.open(sys.argv[1]) as archive: archive.extractall("unpacked")' "$1"_*.orig.tar.*
    mv unpacked/* tree
}
