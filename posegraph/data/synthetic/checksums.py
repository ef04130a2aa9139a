"""Checksums of a benchmark's files, and whether a folder holds the files that they were taken from.

Kept with the package, as YAML: for each split the SHA-256 of all annotation files and of all images, and the first 16
digits of those of every clip, so that a difference can be named. The SHA-256 of several files is that of the lines
``PATH SHA256``, in the order of their paths, which start at the set's folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from posegraph.data.synthetic.recipes import SYNTH_OCCLUSION, Recipe
from posegraph.errors import PoseGraphError
from posegraph.files import sha256, write_text

RECIPES = {"synth-occlusion": SYNTH_OCCLUSION}
"""Name of a benchmark -> the newest version of its recipe."""
PACKAGES = ("numpy", "opencv-python")
"""Whose versions decide the bytes."""
KINDS = ("annotations", "images")
DIGITS = 16
MISSING = "missing"

Checksums = dict[str, Any]


@dataclass(frozen=True)
class SplitCheck:
    """One split of a folder beside the reference.

    Fields:
        split: Its name.
        clips: How many the reference has.
        differing: Kind -> names of the clips whose files differ, are missing or too many.
        first: Kind -> (expected, found) of the first of them.
    """

    split: str
    clips: int
    differing: dict[str, list[str]]
    first: dict[str, tuple[str, str]]

    @property
    def same(self) -> bool:
        """Every byte is the reference's."""
        return not any(self.differing.values())

    def __str__(self) -> str:
        return f"{self.split}: " + "; ".join(self._of(kind) for kind in KINDS)

    def _of(self, kind: str) -> str:
        names = self.differing[kind]
        if not names:
            return f"{kind} of {self.clips} clips as in the reference"
        expected, found = self.first[kind]
        first = f"first {names[0]} (expected {expected}, found {found})"
        return f"{kind} differ in {len(names)} of {self.clips} clips, {first}"


def recipe_named(name: str) -> Recipe:
    """The recipe of a benchmark, by its name with or without the version. Raises :class:`PoseGraphError`."""
    for short, recipe in RECIPES.items():
        if name in (short, recipe.name):
            return recipe
    known = ", ".join(f"{short} (now {recipe.name})" for short, recipe in RECIPES.items())
    raise PoseGraphError(f"--benchmark: found {name!r}, expected one of: {known}")


def checksums(out: Path, recipe: Recipe) -> Checksums:
    """Those of the files in a folder, in the form that the package keeps."""
    splits: Checksums = {}
    for split in recipe.splits:
        digests = {kind: _clip_digests(out, kind, split) for kind in KINDS}
        names = sorted(digests[KINDS[0]].keys() | digests[KINDS[1]].keys())
        splits[split] = {
            **{kind: _joined(f"{name} {digest}" for name, digest in digests[kind].items()) for kind in KINDS},
            "clips": {name: " ".join(digests[kind].get(name, MISSING)[:DIGITS] for kind in KINDS) for name in names},
        }
    return {"recipe": recipe.name, "made_with": library_versions(), "splits": splits}


def library_versions() -> dict[str, str]:
    """Of the libraries that draw."""
    return {package: version(package) for package in PACKAGES}


def _clip_digests(out: Path, kind: str, split: str) -> dict[str, str]:
    """Name of a clip -> SHA-256 of its annotation file, or of its images."""
    folder = out / kind / split
    if kind == "annotations":
        return {path.stem: sha256(path) for path in sorted(folder.glob("*.json"))}
    clips = sorted(path for path in folder.glob("*") if path.is_dir())
    return {
        clip.name: _joined(f"{path.relative_to(out).as_posix()} {sha256(path)}" for path in sorted(clip.iterdir()))
        for clip in clips
    }


def _joined(lines: Iterable[str]) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def reference(recipe: Recipe) -> Checksums:
    """The checksums that the package keeps of a recipe. Raises :class:`PoseGraphError` where it keeps none."""
    file = resources.files(__package__).joinpath(f"{recipe.name}.yaml")
    if not file.is_file():
        raise PoseGraphError(f"{recipe.name}: no checksums are kept of it; expected {file.name} beside the recipes")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    content: Checksums = yaml.load(file.read_text(encoding="utf-8"), Loader=loader)
    return content


def write_reference(out: Path, recipe: Recipe, path: Path) -> None:
    """Write the checksums of a folder as the file that :func:`reference` reads."""
    write_text(path, yaml.safe_dump(checksums(out, recipe), sort_keys=False, width=200))


def verify(out: Path, recipe: Recipe, expected: Checksums | None = None) -> list[SplitCheck]:
    """Hold the files in a folder against the reference (None: the package's), a split each.

    Raises :class:`PoseGraphError` for a folder without any of the set's files.
    """
    expected = expected or reference(recipe)
    found = checksums(out, recipe)
    if not any(split["clips"] for split in found["splits"].values()):
        raise PoseGraphError(
            f"{out}: holds no clip of {recipe.name}; expected annotations/ and images/ of {', '.join(recipe.splits)}; "
            "draw the set without --verify"
        )
    return [_compared(name, split, found["splits"][name]) for name, split in expected["splits"].items()]


def _compared(name: str, expected: Checksums, found: Checksums) -> SplitCheck:
    differing: dict[str, list[str]] = {}
    first: dict[str, tuple[str, str]] = {}
    clips = sorted(expected["clips"].keys() | found["clips"].keys())
    for kind in KINDS:
        if expected[kind] == found[kind]:
            differing[kind] = []
            continue
        pairs = {clip: (_digest(expected, clip, kind), _digest(found, clip, kind)) for clip in clips}
        differing[kind] = [clip for clip, (then, now) in pairs.items() if then != now]
        first[kind] = pairs[differing[kind][0]]
    return SplitCheck(name, len(expected["clips"]), differing, first)


def _digest(split: Checksums, clip: str, kind: str) -> str:
    """A clip's digits; ``missing`` where it has no such files."""
    digits: list[str] = split["clips"].get(clip, f"{MISSING} {MISSING}").split()
    return digits[KINDS.index(kind)]


def advice(checks: Sequence[SplitCheck], expected: Checksums) -> str:
    """What to make of differences; empty where there are none."""
    if all(check.same for check in checks):
        return ""
    made, now = (", ".join(f"{name} {each}" for name, each in some.items())
                 for some in (expected["made_with"], library_versions()))  # fmt: skip
    if any(check.differing["annotations"] for check in checks):
        return f"not the set of the reference (made with {made}; here {now}); draw it again with those versions"
    return (
        f"annotations are the reference's, images are not to the last bit (made with {made}; here {now}): other "
        "versions, or a processor for which OpenCV computes otherwise (docs/data.md)"
    )
