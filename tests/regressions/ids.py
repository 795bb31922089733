"""The weaknesses of others that each have a test here, by the names they are known under.

A literal list, so that a test which is renamed or lost is missed: `test_ids` compares it
with the tests. Whoever hears of another weakness adds its name here first.
"""

__all__ = ["IDS", "MORE", "spelled"]

IDS = (
    "CVE-2009-2957",
    "CVE-2009-2958",
    "CVE-2011-2199",
    "CVE-2012-6664",
    "CVE-2013-0145",
    "CVE-2018-8476",
    "CVE-2019-0603",
    "CVE-2019-5436",
    "CVE-2019-5482",
    "CVE-2019-11365",
    "CVE-2019-11366",
    "CVE-2020-6097",
    "CVE-2021-3595",
    "CVE-2021-41054",
    "CVE-2021-44429",
    "CVE-2021-46671",
    "CVE-2024-2169",
    "CVE-2026-21620",
    "netric-adv010",
    "dnsmasq changelog 2.77",
    "dnsmasq path leak",
    "rs-tftpd path leak",
    "atftpd receive race",
    "tftpy #110",
    "tftpy HEAD",
    "py3tftp HEAD",
    "fbtftp example",
    "tqftpserv #44",
    "tqftpserv #50",
    "jumpstarter #346",
    "jumpstarter #348",
    "ptftpd #4",
    "tftpx #7",
    "hikvision-tftpd #15",
    "async-tftp-rs",
    "Tftpd32 format strings",
    "Tftpd32 exploit",
    "reflection",
)
"""Known vulnerabilities, and mistakes that make one."""

MORE = (
    "tftpy #79",
    "tftpy duplicate WRQ",
    "py3tftp port only",
    "fbtftp stray packet",
    "tftpy ERROR 5 to the wrong one",
    "dnsmasq grown file",
    "uftpd #41",
    "uftpd #43",
    "uftpd #44",
    "tftp4j #2",
    "litex #1424",
    "Limine #55",
    "pin #99",
    "cobbler #2016",
    "atftpd directory",
    "PA-RISC padding",
    "GRUB old ACKs",
    "U-Boot reset",
    "hpa client",
    "curl client",
    "data length mismatch",
    "metasploit #5518",
)
"""What firmware does and users complain of, where it touches robustness."""


def spelled(name: str) -> str:
    """Returns how a test's name spells one of them: `cve_2024_2169`, `tftpy_110`."""
    return "_".join("".join(c if c.isalnum() else " " for c in name).lower().split())
