"""Parts of a model to files: ONNX, a torch.export program, or code compiled ahead of time."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from posegraph.engine.exporting.parts import PARTS
from posegraph.errors import PoseGraphError

if TYPE_CHECKING:
    from torch.export import ExportedProgram

Format = Literal["onnx", "pt2", "aoti"]
Precision = Literal["fp32", "bf16", "int8"]

PRECISIONS: dict[Format, tuple[Precision, ...]] = {
    "onnx": ("fp32", "int8"),
    "pt2": ("fp32", "bf16"),
    "aoti": ("fp32", "bf16"),
}
"""Format -> what the backbone can compute in there. onnxruntime multiplies no bf16 matrices on a CPU."""

LARGEST_BATCH = 4096
SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "pt2": ".pt2", "aoti": ".pt2"}
_NEEDED: dict[Format, tuple[str, ...]] = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "pt2": (), "aoti": ()}


def check_choice(to: Format, precision: Precision) -> None:
    """Raises :class:`PoseGraphError` for a format that lacks this precision, or whose tools are not installed."""
    if precision not in PRECISIONS[to]:
        able = ", ".join(name for name, known in PRECISIONS.items() if precision in known)
        raise PoseGraphError(
            f"--precision {precision}: {to} computes in {' or '.join(PRECISIONS[to])}; export to {able} for {precision}"
        )
    for package in _NEEDED[to]:
        try:
            import_module(package)
        except ImportError:
            raise PoseGraphError(
                f"--to {to}: needs {package}, which is not installed; pip install 'posegraph[export]'"
            ) from None
    if to == "aoti":
        _check_compiler()


def _check_compiler() -> None:
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        raise PoseGraphError(
            "--to aoti: needs a C++ compiler, and torch finds none; install g++, or name one in the environment's CXX"
        ) from None


def write_part(name: str, part: nn.Module, inputs: tuple[Tensor, ...], to: Format, path: Path) -> None:
    """Export one of :data:`PARTS`, for batches of any size, to a file.

    Args:
        name: Which part.
        part: In evaluation mode, on the CPU.
        inputs: An example, of two in a batch or more: a size of one would be taken for a constant.
        to: The format.
        path: Ends in the format's suffix.

    Raises:
        PoseGraphError: torch.export, or the format's own tool, cannot export it.
    """
    from torch.export import Dim  # slow to import, and opening an export does without

    batch = Dim("batch", min=1, max=LARGEST_BATCH)
    try:
        with torch.no_grad(), _quiet():
            program = torch.export.export(part, inputs, dynamic_shapes=tuple({0: batch} for _ in inputs))
            {"onnx": _write_onnx, "pt2": _write_pt2, "aoti": _write_aoti}[to](name, program, path)
    except Exception as error:  # the exporters have many, with no common base
        lines = str(error).strip().splitlines() or [""]
        raise PoseGraphError(
            f"{name}: cannot be exported to {to} ({type(error).__name__}: {lines[0][:200]}); update torch"
            f"{' and onnxscript' if to == 'onnx' else ''}, or export to another format"
        ) from error


def quantise(path: Path) -> None:
    """Make the linear layers of an ONNX file multiply 8-bit integers, in place.

    Weights are rounded once, a scale for each output channel; activations when they are met, a scale for each tensor
    (onnxruntime's dynamic quantisation). Products of two activations, and of stacked weights, stay in float32.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    graph = onnx.load(str(path), load_external_data=False).graph
    matrices = {entry.name for entry in graph.initializer if len(entry.dims) == 2}
    nodes = [node.name for node in graph.node if node.op_type in ("MatMul", "Gemm") and node.input[1] in matrices]
    float_path = path.with_name(f"float-{path.name}")
    path.rename(float_path)
    with _quiet():
        quantize_dynamic(
            str(float_path),
            str(path),
            nodes_to_quantize=nodes,
            weight_type=QuantType.QInt8,
            per_channel=True,
            use_external_data_format=float_path.stat().st_size > 1 << 31 or _data_file(float_path).exists(),
        )
    float_path.unlink()
    _data_file(path).unlink(missing_ok=True)


def _data_file(path: Path) -> Path:
    return path.with_name(path.name + ".data")


def _write_onnx(name: str, program: ExportedProgram, path: Path) -> None:
    spec = PARTS[name]
    exported: Any = torch.onnx.export(
        program, dynamo=True, verbose=False, input_names=spec.inputs, output_names=spec.outputs
    )
    exported.save(str(path))


def _write_pt2(name: str, program: ExportedProgram, path: Path) -> None:
    torch.export.save(program, str(path))


def _write_aoti(name: str, program: ExportedProgram, path: Path) -> None:
    from torch._inductor import aoti_compile_and_package

    # Frozen weights are laid out for the matrix products once, when the file is made.
    aoti_compile_and_package(program, package_path=str(path), inductor_configs={"freezing": True})


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporters say of themselves: deprecations, names of axes, hints of pre-processing."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
