"""metrics.csv: appended to, cut back, never lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from posegraph.engine.run_logs import MetricsTable


def lines(folder: Path) -> list[str]:
    return (folder / "logs/metrics.csv").read_text().splitlines()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    table = MetricsTable(tmp_path)
    table.log_metrics({"loss": 0.1 + 0.2, "epoch": 0}, step=0)
    table.log_metrics({"val": 1.0, "epoch": 0}, step=0)
    table.log_metrics({"loss": 1e-7, "epoch": 1}, step=1)
    return tmp_path


def test_every_row_is_in_the_file_at_once_and_columns_come_as_they_turn_up(run: Path) -> None:
    assert lines(run) == ["epoch,loss,step,val", "0,0.30000000000000004,0,", "0,,0,1.0", "1,1e-07,1,"]


def test_a_resumed_run_goes_on_after_the_rows_that_its_checkpoint_counted(run: Path) -> None:
    with (run / "logs/metrics.csv").open("a") as file:
        file.write("1,0.55")  # half of a line: the run was killed
    table = MetricsTable(run, keep=2)
    assert table.rows == 2
    assert lines(run) == ["epoch,loss,step,val", "0,0.30000000000000004,0,", "0,,0,1.0"]
    table.log_metrics({"loss": 2.0, "epoch": 1}, step=1)
    assert (table.rows, lines(run)[3:]) == (3, ["1,2.0,1,"])


def test_rows_that_are_kept_are_kept_as_they_were_written(run: Path) -> None:
    before = (run / "logs/metrics.csv").read_bytes()
    table = MetricsTable(run, keep=3)
    assert (run / "logs/metrics.csv").read_bytes() == before
    table.log_metrics({"new": 1.0}, step=2)
    assert lines(run) == [
        "epoch,loss,new,step,val",
        "0,0.30000000000000004,,0,",
        "0,,,0,1.0",
        "1,1e-07,,1,",
        ",,1.0,2,",
    ]


def test_a_run_from_its_beginning_keeps_the_file_and_none_of_its_rows(run: Path) -> None:
    assert MetricsTable(run).rows == 0
    assert lines(run) == ["epoch,loss,step,val"]


def test_what_a_power_cut_leaves_is_no_reason_to_stop(run: Path) -> None:
    with (run / "logs/metrics.csv").open("ab") as file:
        file.write(b"1,0.5\0\0\0\xff\xfe")
    table = MetricsTable(run, keep=9)
    assert table.rows == 4
    assert MetricsTable(run, keep=3).rows == 3
    assert lines(run)[3:] == ["1,1e-07,1,"]


def test_the_last_values(run: Path) -> None:
    assert MetricsTable(run, keep=3).last_values() == {"loss": 1e-7, "val": 1.0}
    assert MetricsTable(run / "empty").last_values() == {}
