"""Fetching model files, against a server on this machine that misbehaves in every known way."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.common.file_server import Behaviour, serving
from facesearch.encoders import load_encoder
from facesearch.errors import WeightsError
from facesearch.model_files import download
from facesearch.model_files.download import DownloadedFile, Fetched, cache_folder, fetch
from support.processes.fork_server import start

BODY = np.random.default_rng(0).bytes(3_000_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
UNPINNED = DownloadedFile("file.pt", "http://127.0.0.1:1/nowhere")
PINNED = DownloadedFile("file.pt", "http://127.0.0.1:1/nowhere", SHA256, len(BODY))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACESEARCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")  # whatever proxy this machine goes through
    return tmp_path / "cache"


def fetched(file: DownloadedFile, behaviour: Behaviour) -> Fetched:
    with serving(behaviour) as address:
        return fetch(file, address, pause=0)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"file.pt.lock"}


def test_a_pinned_file_arrives_whole_and_nothing_else_stays(cache: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    with serving(Behaviour(BODY)) as address:
        result = fetch(PINNED, address, lambda done, total: seen.append((done, total)))
    assert result == Fetched(cache / "file.pt", SHA256, first_use=False)
    assert result.path.read_bytes() == BODY
    assert names(cache) == {"file.pt"}
    assert seen[-1] == (len(BODY), len(BODY))
    assert PINNED.locate() == result.path


def test_a_file_that_is_there_is_not_fetched_again() -> None:
    fetched(PINNED, Behaviour(BODY))
    behaviour = Behaviour(BODY)
    assert fetched(PINNED, behaviour).sha256 == SHA256
    assert behaviour.requests == []


def test_without_a_pin_the_first_digest_is_recorded_and_later_ones_must_agree(cache: Path) -> None:
    assert fetched(UNPINNED, Behaviour(BODY)).first_use
    assert names(cache) == {"file.pt", "file.pt.sha256"}
    (cache / "file.pt").unlink()
    assert not fetched(UNPINNED, Behaviour(BODY)).first_use
    (cache / "file.pt").unlink()
    with pytest.raises(WeightsError, match=f"expected SHA-256 {SHA256}, found"):
        fetched(UNPINNED, Behaviour(BODY[::-1]))


@pytest.mark.parametrize(
    "page",
    [b"<!DOCTYPE html><p>Log in", b"\xef\xbb\xbf \n<HTML>", b'{"error": "log in"}', b"<?xml ?>"],
)
def test_a_page_of_the_network_is_no_model(page: bytes, cache: Path) -> None:
    with pytest.raises(WeightsError, match=r"answered with a page in place of file\.pt"):
        fetched(UNPINNED, Behaviour(page))
    assert not UNPINNED.present and not UNPINNED.recorded.exists()
    assert fetched(UNPINNED, Behaviour(BODY)).first_use


@pytest.mark.parametrize("cuts", [[1_000_000], [1, 2_000_000, 0], [500_000] * 3])
def test_a_cut_connection_is_taken_up_where_it_broke(cuts: list[int]) -> None:
    behaviour = Behaviour(BODY, cuts=list(cuts))
    assert fetched(PINNED, behaviour).path.read_bytes() == BODY
    ends = np.cumsum(cuts)
    assert behaviour.requests == [None, *(f"bytes={end}-" for end in ends)]


def test_a_later_attempt_goes_on_from_what_an_earlier_one_left(cache: Path) -> None:
    with pytest.raises(WeightsError, match="ended after 1000000 of 3000000 bytes"):
        fetched(PINNED, Behaviour(BODY, cuts=[250_000] * 4))
    assert names(cache) == {"file.pt.partial", "file.pt.etag"}
    behaviour = Behaviour(BODY)
    assert fetched(PINNED, behaviour).path.read_bytes() == BODY
    assert behaviour.requests == ["bytes=1000000-"]


@pytest.mark.parametrize(
    "change", [{"ranges": False}, {"etag": '"2"'}, {"etag": None}, {"etag": 'W/"1"'}]
)
def test_what_cannot_be_resumed_starts_over(change: dict[str, Any]) -> None:
    with pytest.raises(WeightsError):
        fetched(PINNED, Behaviour(b"x" * len(BODY), cuts=[10, 10, 10, 10], etag='"old"'))
    assert fetched(PINNED, Behaviour(BODY, **change)).path.read_bytes() == BODY


def test_no_length_is_no_obstacle() -> None:
    assert fetched(PINNED, Behaviour(BODY, length=False)).path.read_bytes() == BODY


@pytest.mark.parametrize("file", [PINNED, UNPINNED])
def test_a_wrong_file_is_deleted_and_both_digests_named(file: DownloadedFile, cache: Path) -> None:
    if file is UNPINNED:
        cache.mkdir()
        file.recorded.write_text(f"{SHA256}  file.pt\n")
    with pytest.raises(WeightsError, match=f"expected SHA-256 {SHA256}, found .*deleted"):
        fetched(file, Behaviour(BODY[::-1]))
    assert names(cache) <= {"file.pt.sha256"}


@pytest.mark.parametrize("body", [BODY + b"more", BODY[:-1]])
def test_a_file_of_another_size_is_refused_at_once(body: bytes, cache: Path) -> None:
    with pytest.raises(WeightsError, match="it is another file"):
        fetched(PINNED, Behaviour(body))
    assert names(cache) == set()


def test_an_endless_file_is_refused_when_it_grows_too_large(cache: Path) -> None:
    with pytest.raises(WeightsError, match="it is another file"):
        fetched(PINNED, Behaviour(BODY * 3, length=False))
    assert names(cache) == set()


@pytest.mark.parametrize(
    ("status", "message"), [(404, "is not there .HTTP 404.*--url"), (403, "was refused .*HTTP 403")]
)
def test_refusals_are_not_tried_again(status: int, message: str) -> None:
    behaviour = Behaviour(BODY, statuses=[status] * 9)
    with pytest.raises(WeightsError, match=message):
        fetched(PINNED, behaviour)
    assert len(behaviour.requests) == 1


def test_a_server_in_trouble_is_tried_again() -> None:
    assert fetched(PINNED, Behaviour(BODY, statuses=[503, 500])).sha256 == SHA256
    with pytest.raises(WeightsError, match="HTTP 500"):
        fetched(DownloadedFile("other", "http://x"), Behaviour(BODY, statuses=[500] * 9))


def test_nobody_answering_says_why() -> None:
    with pytest.raises(WeightsError, match=r"cannot fetch http://127.0.0.1:1/nowhere: .*refused"):
        fetch(PINNED, pause=0)


def test_a_stalled_server_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/file"
        with pytest.raises(WeightsError, match="timed out"):
            fetch(PINNED, address, pause=0)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_redirections_off_the_web_are_refused(target: str) -> None:
    with pytest.raises(WeightsError, match="not the web"):
        fetched(PINNED, Behaviour(BODY, statuses=[302], location=target))


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd",
        "/etc/passwd",
        "ftp://host/x",
        "",
        "http://",
        "http://[",
        "http://host:port/x",
        "http://host/a b",
        "http://h\u00f6st/x",
    ],
)
def test_addresses_off_the_web_are_refused(address: str) -> None:
    with pytest.raises(WeightsError, match="expected an http or https address"):
        fetch(DownloadedFile("x", address))


def test_a_full_disk_keeps_what_came(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download.os, "fsync", full)
    with pytest.raises(WeightsError, match=r"No space left on device; what was fetched is kept"):
        fetched(PINNED, Behaviour(BODY))
    assert "file.pt.partial" in names(cache)
    monkeypatch.undo()
    monkeypatch.setenv("FACESEARCH_CACHE", str(cache))
    assert fetched(PINNED, Behaviour(BODY)).path.read_bytes() == BODY


def test_a_folder_that_cannot_be_made_says_so(cache: Path) -> None:
    cache.write_text("a file")
    with pytest.raises(WeightsError, match=r"cannot store file.pt in .*FACESEARCH_CACHE"):
        fetch(PINNED, "http://127.0.0.1:1/")


def test_a_damaged_file_in_the_cache_is_found(cache: Path) -> None:
    fetched(PINNED, Behaviour(BODY))
    (cache / "file.pt").write_bytes(BODY[:-1] + b"?")
    with pytest.raises(WeightsError, match="is damaged"):
        PINNED.locate()


def test_a_file_never_fetched_says_how() -> None:
    with pytest.raises(WeightsError, match=r"file\.pt has not been fetched"):
        PINNED.locate()
    with pytest.raises(WeightsError, match="run: facesearch encoders fetch facenet-vggface2"):
        load_encoder("facenet-vggface2")


@pytest.mark.parametrize("recorded", [None, ""])
def test_a_file_that_nothing_vouches_for_is_not_used(recorded: str | None, cache: Path) -> None:
    cache.mkdir()
    (cache / "file.pt").write_bytes(BODY)
    if recorded is not None:
        (cache / "file.pt.sha256").write_text(recorded)
    with pytest.raises(WeightsError, match=r"no digest of it is known.*--weights"):
        UNPINNED.locate()


def test_another_range_than_was_asked_for_starts_over() -> None:
    behaviour = Behaviour(BODY, cuts=[1_000_000], shift=5)
    assert fetched(PINNED, behaviour).path.read_bytes() == BODY
    assert behaviour.requests == [None, "bytes=1000000-", None]


def test_a_damaged_tag_starts_over(cache: Path) -> None:
    with pytest.raises(WeightsError):
        fetched(PINNED, Behaviour(BODY, cuts=[250_000] * 4))
    (cache / "file.pt.etag").write_bytes(b"\xff\xfe")
    assert fetched(PINNED, Behaviour(BODY)).path.read_bytes() == BODY


def test_two_processes_at_once_fetch_once(cache: Path) -> None:
    behaviour = Behaviour(BODY)
    with serving(behaviour) as address:
        started = [start(fetch, PINNED, address) for _ in range(3)]
        for process in started:
            process.join()
    assert [process.exitcode for process in started] == [0] * 3
    assert (cache / "file.pt").read_bytes() == BODY
    assert len(behaviour.requests) == 1


def test_the_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder().name == "cache"
    monkeypatch.delenv("FACESEARCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache_folder() == Path("/elsewhere/facesearch")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "facesearch"
