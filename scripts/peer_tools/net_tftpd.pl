#!/usr/bin/perl
#
# Serves a folder with Perl's Net::TFTPd, which comes as a library: a process for each request,
# as its manual asks for. Run by the conformance matrix as a foreign server until a signal ends
# it; takes uploads to new names.
#
#   net_tftpd ADDRESS PORT ROOT      net_tftpd --version
use strict;
use warnings;
use Net::TFTPd;

if (@ARGV == 1 && $ARGV[0] eq '--version') {
    print "$Net::TFTPd::VERSION\n";
    exit 0;
}
die "usage: net_tftpd ADDRESS PORT ROOT\n" unless @ARGV == 3;
my ($address, $port, $root) = @ARGV;

my $listener = Net::TFTPd->new(
    LocalAddr => $address,
    LocalPort => $port,
    RootDir   => $root,
    Writable  => 1,
) or die Net::TFTPd->error;

$SIG{CHLD} = 'IGNORE';
while (1) {
    my $request = $listener->waitRQ(3600) or next;
    my $child = fork;
    die "cannot fork: $!\n" unless defined $child;
    if (!$child) {
        $request->processRQ or print Net::TFTPd->error;
        exit 0;
    }
}
