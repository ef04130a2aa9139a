"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores: with a thread pool each they would wait for one another.
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def fused_layers() -> Iterator[None]:
    """Compiling and counting switch torch's fused layers off in the process; other tests compare to the last bit."""
    before = torch.backends.mha.get_fastpath_enabled()
    yield
    torch.backends.mha.set_fastpath_enabled(before)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real annotated video that CI has and a fresh clone has not."""
    folder = os.environ.get("POSEGRAPH_TEST_DATA")
    if not folder:
        pytest.skip("POSEGRAPH_TEST_DATA is not set: real data not at hand")
    return Path(folder)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model that is small and fast, with random weights, whose poses depend on the past."""
    import posegraph

    torch.manual_seed(0)
    model = posegraph.build_model(
        "ncstr-tiny", skeleton="coco17", input_hw=(64, 48), embed_dim=32, depth=1, num_heads=2, node_channels=32,
        deconv_channels=(16,), patch_size=8, attention_heads=4,
    )  # fmt: skip
    # An untrained decoder's heatmaps are near zero, and an untrained expert hands nothing back to the graph.
    torch.nn.init.normal_(model.heatmap_head.final.weight, std=0.2)
    for parameter in model.graph_parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    folder = tmp_path_factory.mktemp("model") / "tiny"
    model.eval().save_pretrained(folder)
    return folder
