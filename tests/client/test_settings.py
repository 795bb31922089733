"""What a client asks for by default, and which numbers it takes (RFC 2348, 2349, 7440)."""

import inspect
import socket
from typing import Any

import pytest

from tftp.client.api import Client, Keywords
from tftp.client.settings import PEER_BUFFER, Settings, choose_options, limit_window, wish_for
from tftp.protocol.options import Wish

PLENTY = 4 << 20


@pytest.mark.parametrize(
    ("family", "mtu", "block_size"),
    [
        (socket.AF_INET, 1500, 1468),
        (socket.AF_INET6, 1500, 1448),
        (socket.AF_INET, 1280, 1248),
        (socket.AF_INET6, 1280, 1228),
        (socket.AF_INET, 9000, 8192),
        (socket.AF_INET, 8000, 7968),
        (socket.AF_INET, 65536, 8192),
        (socket.AF_INET6, 65536, 8192),
        (socket.AF_INET, 576, 544),
        (socket.AF_INET, 36, 8),
    ],
)
def test_a_block_fills_a_packet_of_the_path(
    family: socket.AddressFamily, mtu: int, block_size: int
) -> None:
    assert wish_for(Settings(), family, mtu, PLENTY, 0).block_size == block_size


@pytest.mark.parametrize(
    ("buffer", "block_size", "window"),
    [
        (PLENTY, 8192, 32),
        (PLENTY, 65464, 31),
        (425_984, 8192, 24),
        (425_984, 1468, 32),
        (PEER_BUFFER, 8192, 12),
        (PEER_BUFFER, 1468, 32),
        (2304, 1468, 1),
    ],
)
def test_a_window_fits_the_receive_buffer(buffer: int, block_size: int, window: int) -> None:
    settings = Settings(block_size=block_size)
    assert wish_for(settings, socket.AF_INET, 1500, buffer, 0).window == window


def test_what_the_caller_chose_is_asked_for() -> None:
    settings = Settings(block_size=65464, window=65535, server_timeout=7, rollover=0)
    wish = wish_for(settings, socket.AF_INET, 1500, 2304, 1234)
    assert wish == Wish(65464, 65535, 7, 1234, 0)


def test_without_options_nothing_is_asked_for() -> None:
    settings = Settings(options=frozenset(), block_size=1024, server_timeout=7)
    assert wish_for(settings, socket.AF_INET, 1500, PLENTY, 0) == Wish()


def test_option_names_are_checked() -> None:
    assert choose_options(False) == frozenset()
    assert choose_options(["BlkSize", "tsize"]) == {"blksize", "tsize"}
    with pytest.raises(ValueError, match="unknown option 'multicast'"):
        choose_options({"multicast"})
    with pytest.raises(ValueError, match="not one string"):
        choose_options("tsize")


@pytest.mark.parametrize(
    "keywords",
    [
        {"port": 0},
        {"port": 65536},
        {"block_size": 7},
        {"block_size": 65465},
        {"window": 0},
        {"window": 65536},
        {"timeout": 0},
        {"timeout": float("nan")},
        {"timeout": float("inf")},
        {"retries": -1},
        {"retries": 1001},
        {"server_timeout": 0},
        {"server_timeout": 256},
        {"rollover": 2},
        {"linger": -1},
        {"local_ports": range(0)},
        {"local_ports": range(65530, 65540)},
    ],
)
def test_numbers_out_of_their_range_are_refused(keywords: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be|empty"):
        Client("h", **keywords)


def test_the_functions_take_the_keywords_of_the_client() -> None:
    parameters = inspect.signature(Client).parameters.values()
    own = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    assert own == set(Keywords.__annotations__)


def test_a_source_that_is_read_once_keeps_the_largest_window() -> None:
    assert limit_window(Settings()) == (Settings(), 32 * 8192)
    assert limit_window(Settings(block_size=8, window=10))[1] == 10 * 512, "512 if it is ignored"
    settings, kept = limit_window(Settings(block_size=65464, window=65535))
    assert settings.window == 256
    assert kept == 256 * 65464
