#!/usr/bin/perl
#
# Fetches or stores one file with Perl's Net::TFTP, which comes as a library. Run by the
# conformance matrix as a foreign client: one transfer, exit status 0 if it succeeded.
#
#   net_tftp get|put HOST PORT REMOTE LOCAL [octet|netascii [BLOCK_SIZE]]
#   net_tftp --version
use strict;
use warnings;
use Net::TFTP;

if (@ARGV == 1 && $ARGV[0] eq '--version') {
    print "$Net::TFTP::VERSION\n";
    exit 0;
}
die "usage: net_tftp get|put HOST PORT REMOTE LOCAL [MODE [BLOCK_SIZE]]\n"
    unless @ARGV >= 5 && $ARGV[0] =~ /^(get|put)$/;
my ($way, $host, $port, $remote, $local, $mode, $size) = @ARGV;

my $client = Net::TFTP->new(
    $host,
    Port      => $port,
    Mode      => $mode || 'octet',
    BlockSize => $size || 0,
);
my $done = $way eq 'get' ? $client->get($remote, $local) : $client->put($local, $remote);
if (!$done) {
    print STDERR $client->error || 'the transfer failed', "\n";
    exit 1;
}
