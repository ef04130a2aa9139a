"""A benchmark set is known by its bytes, and a difference is named."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from posegraph.data.synthetic import SYNTH_OCCLUSION, generate_benchmark
from posegraph.data.synthetic.checksums import (
    Checksums,
    advice,
    checksums,
    recipe_named,
    reference,
    verify,
    write_reference,
)
from posegraph.errors import PoseGraphError
from posegraph.files import read_json

TINY = replace(SYNTH_OCCLUSION, name="tiny-v1", frames=2, people=1, size=(96, 72), splits={"train": 2, "test": 1})


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("benchmark") / "set"
    generate_benchmark(out, TINY, workers=1)
    return out


@pytest.fixture
def own(drawn: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(drawn, tmp_path / "copy"))


@pytest.fixture(scope="module")
def expected(drawn: Path) -> Checksums:
    return checksums(drawn, TINY)


def test_checksums_are_of_the_lines_of_path_and_digest(drawn: Path, expected: Checksums) -> None:
    test = expected["splits"]["test"]
    name = "000002_synthetic"
    annotation = hashlib.sha256((drawn / f"annotations/test/{name}.json").read_bytes()).hexdigest()
    lines = [
        f"images/test/{name}/{frame:06d}.jpg "
        + hashlib.sha256((drawn / f"images/test/{name}/{frame:06d}.jpg").read_bytes()).hexdigest()
        for frame in range(2)
    ]
    images = hashlib.sha256(("\n".join(lines) + "\n").encode()).hexdigest()
    assert test["clips"] == {name: f"{annotation[:16]} {images[:16]}"}
    assert test["annotations"] == hashlib.sha256(f"{name} {annotation}\n".encode()).hexdigest()
    assert test["images"] == hashlib.sha256(f"{name} {images}\n".encode()).hexdigest()


def test_the_folder_says_what_it_is(drawn: Path) -> None:
    record = read_json(drawn / "recipe.json")
    assert (record["name"], record["splits"]) == ("tiny-v1", {"train": 2, "test": 1})
    assert record["style"]["passing"] == [3, 6]


def test_drawn_again_it_is_the_same(expected: Checksums, drawn: Path, tmp_path: Path) -> None:
    generate_benchmark(tmp_path / "again", TINY, workers=1)
    checks = verify(tmp_path / "again", TINY, expected)
    assert [str(check) for check in checks] == [
        "train: annotations of 2 clips as in the reference; images of 2 clips as in the reference",
        "test: annotations of 1 clips as in the reference; images of 1 clips as in the reference",
    ]
    assert advice(checks, expected) == ""


def test_an_image_that_differs_is_named(expected: Checksums, own: Path) -> None:
    image = own / "images/train/000001_synthetic/000001.jpg"
    image.write_bytes(image.read_bytes() + b"!")
    train, test = verify(own, TINY, expected)
    assert test.same
    assert (train.differing, train.same) == ({"annotations": [], "images": ["000001_synthetic"]}, False)
    then = expected["splits"]["train"]["clips"]["000001_synthetic"].split()[1]
    assert f"images differ in 1 of 2 clips, first 000001_synthetic (expected {then}, found " in str(train)
    told = advice([train, test], expected)
    assert told.startswith("annotations are the reference's, images are not to the last bit (made with numpy ")


def test_an_annotation_that_differs_or_is_missing_is_named(expected: Checksums, own: Path) -> None:
    path = own / "annotations/train/000000_synthetic.json"
    path.write_text(path.read_text().replace('"v', '"w', 1))
    (own / "annotations/test/000002_synthetic.json").unlink()
    train, test = verify(own, TINY, expected)
    assert train.differing == {"annotations": ["000000_synthetic"], "images": []}
    assert test.first["annotations"][1] == "missing"
    assert test.differing["images"] == []
    assert advice([train, test], expected).startswith("not the set of the reference (made with numpy ")


def test_a_clip_too_many_is_named(expected: Checksums, own: Path) -> None:
    shutil.copy(own / "annotations/test/000002_synthetic.json", own / "annotations/test/000009_synthetic.json")
    _, test = verify(own, TINY, expected)
    assert (test.differing["annotations"], test.first["annotations"][0]) == (["000009_synthetic"], "missing")


def test_the_reference_is_read_as_it_was_written(
    drawn: Path, expected: Checksums, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_reference(drawn, TINY, tmp_path / "tiny-v1.yaml")
    monkeypatch.setattr("posegraph.data.synthetic.checksums.resources.files", lambda package: tmp_path)
    assert reference(TINY) == expected


def test_the_shipped_reference_is_of_the_whole_recipe() -> None:
    kept = reference(SYNTH_OCCLUSION)
    assert kept["recipe"] == SYNTH_OCCLUSION.name
    assert {split: len(part["clips"]) for split, part in kept["splits"].items()} == SYNTH_OCCLUSION.splits


def test_the_shipped_reference_is_what_is_drawn(tmp_path: Path) -> None:
    """The first clip of it; its annotations, which do not depend on the processor."""
    first = replace(SYNTH_OCCLUSION, splits={"train": 1})
    generate_benchmark(tmp_path, first, workers=1)
    kept = reference(SYNTH_OCCLUSION)["splits"]["train"]["clips"]["000000_synthetic"]
    here = checksums(tmp_path, first)["splits"]["train"]["clips"]["000000_synthetic"]
    assert here.split()[0] == kept.split()[0]


def test_names(tmp_path: Path) -> None:
    assert recipe_named("synth-occlusion") is recipe_named("synth-occlusion-v1") is SYNTH_OCCLUSION
    with pytest.raises(PoseGraphError, match=r"found 'synth', expected one of: synth-occlusion \(now "):
        recipe_named("synth")
    with pytest.raises(PoseGraphError, match="tiny-v1: no checksums are kept"):
        reference(TINY)


def test_a_folder_of_something_else(expected: Checksums, tmp_path: Path) -> None:
    with pytest.raises(PoseGraphError, match=r"holds no clip of tiny-v1; expected .* of train, test"):
        verify(tmp_path, TINY, expected)
