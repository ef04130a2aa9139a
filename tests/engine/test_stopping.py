from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import pytest

from posegraph.engine.stopping import StopSignals


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


def held_and_sent(signals: StopSignals, then: Callable[[], None]) -> None:
    with signals.held():
        send(signal.SIGTERM)
        then()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops(number: signal.Signals) -> None:
    with StopSignals(), pytest.raises(KeyboardInterrupt):
        send(number)


def test_a_block_is_not_cut_in_two() -> None:
    done = []
    with StopSignals() as signals:
        with pytest.raises(KeyboardInterrupt):
            held_and_sent(signals, lambda: done.append("the rest"))
        with signals.held():
            done.append("and no second time")
    assert done == ["the rest", "and no second time"]


def test_a_launcher_that_repeats_itself_does_not_disturb_but_ctrl_c_does() -> None:
    with StopSignals():
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
        send(signal.SIGTERM)
        send(signal.SIGHUP)
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)


def test_an_error_in_the_block_goes_before_the_signal() -> None:
    def fail() -> None:
        raise ValueError("full")

    with StopSignals() as signals, pytest.raises(ValueError, match="full"):
        held_and_sent(signals, fail)


def test_what_was_ignored_stays_ignored_and_handlers_come_back() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        with StopSignals():
            send(signal.SIGHUP)
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    finally:
        signal.signal(signal.SIGHUP, before)


def test_away_from_the_main_thread_nothing_is_changed() -> None:
    found = []

    def work() -> None:
        with StopSignals() as signals, signals.held():
            found.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]
