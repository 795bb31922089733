"""Every input of the corpus goes through its target again: none of them finds anything."""

import pytest

from tests.fuzz.catalogue import CORPUS, TARGETS, corpus, load
from tests.fuzz.keep import MAX_FILES
from tests.protocol.vectors import load_all

MAX_OCTETS = 200_000  # of all files together


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_finds_nothing(name: str) -> None:
    target, inputs = load(name), corpus(name)
    assert inputs, "there is none"
    for path in inputs:
        try:
            target(path.read_bytes())
        except BaseException as error:
            error.add_note(f"python -m tests.fuzz {name} --replay {path}")
            raise


@pytest.mark.parametrize("name", ["codec", "reader"])
def test_the_golden_vectors_find_nothing(name: str) -> None:
    target = load(name)
    for vector in load_all():
        target(vector.octets)
        for end in range(len(vector.octets)):
            target(vector.octets[:end])


def test_the_corpus_is_small_and_has_no_strangers() -> None:
    folders = [path for path in CORPUS.iterdir() if path.is_dir()]
    assert {path.name for path in folders} == set(TARGETS)
    for name in TARGETS:
        assert len(corpus(name)) <= MAX_FILES
    octets = sum(path.stat().st_size for name in TARGETS for path in corpus(name))
    assert octets <= MAX_OCTETS
