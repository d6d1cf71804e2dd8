"""The asyncio loop in its thread."""

import asyncio
import threading

import pytest

from inspectd.plc.loop import LoopThread


async def _where() -> str:
    return threading.current_thread().name


def test_a_coroutine_runs_in_the_named_thread_and_its_value_comes_back() -> None:
    loop = LoopThread("bus")
    try:
        assert loop.run(_where(), 5.0) == "bus"
    finally:
        loop.close()


def test_one_that_takes_too_long_is_given_up() -> None:
    loop = LoopThread("bus")
    try:
        with pytest.raises(TimeoutError):
            loop.run(asyncio.sleep(60), 0.01)
    finally:
        loop.close()


def test_closing_cancels_what_still_runs_and_ends_the_thread() -> None:
    loop = LoopThread("bus")
    cancelled = threading.Event()

    async def forever() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def start() -> asyncio.Task[None]:
        return asyncio.create_task(forever())

    task = loop.run(start(), 5.0)
    loop.close()
    assert cancelled.is_set()
    assert task.cancelled()
    assert "bus" not in {thread.name for thread in threading.enumerate()}
