"""Advice on an album's people: in their words, and never against what people decided."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facesearch.album.advice import AdviceInput, PersonFaces, advise
from facesearch.album.figures import TREE_FACES, figures_of
from support.vectors import grouped_vectors

SCALE = 0.14


def case() -> tuple[list[PersonFaces], AdviceInput]:
    """Three bunches of ten faces; the first bunch is two people of the album, p0 and p3."""
    vectors, truth = grouped_vectors(3, 10, seed=3, spread=0.12)
    labels = truth.copy()
    labels[6:10] = 3
    people = [PersonFaces(f"p{n}", False, np.flatnonzero(labels == n)) for n in range(4)]
    ids = np.arange(30, dtype=np.int64) + 100
    return people, AdviceInput(ids, np.arange(30, dtype=np.int64), vectors, np.ones(30))


def pairs(
    people: list[PersonFaces], faces: AdviceInput, **options: object
) -> list[tuple[str, str]]:
    return [each.keys for each in advise(people, faces, SCALE, **options).advice.merges]


def test_one_person_in_two_is_advised_and_no_decision_contradicted() -> None:
    people, faces = case()
    assert pairs(people, faces) == [("p0", "p3")]
    assert pairs(people, faces, apart=[(100, 106)]) == []
    assert pairs(people, faces, apart=[(100, 999), (100, 101), (100, 100)]) == [("p0", "p3")]
    one_photo = faces.photos.copy()
    one_photo[0] = one_photo[6]
    assert pairs(people, replace(faces, photos=one_photo)) == []
    named = [replace(person, named=person.key in {"p0", "p3"}) for person in people]
    assert pairs(named, faces) == []
    assert pairs([replace(people[0], named=True), *people[1:]], faces) == [("p0", "p3")]


def test_people_seen_again_and_again_come_before_the_crowd() -> None:
    """Two pairs of equal people are in question: many faces and few, and two single ones."""
    vectors, _ = grouped_vectors(4, 10, seed=3)
    near = vectors[20] + 0.6 * vectors[21]  # a stranger's two photos, in two people of one
    vectors[30] = vectors[20]
    vectors[31] = near / np.linalg.norm(near)
    faces = AdviceInput(np.arange(40), np.arange(40), vectors.astype(np.float32), np.full(40, 0.9))
    people = [
        PersonFaces("crowd1", False, np.array([30])),
        PersonFaces("crowd2", False, np.array([31])),
        PersonFaces("many", False, np.arange(0, 6)),
        PersonFaces("few", False, np.arange(6, 10)),
    ]
    merges = advise(people, faces, 4.0).advice.merges
    keys = [set(each.keys) for each in merges]
    assert keys[0] == {"many", "few"}
    classes = [
        sum(len(person.rows) < 3 for person in people if person.key in each.keys) for each in merges
    ]
    assert classes == sorted(classes)


def test_what_is_hardly_a_face_gains_nothing() -> None:
    people, faces = case()
    poor = faces.qualities.copy()
    poor[6:10] = 0.1
    assert pairs(people, replace(faces, qualities=poor)) == []
    unknown = np.full(30, np.nan)
    (merge,) = advise(people, replace(faces, qualities=unknown), SCALE).advice.merges
    assert merge.gain == pytest.approx(4 * merge.probability)


def test_a_mixture_and_a_doubt_name_person_and_faces() -> None:
    _, faces = case()
    mixed = [
        PersonFaces("p0", False, np.arange(0, 10)),
        PersonFaces("p1", True, np.arange(10, 30)),  # the second and third bunch
    ]
    (mixture,) = [m for m in advise(mixed, faces, SCALE).advice.mixtures if m.probability > 0.5]
    assert mixture.key == "p1"
    assert set(mixture.faces) in (set(range(110, 120)), set(range(120, 130)))
    stray = [
        PersonFaces("p0", False, np.arange(1, 10)),
        PersonFaces("p1", False, np.append(np.arange(10, 20), 0)),
    ]
    (doubt,) = advise(stray, faces, SCALE).advice.doubts
    assert (doubt.face_id, doubt.key, doubt.next_key) == (100, "p1", "p0")
    quality = advise(stray, faces, SCALE).quality
    assert quality[1] < quality[0] <= 1


def test_what_was_confirmed_is_neither_doubted_nor_parted() -> None:
    _, faces = case()
    people = [
        PersonFaces("p0", False, np.arange(1, 10)),
        PersonFaces("p1", True, np.append(np.arange(10, 30), 0)),
    ]
    before = advise(people, faces, SCALE)
    assert before.advice.mixtures and before.advice.doubts
    after = advise(people, faces, SCALE, confirmed=faces.ids[people[1].rows].tolist())
    assert not after.advice.mixtures and not after.advice.doubts
    assert before.quality[1] < after.quality[1] == 1


def test_an_album_of_nobody_has_no_advice() -> None:
    _, faces = case()
    assert not advise([], faces, SCALE).advice
    figures = figures_of([], faces.vectors)
    assert not figures.trees and figures.distances.within.sum() == 0


def test_figures_tell_one_person_from_two() -> None:
    vectors, truth = grouped_vectors(3, TREE_FACES + 20, seed=5, spread=0.3)
    people = [PersonFaces(f"p{n}", False, np.flatnonzero(truth == n)) for n in range(3)]
    figures = figures_of(people, vectors)
    found = figures.distances
    assert found.within.sum() == pytest.approx(1) and found.between.sum() == pytest.approx(1)
    middles = (found.edges[1:] + found.edges[:-1]) / 2
    for shares, same in ((found.within, True), (found.between, False)):
        kept = (truth[:, None] == truth) == same
        np.fill_diagonal(kept, False)
        apart = ((vectors[:, None] - vectors) ** 2).sum(axis=2)[kept]
        assert shares @ middles == pytest.approx(apart.mean(), rel=0.03)
    assert [(tree.key, tree.count, tree.of) for tree in figures.trees] == [
        (f"p{n}", TREE_FACES, TREE_FACES + 20) for n in range(3)
    ]
    assert all(len(tree.linkage) == TREE_FACES - 1 for tree in figures.trees)


def test_figures_are_the_same_each_time() -> None:
    people, faces = case()
    one, two = (figures_of(people, faces.vectors).distances for _ in range(2))
    assert np.array_equal(one.within, two.within) and np.array_equal(one.between, two.between)
