"""The report: one file, nothing missing, nothing that a browser would fetch."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

import posegraph
from posegraph.config import RunConfig
from posegraph.engine.evaluation import evaluate
from posegraph.engine.report import write_evaluation_report, write_file_report
from posegraph.errors import PoseGraphError
from posegraph.files import sha256
from posegraph.metrics.files import ScoredFiles, score_files
from posegraph.metrics.scores import Scores


def rows(page: str, title: str) -> list[list[str]]:
    """Cells of the first table after a heading."""
    table = re.search(r"<table.*?</table>", page[page.index(title) :], re.DOTALL)
    assert table is not None
    return [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>.*?</tr>", table[0], re.DOTALL)]


@pytest.fixture(scope="module")
def real_page(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """MoveNet's predictions on a real clip, of which the official tool's scores are known."""
    case, out = real_data / "eval_vectors/e_real_model", tmp_path_factory.mktemp("report") / "e.html"
    found = score_files(case / "gt", case / "pred")
    write_file_report(out, case / "gt", case / "pred", found, images=real_data / "posetrack_bonn")
    return out.read_text()


def test_tables_hold_the_official_scores(real_page: str) -> None:
    names, values = rows(real_page, "PoseTrack AP")
    assert names == ["Head*", "Shou", "Elb", "Wri", "Hip", "Knee", "Ankl", "Mean"]
    assert values == ["-", "92.1", "86.9", "79.5", "91.1", "92.3", "91.8", "85.2"]
    joints = {row[0]: row[1:] for row in rows(real_page, "<h2>Joints")}
    assert joints["joint"][0] == "AP"
    assert (joints["left_wrist"][0], joints["head_top"][0]) == ("74.2", "33.0")
    assert joints["nose (no ground truth)"][0] == "-"
    assert rows(real_page, "<h2>Sequences")[1][0] == "060470979_mpii"


def test_curves_of_every_group(real_page: str) -> None:
    assert real_page.count("<svg") == 1
    for group, area in (("Shou", "92.1"), ("Wri", "79.5"), ("Ankl", "91.8")):
        assert f"{group} ({area})" in real_page


def test_twelve_worst_frames_as_pictures(real_page: str) -> None:
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', real_page)
    assert len(pictures) == 12
    for picture in pictures:
        image = cv2.imdecode(np.frombuffer(base64.b64decode(picture), np.uint8), cv2.IMREAD_COLOR)
        # a real frame twice, not grey paper
        assert image is not None
        assert image.shape[1] > 1000
        assert image.std() > 20
    missed = [int(found) for found in re.findall(r"(\d+) of \d+ annotated joints missed", real_page)][::2]
    extra = [int(found) for found in re.findall(r"missed, (\d+) false positives", real_page)][::2]
    wrong = [one + other for one, other in zip(missed, extra, strict=True)]
    assert wrong == sorted(wrong, reverse=True)


def test_nothing_is_fetched(real_page: str) -> None:
    fetched = re.findall(r'(?:src|href)="(?!data:|#)([^"]+)"', real_page)
    assert fetched == []
    assert "<script" not in real_page


def test_frames_without_images_are_drawn_on_grey(real_data: Path, tmp_path: Path) -> None:
    case = real_data / "eval_vectors/c_posetrack18_ignore"
    write_file_report(
        tmp_path / "c.html", case / "gt", case / "pred", score_files(case / "gt", case / "pred"), images=tmp_path
    )
    assert (tmp_path / "c.html").read_text().count("data:image/jpeg") == 2


def test_a_model_on_annotated_boxes_is_labelled_on_every_table(
    configure: Callable[..., RunConfig], trained: Path, synthetic: Path, tmp_path: Path
) -> None:
    model, data = posegraph.load(trained), synthetic / "annotations/val"
    result = evaluate(model, data)
    checkpoint = trained / "checkpoints/last.ckpt"
    write_evaluation_report(tmp_path / "r.html", model, str(checkpoint), data, result, model.run_config.evaluation)
    page = (tmp_path / "r.html").read_text()
    assert "cannot be compared with published ones" in page
    titles = re.findall(r"<h3>(.*?)</h3>", page)
    assert titles
    assert all(title.endswith("on ground truth boxes") for title in titles)
    facts = dict(row for row in rows(page, "<h2>The run") if len(row) == 2)
    assert facts["checkpoint"] == f"{checkpoint} (SHA-256 {sha256(checkpoint)})"
    assert (facts["boxes"], facts["flip test"], facts["skeleton"]) == ("ground truth", "none", "posetrack17, 17 joints")


def test_detections_are_named_with_their_hash(
    configure: Callable[..., RunConfig], trained: Path, synthetic: Path, tmp_path: Path
) -> None:
    from posegraph.data import read_tracks
    from posegraph.files import write_json

    data, boxes = synthetic / "annotations/val", tmp_path / "boxes.json"
    video = read_tracks(data).videos[0]
    found = [{"image_id": int(number), "bbox": [20, 10, 60, 90], "score": 0.5} for number in video.image_ids]
    write_json(boxes, found)
    model = posegraph.load(trained)
    result = evaluate(model, data, str(boxes))
    write_evaluation_report(tmp_path / "r.html", model, str(trained), data, result, model.run_config.evaluation)
    page = (tmp_path / "r.html").read_text()
    assert "cannot be compared" not in page
    assert f"{boxes} (SHA-256 {sha256(boxes)})" in page
    assert "x box score" in page


def test_names_are_escaped(real_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "<b>pred"
    folder.mkdir()
    case = real_data / "eval_vectors/c_posetrack18_ignore"
    for file in (case / "pred").glob("*.json"):
        (folder / file.name).write_bytes(file.read_bytes())
    write_file_report(tmp_path / "c.html", case / "gt", folder, score_files(case / "gt", folder), images=tmp_path)
    page = (tmp_path / "c.html").read_text()
    assert "<b>pred" not in page
    assert "&lt;b&gt;pred" in page


def test_coco_results_have_no_report(tmp_path: Path) -> None:
    nothing = ScoredFiles(Scores(posegraph.Skeleton.load("coco17")), [], None, None)
    with pytest.raises(PoseGraphError, match="COCO results have no videos to report on; leave --report away"):
        write_file_report(tmp_path / "r.html", tmp_path, tmp_path / "p.json", nothing)
    assert not (tmp_path / "r.html").exists()
