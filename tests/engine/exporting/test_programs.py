"""torch's own formats: written, checked and run, once each.

The model has no graph behind its heatmaps: the three parts then compile in half the time.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch_geometric.data import Batch

import posegraph
from posegraph.engine.exporting.clips import synthetic_clips
from posegraph.engine.exporting.export import export_model
from posegraph.engine.exporting.formats import Format, check_choice
from posegraph.engine.exporting.opening import open_model
from posegraph.errors import PoseGraphError

needs_compiler = pytest.mark.skipif(
    shutil.which("g++") is None, reason="AOTInductor needs a C++ compiler: g++ is not installed"
)


@pytest.mark.parametrize("to", ["pt2", pytest.param("aoti", marks=needs_compiler)])
def test_what_is_written_is_the_model(to: Format, tmp_path: Path) -> None:
    from torch._inductor import config

    torch.manual_seed(0)
    sizes = {"input_hw": (32, 24), "embed_dim": 16, "depth": 1, "num_heads": 2, "patch_size": 8, "stem": "patch"}
    model = posegraph.build_model("ncstr-tiny", variant="vit_alone", deconv_channels=(8,), **sizes).eval()
    torch.nn.init.normal_(model.heatmap_head.final.weight, std=0.2)
    folder = tmp_path / to
    # Spares eight seconds of small programs that try the processor, and optimising code that only calls the kernels.
    with config.patch({"cpp.vec_isa_ok": True, "aot_inductor.compile_wrapper_opt_level": "O0"}):
        report = export_model(model, folder, to)
    assert report.differences.nodes <= 1e-4
    assert report.differences.max_px <= 0.01
    assert sorted(path.name for path in folder.iterdir()) == ["clip.pt2", "encode.pt2", "manifest.json", "reason.pt2"]
    assert json.loads((folder / "manifest.json").read_text())["check"]["format"] == to

    exported = open_model(str(folder), to)
    batch = Batch.from_data_list([*synthetic_clips(model), *synthetic_clips(model)[:2]])  # a size that nobody tried
    with torch.no_grad():
        wanted = model.run(batch)
    torch.testing.assert_close(exported.run(batch).nodes, wanted.nodes, rtol=0, atol=1e-4)


def test_a_machine_without_a_compiler_is_told_before_anything_is_written() -> None:
    from torch._inductor import config

    with (
        config.patch({"cpp.cxx": ("no-such-compiler",)}),
        pytest.raises(PoseGraphError, match=r"--to aoti: needs a C\+\+ compiler, .*install g\+\+"),
    ):
        check_choice("aoti", "fp32")
