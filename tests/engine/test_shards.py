from __future__ import annotations

import pytest

from posegraph.engine.shards import own_shard, shared_out
from posegraph.errors import PoseGraphError

LAUNCHERS = ("RANK", "WORLD_SIZE", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_ARRAY_TASK_ID")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch):
    """Set variables of a launcher, and none of another one's."""

    def environment(**variables: int) -> None:
        for name in LAUNCHERS:
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))

    environment()
    return environment


def array(task: int, first: int, last: int, count: int) -> dict[str, int]:
    return {
        "SLURM_ARRAY_TASK_ID": task,
        "SLURM_ARRAY_TASK_MIN": first,
        "SLURM_ARRAY_TASK_MAX": last,
        "SLURM_ARRAY_TASK_COUNT": count,
    }


@pytest.mark.parametrize(("text", "expected"), [(None, (0, 1)), ("0/1", (0, 1)), ("2/8", (2, 8))])
def test_said_outright(environment, text: str | None, expected: tuple[int, int]) -> None:
    with shared_out(text) as share:
        assert (share.index, share.count) == expected


@pytest.mark.parametrize("text", ["8/8", "1", "a/b", "-1/4", "1/0", ""])
def test_no_such_share(environment, text: str) -> None:
    with pytest.raises(PoseGraphError, match="expected i/n with i from 0 to n-1"), shared_out(text):
        pass


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"RANK": 3, "WORLD_SIZE": 4}, (3, 4)),
        (array(0, 0, 7, 8), (0, 8)),
        (array(1, 1, 8, 8), (0, 8)),  # --array=1-8
        (array(6, 2, 10, 3), (1, 3)),  # --array=2-10:4
        (array(5, 5, 5, 1), (0, 1)),
        ({"SLURM_PROCID": 1, "SLURM_STEP_NUM_TASKS": 2}, (1, 2)),
        ({**array(2, 0, 3, 4), "SLURM_PROCID": 1, "SLURM_STEP_NUM_TASKS": 2}, (5, 8)),
        # A batch script that runs the command without srun is one task, whatever was asked for.
        ({**array(2, 0, 3, 4), "SLURM_PROCID": 0, "SLURM_NTASKS": 2}, (2, 4)),
    ],
)
def test_as_the_launcher_says(environment, variables: dict[str, int], expected: tuple[int, int]) -> None:
    environment(**variables)
    share = own_shard()
    assert (share.index, share.count) == expected


def test_an_array_with_gaps_is_refused(environment) -> None:
    environment(**array(3, 0, 7, 3))
    with pytest.raises(PoseGraphError, match="3 tasks from 0 to 7 with gaps; expected numbers in equal steps"):
        own_shard()


def test_nobody_tells(environment) -> None:
    with pytest.raises(PoseGraphError, match="neither torchrun"):
        own_shard()


def test_processes_that_would_do_the_same_are_refused(environment) -> None:
    environment(RANK=0, WORLD_SIZE=4)
    with pytest.raises(PoseGraphError, match="4 processes were started, and would all do the same"), shared_out(None):
        pass
