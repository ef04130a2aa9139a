"""OKS of COCO files as they are: an annotation file and a result file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from posegraph.data.json_checks import Fault, numbers, whole_number
from posegraph.files import read_json
from posegraph.metrics.oks import OKS, average_precision, oks_sigmas
from posegraph.skeleton import Skeleton


def coco_oks(ground_truth: str | Path, results: str | Path, skeleton: Skeleton | str | Path = "coco17") -> OKS:
    """OKS AP and AR of COCO keypoint results (``[{"image_id", "category_id", "keypoints", "score"}]``).

    Equal to pycocotools' keypoint evaluation with the skeleton's sigmas: areas, crowds and keypoint counts are those
    of the annotation file. Joints are matched by name where the file names them, else by their order.

    Raises:
        PoseGraphError: a file that cannot be read, a fault in it, joints that the skeleton lacks, or no sigmas.
    """
    skeleton = Skeleton.load(skeleton)
    truth, found = Path(ground_truth), Path(results)
    content = read_json(truth)
    joints = _checked_truth(content, Fault(truth), skeleton)
    rows = read_json(found)
    _check_results(rows, Fault(found), content, len(joints), truth)
    given = np.zeros(len(joints), dtype=np.bool_)
    for person in content["annotations"]:
        given |= np.array(person["keypoints"][2::3]) > 0
    unknown = tuple(joint for joint, known in zip(joints, given, strict=True) if not known)
    return average_precision(content, rows, oks_sigmas(skeleton, joints), no_ground_truth=unknown)


def _checked_truth(content: Any, fault: Fault, skeleton: Skeleton) -> tuple[str, ...]:
    """Check an annotation file and fill in what may be missing; the joints of its keypoints."""
    cure = "give a COCO keypoint annotation file"
    if not isinstance(content, dict):
        fault("top level", content, "an object with images and annotations", cure)
    for key in ("images", "annotations", "categories"):
        if not isinstance(content.get(key), list):
            fault(key, content.get(key), "a list", cure)
    for place, image in enumerate(content["images"]):
        image["id"] = whole_number(_object(image, f"images[{place}]", fault).get("id"), f"images[{place}].id", fault)
    known = {image["id"] for image in content["images"]}
    category = next((one for one in content["categories"] if isinstance(one, dict) and "keypoints" in one), None)
    joints = skeleton.joints if category is None else tuple(map(str, category["keypoints"]))
    category_id = 1 if category is None else category.get("id", 1)
    content["categories"] = [{"id": category_id, "name": "person", "keypoints": list(joints)}]
    people: list[dict[str, Any]] = []
    for place, person in enumerate(content["annotations"]):
        field = f"annotations[{place}]"
        if _object(person, field, fault).get("category_id", category_id) != category_id:
            continue
        _check_person(person, field, fault, len(joints), known, "an image id of this file")
        person["category_id"] = category_id
        box = numbers(person.get("bbox"), 4, f"{field}.bbox", fault, "give the person's box as x, y, width, height")
        person.setdefault("area", float(box[2] * box[3]))
        person.setdefault("num_keypoints", sum(value > 0 for value in person["keypoints"][2::3]))
        people.append(person | {"id": len(people) + 1})  # the library takes an id of 0 for no match
    content["annotations"] = people
    return joints


def _check_results(rows: Any, fault: Fault, content: dict[str, Any], num_joints: int, truth: Path) -> None:
    if not isinstance(rows, list):
        fault("top level", rows, "a list of results", "give a COCO result file, not an annotation file")
    known = {image["id"] for image in content["images"]}
    category_id = content["categories"][0]["id"]
    for place, row in enumerate(rows):
        _check_person(_object(row, f"[{place}]", fault), f"[{place}]", fault, num_joints, known, f"an image of {truth}")
        if not isinstance(row.get("score"), (int, float)):
            fault(f"[{place}].score", row.get("score"), "a number", "give every result a score")
        row["category_id"] = category_id


def _check_person(
    person: dict[str, Any], field: str, fault: Fault, num_joints: int, known: set[int], images: str
) -> None:
    image_id = whole_number(person.get("image_id"), f"{field}.image_id", fault)
    if image_id not in known:
        fault(f"{field}.image_id", image_id, images, "give files that belong together")
    cure = "give a skeleton whose joints are those of the file"
    numbers(person.get("keypoints"), 3 * num_joints, f"{field}.keypoints", fault, cure)


def _object(value: Any, field: str, fault: Fault) -> dict[str, Any]:
    if not isinstance(value, dict):
        fault(field, value, "an object", "export the file again")
    return value
