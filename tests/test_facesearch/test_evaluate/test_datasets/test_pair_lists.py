"""Pairs files: LFW's format and tables, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from facesearch.errors import InputError
from facesearch.evaluate.datasets.pair_lists import read_pairs_file


@pytest.mark.parametrize(
    "text",
    [
        "a/1 x.jpg\tb/1.jpg\t0\tten\nc/1.jpg\tc/2.jpg\t1\tnine\n",
        "a/1 x.jpg,b/1.jpg,0,ten\nc/1.jpg,c/2.jpg,1,nine\n",
        "# two folds\n\n a/1 x.jpg , b/1.jpg , False , ten\n\nc/1.jpg,c/2.jpg,TRUE,nine\n",
        "\ufefffold,photo2,note,photo1,same\nten,b/1.jpg,x,a/1 x.jpg,0\nnine,c/2.jpg,,c/1.jpg,1\n",
        "Split Number, Pair, First Name, Second Name, Is Same\n"
        "ten, 1, a/1 x.jpg, b/1.jpg, different\nnine, 2, c/1.jpg, c/2.jpg, same\n",
        '"a/1 x.jpg",b/1.jpg,0,ten\r\nc/1.jpg,c/2.jpg,1,nine\r\n',
    ],
)
def test_tables_of_all_kinds(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(text, encoding="utf-8")
    pairs = read_pairs_file(path)
    assert pairs.first == ("a/1 x.jpg", "c/1.jpg")
    assert pairs.second == ("b/1.jpg", "c/2.jpg")
    assert pairs.same.tolist() == [False, True]
    assert pairs.folds.tolist() == [1, 0]


@pytest.mark.parametrize("label", ["1", "true"])
def test_a_header_with_names_is_no_pair(label: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(f"path_a,path_b,same,part\na,b,{label},x\nc,d,0,y\n")
    pairs = read_pairs_file(path)
    assert (pairs.first, pairs.same.tolist(), pairs.folds.tolist()) == (
        ("a", "c"),
        [True, False],
        [0, 1],
    )


def test_a_table_without_folds_has_one(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("a, b.jpg\tc\t1\nd\te\t0\n")
    pairs = read_pairs_file(path)
    assert pairs.first == ("a, b.jpg", "d")
    assert pairs.folds.tolist() == [0, 0]


def test_the_format_of_lfw(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text("1\t1\nX\t1\t2\nX\t1\tY\t3\n")
    assert read_pairs_file(path).second == ("X/X_0002.jpg", "Y/Y_0003.jpg")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty file"),
        ("\n# nothing\n", "empty file"),
        ("first,second,same\n", "below the names, found none"),
        ("a,b,1\nc,d\n", "line 2: expected 3 columns as in the first line, found 2"),
        ("a,b,1\nc,d,0,ten\n", "line 2: expected 3 columns as in the first line"),
        ("path_a,path_b,same\na,b,same\nc,d,yes\n", "line 3: expected 1 for the same person"),
        ("a,b\n", "line 1: expected photo1, photo2, same"),
        ("a,b,2\n", "line 1: expected 1 for the same person or 0"),
        ("some words\n", "line 1: expected photo1"),
        ("1 1\nX 1 2\n", "expected 2 pairs, found 1"),
    ],
)
def test_others_are_refused_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_pairs_file(path)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match=r"cannot read the pairs file .*utf-8"):
        read_pairs_file(path)
    with pytest.raises(InputError, match=r"cannot read the pairs file .*No such file"):
        read_pairs_file(tmp_path / "absent")
