"""Reading DeepLabCut's tables, made as DeepLabCut makes them: by pandas."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posegraph.data import TrackSet, read_tracks
from posegraph.errors import PoseGraphError

pandas = pytest.importorskip("pandas")
pytest.importorskip("tables")

NAN = float("nan")


def columns(coordinates: list[str], animals: list[str] | None = None, scorer: str = "me") -> Any:
    levels = {"scorer": [scorer], "individuals": animals, "bodyparts": ["nose", "ear_left", "ear_right"]}
    given = {name: values for name, values in levels.items() if values is not None} | {"coords": coordinates}
    return pandas.MultiIndex.from_product(list(given.values()), names=list(given))


def save(table: Any, path: Path) -> Path:
    if path.suffix == ".csv":
        table.to_csv(path)
    else:
        # DeepLabCut writes predictions as "table", labels as "fixed", which alone takes names of three levels
        table.to_hdf(path, key="df_with_missing", format="fixed" if table.index.nlevels > 1 else "table", mode="w")
    return path


@pytest.fixture(params=[".csv", ".h5"])
def suffix(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def predictions(folder: Path, suffix: str) -> TrackSet:
    """One animal in two frames of a movie; the second frame lacks a body part."""
    values = np.array([[1, 2, 0.5, 3, 4, 0.25, 5, 6, 0.75], [7, 8, 0.5, NAN, NAN, 0.1, 9, 10.5, 0.75]])
    table = pandas.DataFrame(values, columns=columns(["x", "y", "likelihood"], scorer="DLC_resnet50_s1"))
    return read_tracks(save(table, folder / f"mouseDLC_resnet50_s1{suffix}"))


def test_predictions_of_one_animal(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "mouse.avi").touch()
    tracks = predictions(tmp_path, suffix)
    (track,), (video,) = tracks.tracks, tracks.videos
    assert tracks.skeleton.joints == ("nose", "ear_left", "ear_right")
    assert tracks.skeleton.flip_pairs == (("ear_left", "ear_right"),)
    assert (video.name, video.layout, video.frame_files) == ("mouse", "deeplabcut", ("mouse.avi#0", "mouse.avi#1"))
    assert track.keypoints_px.tolist() == [[[1, 2], [3, 4], [5, 6]], [[7, 8], [0, 0], [9, 10.5]]]
    assert track.annotated.tolist() == [[True] * 3, [True, False, True]]
    assert track.keypoint_scores.tolist() == [[0.5, 0.25, 0.75], [0.5, 0.1, 0.75]]


def test_a_movie_that_is_not_there(tmp_path: Path, suffix: str) -> None:
    assert predictions(tmp_path, suffix).videos[0].frame_files[0] == "mouse.mp4#0"


@pytest.mark.parametrize("split", [True, False])
def test_labels_of_several_animals(tmp_path: Path, suffix: str, split: bool) -> None:
    """The second animal is only in the second row; frames come in the order of their numbers."""
    values = np.arange(24.0).reshape(2, 12)
    values[0, 6:] = NAN
    names = [("labeled-data", "walk", "img11.png"), ("labeled-data", "walk", "img9.png")]
    index = pandas.MultiIndex.from_tuples(names) if split else ["\\".join(name) for name in names]
    table = pandas.DataFrame(values, columns=columns(["x", "y"], ["m1", "m2"]), index=index)
    tracks = read_tracks(save(table, tmp_path / f"CollectedData_me{suffix}"))
    assert [video.name for video in tracks.videos] == ["walk"]
    assert tracks.videos[0].frame_files == ("labeled-data/walk/img9.png", "labeled-data/walk/img11.png")
    assert [(track.track_id, track.frame.tolist()) for track in tracks] == [(0, [0, 1]), (1, [0])]
    assert tracks.tracks[1].keypoints_px.tolist() == [[[18, 19], [20, 21], [22, 23]]]
    assert np.isnan(tracks.tracks[0].keypoint_scores).all()


def test_bones_are_those_of_the_project(tmp_path: Path) -> None:
    skeleton = "skeleton:\n- [nose, ear_left]\n- [nose, tail]\n"
    (tmp_path / "config.yaml").write_text(f"Task: mice\nscorer: me\n{skeleton}")
    folder = tmp_path / "labeled-data" / "walk"
    folder.mkdir(parents=True)
    found = predictions(folder, ".csv").skeleton
    assert (found.name, found.bones) == ("mice", (("nose", "ear_left"),))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scorer,me\nbodyparts,nose\n", "found no header row 'coords'; expected scorer"),
        (
            "scorer,me,me\nbodyparts,nose,nose\ncoords,x,y\n0,1,two\n",
            "nose y: found could not convert .*; export the file",
        ),
        (
            "scorer,me,me\nbodyparts,nose,nose\ncoords,x,z\n0,1,2\n",
            "coords: found 'z', expected one of x, y, likelihood",
        ),
        ("scorer,me,me\nbodyparts,nose,nose\ncoords,x,y\n0,1,2,3,4,5\n1,2\n", ""),
        ("scorer,\xe9,me\n", "not readable as a table of DeepLabCut|no header row"),
    ],
)
def test_other_tables(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(PoseGraphError, match=rf"^{path}: .*({message})") as caught:
        read_tracks(path)
    assert "\n" not in str(caught.value)
    assert "; " in str(caught.value)


def test_damaged_hdf5(tmp_path: Path) -> None:
    predictions(tmp_path, ".h5")
    path = next(tmp_path.glob("*.h5"))
    whole = path.read_bytes()
    for length in (8, 2000, len(whole) // 2):
        path.write_bytes(whole[:length])
        with pytest.raises(PoseGraphError, match=rf"^{path}: not readable as .*; "):
            read_tracks(path)


def test_the_libraries_are_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predictions(tmp_path, ".csv")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(PoseGraphError, match=r"reading it needs pandas, .*pip install 'posegraph\[sleap\]'"):
        read_tracks(next(tmp_path.glob("*.csv")))
