"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores: with a thread pool each they would wait for one another.
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real annotated video that CI has and a fresh clone has not."""
    folder = os.environ.get("POSEGRAPH_TEST_DATA")
    if not folder:
        pytest.skip("POSEGRAPH_TEST_DATA is not set: real data not at hand")
    return Path(folder)
