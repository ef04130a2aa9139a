from __future__ import annotations

import errno
import sys

import pytest

from posegraph.errors import PoseGraphError
from posegraph_cli import main as cli


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run the command line with arguments; the exit status and what it said on stderr."""

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["posegraph", *arguments])
        with pytest.raises(SystemExit) as exited:
            cli.main()
        return exited.value.code, capsys.readouterr().err

    return run


def test_a_mistake_is_one_line_and_status_2(run) -> None:
    status, said = run("skeleton", "check", "cocoo17")
    assert status == 2
    assert said == (
        "error: skeleton 'cocoo17' is not shipped; shipped are: coco17, jhmdb15, posetrack15, posetrack17; "
        "give one of them or the path of a .yaml file; did you mean 'coco17'?\n"
    )


@pytest.mark.parametrize("arguments", [["skeleton", "check"], ["nonsense"], ["env", "--nonsense"]])
def test_wrong_usage_is_status_2(run, arguments: list[str]) -> None:
    status, said = run(*arguments)
    assert status == 2
    assert said.startswith("Usage: posegraph")


@pytest.mark.parametrize("size", ["320", "0x240", "320x", "axb", "-1x5"])
def test_a_size_is_width_x_height(run, size: str) -> None:
    status, said = run("data", "synth", "unused", f"--size={size}")
    assert status == 2
    assert f"'{size}' is no size; give width and height in pixels, such as 320x240" in said


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (PoseGraphError("bad [bold]name[/]"), 2, "error: bad [bold]name[/]\n"),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "error: No space left on device\n"),
        (
            PermissionError(errno.EACCES, "Permission denied", "a\nb"),
            2,
            "error: a b: Permission denied\n",
        ),
        (KeyboardInterrupt(), 130, "stopped\n"),
    ],
)
def test_errors_from_inside_a_command(
    run, monkeypatch: pytest.MonkeyPatch, raised: BaseException, status: int, said: str
) -> None:
    def explode(**_: object) -> None:
        raise raised

    monkeypatch.setattr(cli.posegraph, "main", explode)
    assert run() == (status, said)


def test_an_internal_error_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(**_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli.posegraph, "main", explode)
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_done_is_status_0(run) -> None:
    assert run("skeleton", "list") == (0, "")
