"""Requests of the long run: the ordinary ones, and those that end badly."""

import asyncio

from bench.asking import Line, head
from bench.visits import CUT, LEFT, WRONG, Kinds, Visitor, outcome

PAGES = Kinds()

_MEGABYTE = 1024 * 1024


@PAGES.add("small file", 450, "200")
async def _small(visitor: Visitor) -> str:
    return outcome(await visitor.ask("GET", f"{visitor.places.steady}/hello/1024"), bytes(1024))


@PAGES.add("form", 100, "200")
async def _form(visitor: Visitor) -> str:
    body = b"x" * 3000
    return outcome(
        await visitor.ask("POST", f"{visitor.places.steady}/length", None, body), b"3000"
    )


@PAGES.add("upload of 200 kB", 20, "200")
async def _upload(visitor: Visitor) -> str:
    body = b"x" * 200_000
    answer = await visitor.ask("POST", f"{visitor.places.steady}/length", None, body)
    return outcome(answer, b"200000")


@PAGES.add("upload in chunks", 40, "200")
async def _upload_in_chunks(visitor: Visitor) -> str:
    places = visitor.places
    headers = {**places.headers, "Transfer-Encoding": "chunked"}
    async with await Line.open(places.port) as line:
        await line.send(head("POST", f"{places.steady}/length", headers))
        for _ in range(5):
            await line.send(b"7d0\r\n" + bytes(2000) + b"\r\n")
        await line.send(b"0\r\n\r\n")
        answer = await line.answer()
        return outcome(answer, b"10000")


@PAGES.add("answer in chunks", 80, "200")
async def _chunks(visitor: Visitor) -> str:
    return outcome(await visitor.ask("GET", f"{visitor.places.steady}/chunks/10"), bytes(10_000))


@PAGES.add("answer until the end", 20, "200")
async def _until_close(visitor: Visitor) -> str:
    answer = await visitor.ask("GET", f"{visitor.places.steady}/until-close/5000")
    return outcome(answer, bytes(5000))


@PAGES.add("HEAD", 20, "200")
async def _head(visitor: Visitor) -> str:
    return outcome(await visitor.ask("HEAD", f"{visitor.places.steady}/hello/1024"), b"")


@PAGES.add("HTTP/1.0", 10, "200")
async def _old(visitor: Visitor) -> str:
    places = visitor.places
    async with await Line.open(places.port) as line:
        await line.send(head("GET", f"{places.steady}/chunks/3", places.headers, "1.0"))
        answer = await line.answer()
        return outcome(answer, bytes(3000))


@PAGES.add("three at once", 10, "200")
async def _pipeline(visitor: Visitor) -> str:
    places = visitor.places
    async with await Line.open(places.port) as line:
        await line.send(head("GET", f"{places.steady}/hello/100", places.headers) * 3)
        said = {outcome(await line.answer(), bytes(100)) for _ in range(3)}
        return said.pop() if len(said) == 1 else WRONG


@PAGES.add("own page", 20, "200")
async def _own_page(visitor: Visitor) -> str:
    answer = await visitor.ask("GET", "/giestack/")
    return str(answer.status) if b"</html>" in answer.body else WRONG


@PAGES.add("own API", 20, "200")
async def _own_api(visitor: Visitor) -> str:
    return str((await visitor.ask("GET", "/giestack/api/v1/whoami")).status)


@PAGES.add("no session", 30, "401")
async def _nobody(visitor: Visitor) -> str:
    places = visitor.places
    return str((await visitor.ask("GET", f"{places.steady}/hello/1", places.nobody)).status)


@PAGES.add("session that is over", 15, "401")
async def _ended(visitor: Visitor) -> str:
    places = visitor.places
    return str((await visitor.ask("GET", f"{places.steady}/hello/1", places.ended)).status)


@PAGES.add("somebody else's tool", 30, "403")
async def _foreign(visitor: Visitor) -> str:
    return str((await visitor.ask("GET", f"{visitor.places.foreign}/hello/1")).status)


@PAGES.add("unknown tool", 30, "404")
async def _unknown(visitor: Visitor) -> str:
    return str((await visitor.ask("GET", "/interactivetool/ep/3r3tktmrlsiv6/guess/")).status)


@PAGES.add("upload that is refused", 5, "403", CUT)
async def _refused_upload(visitor: Visitor) -> str:
    # The refusal may come, and the connection end, before all is sent.
    body = b"x" * 300_000
    return str((await visitor.ask("POST", f"{visitor.places.foreign}/length", None, body)).status)


@PAGES.add("nonsense", 10, "400")
async def _nonsense(visitor: Visitor) -> str:
    places = visitor.places
    async with await Line.open(places.port) as line:
        await line.send(head("GET", f"{places.steady}/", {**places.headers, "Host": "another"}))
        answer = await line.answer()
        ended = await line.at_end()
        return str(answer.status) if ended else WRONG


@PAGES.add("head that never ends", 0.1, "408")
async def _half_a_head(visitor: Visitor) -> str:
    places = visitor.places
    async with await Line.open(places.port) as line:
        await line.send(head("GET", f"{places.steady}/", places.headers)[:-2])
        answer = await line.answer()
        return str(answer.status)


@PAGES.add("slow head", 5, "200")
async def _slow_head(visitor: Visitor) -> str:
    places = visitor.places
    async with await Line.open(places.port) as line:
        data = head("GET", f"{places.steady}/hello/1024", places.headers)
        for start in range(0, len(data), 100):
            await line.send(data[start : start + 100])
            await asyncio.sleep(0.05)
        answer = await line.answer()
        return outcome(answer, bytes(1024))


@PAGES.add("slow reader", 5, "200")
async def _slow_reader(visitor: Visitor) -> str:
    places = visitor.places
    async with await Line.open(places.port, room=16384) as line:
        await line.send(head("GET", f"{places.steady}/hello/{2 * _MEGABYTE}", places.headers))
        status = await line.status()
        left = 2 * _MEGABYTE
        for _ in range(5):
            left -= len(await line.reader.readexactly(50_000))
            await asyncio.sleep(0.05)
        await line.reader.readexactly(left)
        return str(status)


@PAGES.add("slow answer", 5, "200")
async def _slow(visitor: Visitor) -> str:
    return outcome(await visitor.ask("GET", f"{visitor.places.steady}/slow"), b"")


@PAGES.add("left before the answer", 10, LEFT)
async def _impatient(visitor: Visitor) -> str:
    places = visitor.places
    async with await Line.open(places.port) as line:
        await line.send(head("GET", f"{places.steady}/slow", places.headers))
        await asyncio.sleep(0.05)
        return LEFT


@PAGES.add("download, reset", 10, LEFT)
async def _reset_download(visitor: Visitor) -> str:
    await _begin_download(visitor, reset=True)
    return LEFT


@PAGES.add("download, closed", 10, LEFT)
async def _close_download(visitor: Visitor) -> str:
    await _begin_download(visitor, reset=False)
    return LEFT


async def _begin_download(visitor: Visitor, reset: bool) -> None:
    places = visitor.places
    async with await Line.open(places.port) as line:
        await line.send(head("GET", f"{places.steady}/hello/{4 * _MEGABYTE}", places.headers))
        await line.status()
        await line.reader.readexactly(50_000)
        if reset:
            line.reset()


@PAGES.add("upload, reset", 10, LEFT)
async def _reset_upload(visitor: Visitor) -> str:
    places = visitor.places
    async with await Line.open(places.port) as line:
        headers = {**places.headers, "Content-Length": str(4 * _MEGABYTE)}
        await line.send(head("POST", f"{places.steady}/length", headers) + bytes(100_000))
        line.reset()
        return LEFT


@PAGES.add("upload in chunks, closed", 10, LEFT)
async def _close_upload(visitor: Visitor) -> str:
    places = visitor.places
    async with await Line.open(places.port) as line:
        headers = {**places.headers, "Transfer-Encoding": "chunked"}
        await line.send(head("POST", f"{places.steady}/length", headers) + b"7d0\r\n" + bytes(100))
        return LEFT


@PAGES.add("backend that hangs up", 10, "502")
async def _die(visitor: Visitor) -> str:
    return str((await visitor.ask("GET", f"{visitor.places.steady}/die")).status)


@PAGES.add("backend that dies midway", 10, CUT)
async def _die_midway(visitor: Visitor) -> str:
    return str((await visitor.ask("GET", f"{visitor.places.steady}/die-midway")).status)


@PAGES.add("backend that is not there", 10, "502")
async def _gone(visitor: Visitor) -> str:
    return str((await visitor.ask("GET", f"{visitor.places.gone}/hello/1")).status)


@PAGES.add("backend that is killed", 40, "200", "502", CUT)
async def _mortal(visitor: Visitor) -> str:
    answer = await visitor.ask("GET", f"{visitor.places.mortal}/chunks/50")
    return outcome(answer, bytes(50_000))
