"""Finding sources under folders, naming them, and sharing them out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from posegraph.data.sources import NamedSource, find_sources, shard
from posegraph.errors import PoseGraphError


def touch(root: Path, names: Iterable[str]) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def found(root: Path) -> list[tuple[str, str | None]]:
    return [(Path(source.spec).relative_to(root).as_posix(), source.name) for source in find_sources([root]).sources]


def test_movies_and_folders_of_images(tmp_path: Path) -> None:
    names = ["b/x.mp4", "a/x.mp4", "a/x10.AVI", "a/x9.mov", "walk/1.jpg", "walk/2.jpg", "deep/er/1.png", "notes.txt"]
    root = touch(tmp_path / "root", names)
    assert found(root) == [
        ("a/x.mp4", "a/x"),
        ("a/x9.mov", "a/x9"),
        ("a/x10.AVI", "a/x10"),
        ("b/x.mp4", "b/x"),
        ("deep/er", "deep/er"),
        ("walk", "walk"),
    ]
    assert find_sources([root]).ignored == 1


def test_hidden_and_temporary_names_are_passed_over(tmp_path: Path) -> None:
    names = ["a.mp4", ".b.mp4", "~c.mp4", "._d.mp4", "e.mp4~", ".git/f.mp4", "__MACOSX/g.mp4", "h.mp4.part"]
    root = touch(tmp_path / "root", names)
    assert found(root) == [("a.mp4", "a")]
    assert find_sources([root]).ignored == 1


def test_images_beside_a_movie_are_no_frames(tmp_path: Path) -> None:
    root = touch(tmp_path / "root", ["a.mp4", "preview.jpg"])
    assert found(root) == [("a.mp4", "a")]
    assert find_sources([root]).ignored == 1


def test_a_folder_of_images_is_one_video(tmp_path: Path) -> None:
    root = touch(tmp_path / "walk", ["1.jpg", "2.jpg"])
    assert find_sources([root]).sources == (NamedSource(root, "walk"),)


def test_names_that_would_be_the_same(tmp_path: Path) -> None:
    root = touch(tmp_path / "root", ["x.mp4", "x.avi", "y.mp4", "x/1.png"])
    assert dict(found(root)) == {"x.mp4": "x.mp4", "x.avi": "x.avi", "y.mp4": "y", "x": "x"}
    for name in ("one", "two"):
        touch(tmp_path, [f"{name}/x.mp4"])
    two = find_sources([tmp_path / "one", tmp_path / "two"])
    assert [source.name for source in two.sources] == ["one/x.mp4", "two/x.mp4"]
    files = find_sources([tmp_path / "one/x.mp4", str(tmp_path / "two/x.mp4"), tmp_path / "root/y.mp4"])
    assert [source.name for source in files.sources] == ["one/x.mp4", "two/x.mp4", "y"]
    with pytest.raises(PoseGraphError, match=r"would both be written as 'one/x\.mp4'; expected sources of different"):
        find_sources([tmp_path / "one/x.mp4", tmp_path / "one/x.mp4"])


def test_cameras_are_named_later(tmp_path: Path) -> None:
    assert find_sources(["0", "-", "rtsp://host/a"]).sources == (
        NamedSource("0", None),
        NamedSource("-", None),
        NamedSource("rtsp://host/a", None),
    )


def test_a_pattern_is_named_after_its_folder(tmp_path: Path) -> None:
    pattern = str(touch(tmp_path / "walk", ["1.jpg", "2.jpg"]) / "*.jpg")
    assert find_sources([pattern]).sources == (NamedSource(pattern, "walk"),)


def test_a_path_that_leads_nowhere(tmp_path: Path) -> None:
    with pytest.raises(
        PoseGraphError, match=r"none\.mp4: no such file or folder; expected a movie, a folder of images"
    ):
        find_sources([tmp_path / "none.mp4"])


def test_the_results_are_no_sources(tmp_path: Path) -> None:
    root = touch(tmp_path / "root", ["a.mp4", "poses/a.mp4"])
    found = find_sources([root], leave_out=root / "poses")
    assert [source.spec for source in found.sources] == [root / "a.mp4"]


def test_links(tmp_path: Path) -> None:
    """A folder that is linked twice, or to one above it, is searched once."""
    root = touch(tmp_path / "root", ["b/x.mp4"])
    touch(tmp_path / "far", ["y.mp4"])
    os.symlink(tmp_path / "far", root / "c")
    os.symlink(root, root / "b" / "up")
    os.symlink(tmp_path / "far", root / "a")
    assert found(root) == [("a/y.mp4", "a/y"), ("b/x.mp4", "b/x")]


def test_no_video(tmp_path: Path) -> None:
    root = touch(tmp_path / "root", ["notes.txt", "table.csv"])
    with pytest.raises(PoseGraphError, match="neither a movie nor an image in it or below it, and 2 other files"):
        find_sources([root])


@pytest.mark.parametrize("count", [1, 2, 3, 7, 20])
def test_each_source_is_in_one_share(count: int) -> None:
    sources = [f"{number}.mp4" for number in range(11)]
    shares = [shard(sources, index, count) for index in range(count)]
    assert sorted(name for share in shares for name in share) == sorted(sources)
    sizes = {len(share) for share in shares}
    assert max(sizes) - min(sizes) <= 1


def test_shares_are_literal() -> None:
    assert shard(["a", "b", "c", "d", "e"], 1, 2) == ["b", "d"]


@pytest.mark.parametrize(("index", "count", "cure"), [(2, 2, "0/2 to 1/2"), (-1, 2, "0/2 to 1/2"), (0, 0, "1 or more")])
def test_no_such_share(index: int, count: int, cure: str) -> None:
    with pytest.raises(PoseGraphError, match=rf"shard {index}/{count}: there is none; expected .*{cure}"):
        shard(["a"], index, count)
