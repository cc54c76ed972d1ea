"""One slot a viewer, one between the threads."""

from __future__ import annotations

import asyncio
import threading

import pytest

from vedette.web.feed import Feed, FeedFull, Picture, Viewer


def picture(index: int) -> Picture:
    return Picture(b"jpeg", index, index + 1)


def test_a_slow_viewer_gets_the_newest_and_the_rest_is_counted() -> None:
    async def run() -> None:
        viewer = Viewer(boxes=True)
        for k in range(50):
            viewer.offer(picture(k))
        newest = await viewer.next()
        assert newest is not None
        assert newest.index == 49
        assert viewer.missed == 49

    asyncio.run(run())


def test_an_older_picture_never_follows_a_newer_one() -> None:
    async def run() -> None:
        viewer = Viewer(boxes=True)
        viewer.offer(picture(7))
        viewer.offer(picture(3))
        got = await viewer.next()
        assert got is not None
        assert got.index == 7

    asyncio.run(run())


def test_a_closed_viewer_gets_nothing_however_often_it_asks() -> None:
    async def run() -> None:
        viewer = Viewer(boxes=True)
        viewer.offer(picture(1))
        viewer.close()
        assert [await asyncio.wait_for(viewer.next(), 1) for _ in range(3)] == [None, None, None]

    asyncio.run(run())


def test_each_viewer_gets_the_look_that_it_asked_for() -> None:
    async def run() -> None:
        feed = Feed(asyncio.get_running_loop(), limit=4)
        assert feed.wanted == frozenset()
        plain, drawn = feed.join(boxes=False), feed.join(boxes=True)
        assert feed.wanted == {True, False}
        feed.publish({True: picture(1), False: picture(2)})
        got = [await asyncio.wait_for(viewer.next(), 1) for viewer in (drawn, plain)]
        assert [one.index for one in got if one] == [1, 2]
        feed.leave(plain)
        assert feed.wanted == {True}
        assert len(feed) == 1

    asyncio.run(run())


def test_a_busy_loop_is_handed_one_picture_not_all() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        feed = Feed(loop, limit=1)
        viewer = feed.join(boxes=True)
        writer = threading.Thread(target=lambda: [feed.publish({True: picture(k)}) for k in range(1000)])
        writer.start()
        writer.join(5)  # the loop is blocked meanwhile
        assert len(loop._ready) <= 2  # type: ignore[attr-defined]
        got = await asyncio.wait_for(viewer.next(), 1)
        assert got is not None
        assert got.index == 999
        assert viewer.missed == 0

    asyncio.run(run())


def test_the_limit_holds_and_a_place_becomes_free() -> None:
    async def run() -> None:
        feed = Feed(asyncio.get_running_loop(), limit=1)
        first = feed.join(boxes=True)
        with pytest.raises(FeedFull, match="1 viewers"):
            feed.join(boxes=True)
        feed.leave(first)
        feed.join(boxes=True)

    asyncio.run(run())


def test_who_comes_after_the_close_is_sent_home() -> None:
    async def run() -> None:
        feed = Feed(asyncio.get_running_loop(), limit=1)
        feed.close()
        await asyncio.sleep(0)
        assert await asyncio.wait_for(feed.join(boxes=True).next(), 1) is None

    asyncio.run(run())


def test_publishing_after_the_loop_has_ended_does_nothing() -> None:
    loop = asyncio.new_event_loop()
    feed = Feed(loop, limit=1)
    loop.close()
    feed.publish({True: picture(1)})
    feed.close()
