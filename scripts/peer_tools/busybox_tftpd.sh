#!/bin/sh
#
# Serves a folder with the tftpd of BusyBox, under its superserver udpsvd. Run by the conformance
# matrix as a foreign server until a signal ends it; takes uploads too. It takes root, for tftpd
# makes the folder its root.
#
#   busybox_tftpd ADDRESS PORT ROOT      busybox_tftpd --version
#
# BUSYBOX names the program, which needs both applets.
set -eu

if [ "$*" = --version ]; then
    "$BUSYBOX" --list | grep -qx tftpd || exit 127
    "$BUSYBOX" --list | grep -qx udpsvd || exit 127
    "$BUSYBOX" | sed -n '1s/^BusyBox v\([^ ]*\).*/\1/p'
    exit
fi
[ $# -eq 3 ] || exit 2
exec "$BUSYBOX" udpsvd -E -c 200 "$1" "$2" "$BUSYBOX" tftpd -c "$3"
