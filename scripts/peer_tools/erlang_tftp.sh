#!/bin/sh
#
# Serves a folder with Erlang's tftp application. Run by the conformance matrix as a foreign
# server until a signal ends it; takes uploads too.
#
#   erlang_tftp ADDRESS PORT ROOT      erlang_tftp --version
#
# ERLANG_ROOT and ERLANG_TFTP name the folders of an Erlang that is not installed.
set -eu

export ERL_CRASH_DUMP_SECONDS=0 # no file of megabytes where it ends badly

if [ -n "${ERLANG_ROOT-}" ]; then
    ROOTDIR=$ERLANG_ROOT
    BINDIR=$(echo "$ERLANG_ROOT"/erts-*/bin)
    EMU=beam
    PROGNAME=erl
    export ROOTDIR BINDIR EMU PROGNAME
    erl() { exec "$BINDIR/erlexec" -pa "$(echo "$ERLANG_TFTP"/tftp-*/ebin)" "$@"; }
else
    command -v erl >/dev/null || exit 127
    erl() { exec erl "$@"; }
fi

if [ "$*" = --version ]; then
    erl -noshell -noinput -eval '
        ok = application:load(tftp),
        {ok, Version} = application:get_key(tftp, vsn),
        io:format("~s of OTP ~s~n", [Version, erlang:system_info(otp_release)]),
        halt(0).'
fi
[ $# -eq 3 ] || exit 2

# Names of files are octets (+fnl), as they are on the wire.
erl +fnl -noshell -noinput -eval '
    [Address, Port, Root] = init:get_plain_arguments(),
    {ok, Ip} = inet:parse_address(Address),
    {ok, _} = application:ensure_all_started(tftp),
    {ok, _} = tftp:start([
        {port, list_to_integer(Port)},
        {udp, [{ip, Ip}]},
        {callback, {".*", tftp_file, [{root_dir, Root}]}}
    ]),
    receive after infinity -> ok end.' -extra "$@"
