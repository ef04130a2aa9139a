"""Rows of the last layer go to the joint of their name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import posegraph
from posegraph.errors import PoseGraphError
from posegraph.models.weights import load_weights
from posegraph.models.weights.joints import canonical, matched_rows, rows_skeleton
from posegraph.skeleton import Skeleton

COCO_TO_POSETRACK = [
    # (row in posetrack17, row in coco17): nose, ears, then shoulders to ankles, which both number alike
    (0, 0), (3, 3), (4, 4), (5, 5), (6, 6), (7, 7), (8, 8), (9, 9), (10, 10), (11, 11), (12, 12), (13, 13), (14, 14),
    (15, 15), (16, 16),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("L_Shoulder", "left_shoulder"), ("R_Eye", "right_eye"), ("Nose", "nose"), ("left shoulder", "left_shoulder"),
        ("Left-Knee", "left_knee"), ("l_ankle", "left_ankle"), ("lips", "lips"), ("root of tail", "root_of_tail"),
    ],
)  # fmt: skip
def test_one_joint_has_many_spellings(name: str, wanted: str) -> None:
    assert canonical(name) == wanted


def test_both_have_17_rows_and_mean_different_joints() -> None:
    coco, posetrack = Skeleton.load("coco17"), Skeleton.load("posetrack17")
    assert matched_rows(posetrack, coco) == COCO_TO_POSETRACK
    assert matched_rows(coco, coco) == [(row, row) for row in range(17)]
    # posetrack15 begins with the right ankle, and its head_bottom is row 12
    assert matched_rows(posetrack, Skeleton.load("posetrack15"))[:3] == [(0, 13), (1, 12), (2, 14)]


def test_an_official_report_name_is_another_name_of_its_joint() -> None:
    theirs = Skeleton.from_dict({"name": "other", "joints": ["neck", "head_top"]})
    assert matched_rows(Skeleton.load("posetrack17"), theirs) == [(1, 0), (2, 1)]
    both = Skeleton.from_dict({"name": "other", "joints": ["neck", "head_bottom"]})
    assert matched_rows(Skeleton.load("posetrack17"), both) == [(1, 1)]


def test_coco_weights_in_a_posetrack_model(vitpose, tiny, coco_labels, tmp_path: Path) -> None:
    theirs = vitpose("tiny", labels=coco_labels)
    theirs.save_pretrained(tmp_path)
    untouched = tiny(skeleton="posetrack17").heatmap_head.final
    model = tiny(skeleton="posetrack17", weights=tmp_path)
    layer, source = model.heatmap_head.final, theirs.head.conv
    for ours, row in COCO_TO_POSETRACK:
        assert torch.equal(layer.weight[ours], source.weight[row])
        assert torch.equal(layer.bias[ours], source.bias[row])
    for row in (1, 2):  # head_bottom and head_top, which COCO has not: not the eyes' rows
        assert torch.equal(layer.weight[row], untouched.weight[row])
    report = model.weights_report
    assert report.initialised_joints == ("head_bottom", "head_top")
    assert report.unused_joints == ("left_eye", "right_eye")
    assert report.assumptions == ()
    assert "initialised the rows of joints it does not know: head_bottom, head_top" in str(report)
    assert "left out the rows of joints the model has not: left_eye, right_eye" in str(report)


def test_17_rows_without_names_are_taken_for_coco17_and_it_is_said(vitpose, official, tiny, tmp_path: Path) -> None:
    torch.save({"state_dict": official(vitpose("tiny").state_dict())}, tmp_path / "vitpose.pth")
    report = tiny(skeleton="posetrack17", weights=tmp_path / "vitpose.pth").weights_report
    assert report.assumptions == ("its 17 rows are the joints of coco17 (the file does not say)",)
    assert report.initialised_joints == ("head_bottom", "head_top")
    told = tiny(skeleton="posetrack17", weights=tmp_path / "vitpose.pth", weights_skeleton="posetrack17")
    assert (told.weights_report.assumptions, told.weights_report.initialised_joints) == ((), ())


def test_mmpose_1_files_say_their_joints(vitpose, mmpose1, tiny, tmp_path: Path) -> None:
    """In ``meta.dataset_meta``, among numpy arrays, as mmengine writes it."""
    posetrack = Skeleton.load("posetrack17")
    meta = {
        "dataset_meta": {
            "keypoint_id2name": dict(enumerate(posetrack.joints)),
            "sigmas": np.array([0.026] * 17, dtype=np.float32),
            "keypoint_colors": np.zeros((17, 3), dtype=np.uint8),
        },
        "best": np.float64(0.75),
    }
    theirs = vitpose("tiny")
    torch.save({"state_dict": mmpose1(theirs.state_dict()), "meta": meta}, tmp_path / "td-hm.pth")
    model = tiny(skeleton="posetrack17", weights=tmp_path / "td-hm.pth")
    assert torch.equal(model.heatmap_head.final.weight, theirs.head.conv.weight)
    assert (model.weights_report.assumptions, model.weights_report.initialised_joints) == ((), ())


def test_other_numbers_of_rows_need_a_skeleton(vitpose, tiny, tmp_path: Path) -> None:
    # what transformers writes where nobody named the joints
    vitpose("tiny", labels=[f"LABEL_{row}" for row in range(5)]).save_pretrained(tmp_path)
    with pytest.raises(
        PoseGraphError,
        match=r"does not say which joints its decoder's 5 rows are; give their skeleton, a shipped ",
    ):
        tiny(weights=tmp_path)
    with pytest.raises(PoseGraphError, match=r"its decoder has 5 rows, the given skeleton 'coco17' has 17 joints"):
        tiny(weights=tmp_path, weights_skeleton="coco17")


def test_joints_of_no_shipped_skeleton_are_matched_by_the_files_names(vitpose, tiny, tmp_path: Path) -> None:
    theirs = vitpose("tiny", labels=["Head", "L_Wing", "R_Wing"])
    theirs.save_pretrained(tmp_path)
    fly = Skeleton.from_dict({"name": "fly", "joints": ["right_wing", "abdomen", "head"]})
    model = tiny(skeleton=fly, weights=tmp_path)
    assert torch.equal(model.heatmap_head.final.weight[[0, 2]], theirs.head.conv.weight[[2, 0]])
    assert model.weights_report.initialised_joints == ("abdomen",)


def test_posegraphs_own_joint_embedding_moves_by_name_too(tiny, tmp_path: Path) -> None:
    coco = tiny("ncstr-s", skeleton="coco17")
    coco.save_pretrained(tmp_path)
    model = tiny("ncstr-s", skeleton="posetrack17", weights=tmp_path)
    source, table = (part.joint_embedding.joint_embedding.weight for part in (coco, model))
    for ours, row in COCO_TO_POSETRACK:
        assert torch.equal(table[ours], source[row])
    assert model.weights_report.initialised_joints == ("head_bottom", "head_top")
    assert model.weights_report.initialised == ()


def test_the_users_word_goes_before_the_files() -> None:
    coco, given = Skeleton.load("coco17"), Skeleton.from_dict({"name": "fly", "joints": ["a", "b"]})
    assert rows_skeleton("file", 2, given, ("c", "d"), 0) == (given, None)
    assert rows_skeleton("file", 17, None, coco, 0) == (coco, None)
    assert rows_skeleton("file", 2, None, ("L_Wing", "R_Wing"), 0)[0].joints == ("left_wing", "right_wing")


def test_a_model_of_its_own_takes_the_files_joints(vitpose, tmp_path: Path) -> None:
    labels = ["Head", *(f"L_Leg{number}" for number in range(1, 4))]
    sizes = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 12, "image_size": (64, 48)}
    vitpose("tiny", labels=labels, **sizes).save_pretrained(tmp_path)
    assert posegraph.load(tmp_path).skeleton.joints == ("head", "left_leg1", "left_leg2", "left_leg3")


def test_weights_of_a_model_with_other_joints_still_give_the_backbone(tiny, tmp_path: Path) -> None:
    fly = Skeleton.from_dict({"name": "fly", "joints": ["wing", "abdomen"]})
    source = tiny(skeleton=fly)
    source.save_pretrained(tmp_path)
    model = tiny(skeleton="jhmdb15")
    report = load_weights(model, tmp_path)
    assert report.initialised_joints == model.skeleton.joints
    assert torch.equal(model.backbone.vit.pos_embed, source.backbone.vit.pos_embed)
