"""Detectors in ONNX files, through onnxruntime (extra ``onnx``)."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.ops import nms

from posegraph.data.people import NO_TRACK, People
from posegraph.data.video import Image
from posegraph.detect.detector import LOWEST_SCORE
from posegraph.detect.letterbox import fitted
from posegraph.detect.onnx_outputs import OUTPUT_TYPES, Candidates, Outputs, recognised
from posegraph.errors import PoseGraphError, did_you_mean

DEFAULT_HW = (640, 640)
"""Input size of a network that takes any."""

NMS_IOU = 0.65
"""Candidates that overlap more are one person; YOLOX's value."""

_SIZES = "orig_target_sizes"
_DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")


class OnnxOptions(NamedTuple):
    """What cannot be told from every file; None: told from it.

    Fields:
        size_hw: Input size, for networks that take any.
        type: Key of ``OUTPUT_TYPES``.
        person: Row of the class "person".
    """

    size_hw: tuple[int, int] | None = None
    type: str | None = None
    person: int | None = None


_NO_OPTIONS = OnnxOptions()


def onnx_detector(spec: str) -> OnnxDetector:
    """The detector of ``FILE`` or ``FILE?size=640&type=yolox&person=0`` (size: ``640`` or ``WIDTHxHEIGHT``)."""
    file, _, query = (spec, "", "") if Path(spec).exists() else spec.partition("?")
    options: dict[str, Any] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key == "size":
            options["size_hw"] = _size_hw(value, spec)
        elif key == "type":
            if value not in OUTPUT_TYPES:
                near = did_you_mean(value, OUTPUT_TYPES)
                raise PoseGraphError(f"{spec}: type {value!r}; expected one of {', '.join(OUTPUT_TYPES)}{near}")
            options["type"] = value
        elif key == "person":
            if not value.isdecimal():
                raise PoseGraphError(f"{spec}: person={value}; expected the number of the class, counted from 0")
            options["person"] = int(value)
        else:
            raise PoseGraphError(f"{spec}: unknown setting {key!r}; expected size, type or person, as in ?size=640")
    return OnnxDetector(Path(file), OnnxOptions(**options))


class OnnxDetector:
    """A network in an ONNX file; one of the types ``OUTPUT_TYPES``, recognised from its outputs.

    The class "person" is the one of that name in the file's metadata, else 0 (1 where there are 90 or 91 classes).

    Raises:
        PoseGraphError: onnxruntime is missing, or the file is no network of these types.
    """

    def __init__(self, path: Path, options: OnnxOptions = _NO_OPTIONS) -> None:
        self.path = path
        self._session = _opened(path)
        self._input = self._image_input()
        self.size_hw = self._size_hw(options.size_hw)
        self._person = self._named_person() if options.person is None else options.person
        self._outputs = [output.name for output in self._session.get_outputs()]
        grey = np.full((*self.size_hw, 3), 114, dtype=np.uint8)
        probe = self._run(self._tensor(grey, options.type or "yolov8"))
        name = options.type or recognised(probe, self.size_hw)
        if name is None:
            raise self._unknown(
                probe, "expected " + "; or ".join(f"{key}: {OUTPUT_TYPES[key].expected}" for key in OUTPUT_TYPES)
            )
        self.type_name, self._type = name, OUTPUT_TYPES[name]
        self._decoded(probe)

    def __call__(self, image: Image) -> People:
        """The people of a BGR image, best first."""
        fit = fitted(image, self.size_hw, self._type.fit)
        boxes, scores = self._decoded(self._run(self._tensor(fit.pixels, self.type_name)))
        rows = np.flatnonzero(scores >= LOWEST_SCORE)
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        if self._type.overlapping:
            rows = rows[nms(torch.from_numpy(boxes[rows]), torch.from_numpy(scores[rows]), NMS_IOU).numpy()]
        return People(fit.to_image(boxes[rows]), scores[rows], np.full(len(rows), NO_TRACK, dtype=np.int64))

    def _tensor(self, pixels: Image, type_name: str) -> NDArray[Any]:
        """``[1, 3, h, w]`` as the type wants it."""
        kind = OUTPUT_TYPES[type_name]
        channels = pixels[..., ::-1] if kind.rgb else pixels
        channels = (channels / kind.divisor - np.array(kind.mean)) / np.array(kind.std)
        return np.ascontiguousarray(channels.transpose(2, 0, 1)[None], dtype=_DTYPES[self._input.type])

    def _run(self, tensor: NDArray[Any]) -> Outputs:
        feeds: dict[str, Any] = {self._input.name: tensor}
        if any(entry.name == _SIZES for entry in self._session.get_inputs()):
            # Asked for boxes in an image of the input's own size, so that all types give input pixels.
            feeds[_SIZES] = np.array([self.size_hw[::-1]], dtype=np.int64)
        try:
            arrays = self._session.run(None, feeds)
        except Exception as error:  # onnxruntime has many, with no common base
            raise PoseGraphError(
                f"{self.path}: cannot be run on images of {self.size_hw[1]}x{self.size_hw[0]} ({error}); give the size "
                "that it was exported for, as in onnx:FILE?size=640"
            ) from error
        named = zip(self._outputs, arrays, strict=True)
        return {name: np.asarray(array[0], dtype=np.float64) for name, array in named if np.ndim(array) > 1}

    def _decoded(self, outputs: Outputs) -> Candidates:
        try:
            return self._type.decode(outputs, self.size_hw, self._person)
        except (IndexError, KeyError, ValueError) as error:
            person = "" if self._person is None else f", and a class {self._person} for person"
            raise self._unknown(outputs, f"expected {self.type_name}: {self._type.expected}{person}") from error

    def _unknown(self, outputs: Outputs, expected: str) -> PoseGraphError:
        found = ", ".join(f"{name} {[1, *array.shape]}" for name, array in outputs.items())
        return PoseGraphError(f"{self.path}: found outputs {found or 'without boxes'}; {expected}")

    def _image_input(self) -> Any:
        """The input that takes the image: ``[1, 3, h, w]``, its axes fixed or free."""
        inputs = self._session.get_inputs()
        images = [entry for entry in inputs if len(entry.shape) == 4 and _may_be(entry.shape[1], 3)]
        others = [entry.name for entry in inputs if entry not in images and entry.name != _SIZES]
        if len(images) == 1 and not others and images[0].type in _DTYPES and _may_be(images[0].shape[0], 1):
            return images[0]
        found = ", ".join(f"{entry.name} {entry.type} {entry.shape}" for entry in inputs)
        raise PoseGraphError(
            f"{self.path}: found inputs {found}; expected one image [1, 3, height, width] of floats (and {_SIZES}, for "
            "RT-DETR): export it like that"
        )

    def _size_hw(self, wanted: tuple[int, int] | None) -> tuple[int, int]:
        fixed = self._input.shape[2:]
        own = [side if isinstance(side, int) else free for side, free in zip(fixed, DEFAULT_HW, strict=True)]
        size_hw = wanted or (own[0], own[1])
        if not all(_may_be(side, size) for side, size in zip(fixed, size_hw, strict=True)):
            raise PoseGraphError(
                f"{self.path}: size {size_hw[1]}x{size_hw[0]}; this network takes {fixed[1]}x{fixed[0]} only: leave "
                "the size away"
            )
        return size_hw

    def _named_person(self) -> int | None:
        """Row of the class "person" in the names that some exporters write into the file."""
        text = self._session.get_modelmeta().custom_metadata_map.get("names", "")
        try:
            names = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return None
        if isinstance(names, list):
            names = dict(enumerate(names))
        rows = [row for row, name in names.items() if name == "person"] if isinstance(names, dict) else [0]
        if not rows:
            raise PoseGraphError(
                f"{self.path}: its classes are {', '.join(map(str, names.values()))[:200]}; expected one called "
                "person: give another detector, or the number of the class to take, as in onnx:FILE?person=0"
            )
        return int(rows[0])


def _opened(path: Path) -> Any:
    try:
        onnxruntime = import_module("onnxruntime")
    except ImportError:
        raise PoseGraphError(
            f"{path}: running it needs onnxruntime, which is not installed; pip install 'posegraph[onnx]'"
        ) from None
    if not path.is_file():
        raise PoseGraphError(f"{path}: no such file; expected a detector as an ONNX file: check the path")
    providers = [name for name in _PROVIDERS if name in onnxruntime.get_available_providers()]
    try:
        return onnxruntime.InferenceSession(str(path), providers=providers)
    except Exception as error:  # onnxruntime has many, with no common base
        raise PoseGraphError(f"{path}: onnxruntime cannot load it ({error}); export or copy it again") from error


def _may_be(axis: int | str | None, length: int) -> bool:
    """Whether an axis of a network is free (named or without a name), or has this length."""
    return axis == length or not isinstance(axis, int)


def _size_hw(text: str, spec: str) -> tuple[int, int]:
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() and int(side) > 0 for side in sides):
        raise PoseGraphError(f"{spec}: size={text}; expected pixels, as in size=640 or size=WIDTHxHEIGHT")
    return int(sides[-1]), int(sides[0])
