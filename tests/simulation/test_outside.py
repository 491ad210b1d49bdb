"""What virtual time does about threads, subprocesses, sockets and HTTP clients."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from piopiy_lab.errors import ArgumentError, SimulationLimitError
from piopiy_lab.simulation.current import current_virtual_loop, hold
from piopiy_lab.simulation.jobs import JobPolicy
from piopiy_lab.simulation.limits import Limits
from piopiy_lab.simulation.virtual_loop import VirtualTimeLoop

REAL_SECS = 0.05  # what outside work takes here, in real time


def elapsed() -> float:
    loop = current_virtual_loop()
    assert loop is not None
    return loop.elapsed


def run(coro, **options):
    return VirtualTimeLoop(**options).run(coro)


async def tick():
    """Keep timers on the loop, which virtual time would race through."""
    while True:  # noqa: ASYNC110 - it is there to have a timer
        await asyncio.sleep(0.01)


def with_ticks(make_coro):
    async def main():
        ticker = asyncio.create_task(tick())
        result = await make_coro()
        ticker.cancel()
        return result

    return main()


@contextmanager
def server_in_a_thread(handle):
    """Serve TCP connections on a real loop in another thread; gives the port."""
    ports: list[int] = []
    loops: list[asyncio.AbstractEventLoop] = []
    started, stop = threading.Event(), asyncio.Event()

    async def serve():
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
        loops.append(asyncio.get_running_loop())
        started.set()
        await stop.wait()
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert started.wait(5)
        yield ports[0]
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join(5)
        assert not thread.is_alive()


async def read_request(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.decode().split("\r\n"):
        if line.lower().startswith("content-length:"):
            length = int(line.split(":")[1])
    return head, await reader.readexactly(length)


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


async def answer_in_parts(reader, writer):
    """Answer each request with three chunks, each after REAL_SECS / 3; keep the connection."""
    try:
        while True:
            await read_request(reader)
            await asyncio.sleep(REAL_SECS / 3)
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for part in (b"one ", b"two ", b"three"):
                await asyncio.sleep(REAL_SECS / 3)
                writer.write(chunk(part))
            writer.write(chunk(b""))
    except asyncio.IncompleteReadError:
        pass  # the client has closed
    finally:
        writer.close()


class TestJobs:
    def test_a_short_job_runs_inline_and_can_cost_virtual_time(self):
        def _run_analyzer():
            return threading.current_thread() is threading.main_thread()

        async def main():
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(None, _run_analyzer), elapsed()

        assert run(main()) == (True, 0.0)
        policy = JobPolicy(inline={"_run_analyzer": 0.25})
        assert run(main(), jobs=policy) == (True, 0.25)

    def test_an_inline_job_is_found_below_to_thread(self):
        def short():
            return threading.current_thread() is threading.main_thread()

        async def main():
            return await asyncio.to_thread(short)

        assert run(main(), jobs=JobPolicy(inline={"short": 0.0})) is True
        assert run(main()) is False

    def test_an_inline_jobs_error_reaches_who_awaits_it(self):
        def short():
            raise KeyError("x")

        async def main():
            with pytest.raises(KeyError):
                await asyncio.to_thread(short)

        run(main(), jobs=JobPolicy(inline={"short": 0.1}))

    def test_time_is_frozen_while_a_thread_works(self):
        async def main():
            result = await asyncio.to_thread(lambda: time.sleep(REAL_SECS) or 5)
            return result, elapsed()

        assert run(with_ticks(main)) == (5, 0.0)

    def test_a_jobs_time_can_be_charged(self):
        async def main():
            await asyncio.to_thread(time.sleep, REAL_SECS)
            return elapsed()

        began = time.monotonic()
        took = run(with_ticks(main), outside="charge")
        assert REAL_SECS <= took < time.monotonic() - began

    def test_a_charged_job_ends_where_its_thread_ended(self):
        ended = threading.Event()

        def work():
            time.sleep(0.01)  # the work whose time is charged
            ended.set()

        async def main():
            began = time.monotonic()
            job = asyncio.ensure_future(asyncio.to_thread(work))
            await asyncio.sleep(0)
            ended.wait()  # callbacks take no virtual time
            worked = time.monotonic() - began
            time.sleep(5 * REAL_SECS)  # noqa: ASYNC251 - the loop's time, which is not the job's
            await job
            return elapsed(), worked

        took, worked = run(with_ticks(main), outside="charge")
        assert 0.01 <= took < worked + 4 * REAL_SECS

    def test_results_come_in_the_order_of_submission(self):
        async def main():
            seen: list[int] = []
            pool = ThreadPoolExecutor(8)
            loop = asyncio.get_running_loop()

            async def job(n):
                await loop.run_in_executor(pool, time.sleep, 0.03 - 0.005 * n)
                seen.append(n)

            await asyncio.gather(*(job(n) for n in range(6)))
            pool.shutdown()
            return seen, elapsed()

        assert run(main()) == (list(range(6)), 0.0)

    def test_a_job_that_waits_for_a_later_one_does_not_block_it(self):
        async def main():
            go = threading.Event()
            first = asyncio.ensure_future(asyncio.to_thread(go.wait, 5))
            await asyncio.to_thread(lambda: None)
            go.set()
            return await first, elapsed()

        assert run(main(), jobs=JobPolicy(order_secs=0.05)) == (True, 0.0)

    def test_an_error_in_a_thread(self):
        async def main():
            with pytest.raises(ZeroDivisionError):
                await asyncio.to_thread(lambda: 1 / 0)

        run(main())

    def test_a_cancelled_job_holds_nothing(self):
        async def main():
            go = threading.Event()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await asyncio.to_thread(go.wait, 5)
            await asyncio.sleep(100)
            go.set()
            return elapsed()

        assert run(main()) == 100.0

    def test_a_background_job_is_not_waited_for(self):
        def reads_for_ever(stop):
            stop.wait(5)

        async def main():
            stop = threading.Event()
            job = asyncio.ensure_future(asyncio.to_thread(reads_for_ever, stop))
            await asyncio.sleep(30)
            stop.set()
            await job
            return elapsed()

        assert run(main(), jobs=JobPolicy(background=frozenset({"reads_for_ever"}))) == 30.0

    def test_a_job_that_never_ends_is_named(self):
        async def main():
            stop = threading.Event()
            try:
                await asyncio.to_thread(stop.wait, 5)
            finally:
                stop.set()

        with pytest.raises(SimulationLimitError, match=r"because of threading\.Event\.wait"):
            run(main(), limits=Limits(outside_secs=0.1))

    def test_bad_policies(self):
        with pytest.raises(ArgumentError, match="-1"):
            JobPolicy(inline={"x": -1})
        with pytest.raises(ArgumentError, match="both"):
            JobPolicy(inline={"x": 0}, background=frozenset({"x"}))


class TestHold:
    def test_it_freezes_time(self):
        async def main():
            done = asyncio.Event()
            loop = asyncio.get_running_loop()
            threading.Timer(REAL_SECS, loop.call_soon_threadsafe, (done.set,)).start()
            with hold("a device"):
                await done.wait()
            return elapsed()

        assert run(with_ticks(main)) == 0.0
        assert run(with_ticks(main), outside="charge") >= REAL_SECS * 0.9

    def test_it_does_nothing_outside_a_simulation(self):
        async def main():
            with hold():
                await asyncio.sleep(0)

        asyncio.run(main())
        with hold():
            pass

    def test_a_sleep_inside_passes(self):
        async def main():
            with hold("the printer"):
                await asyncio.sleep(1)
            return elapsed()

        assert run(main()) == 1.0

    def test_one_that_never_ends_is_named(self):
        async def main():
            with hold("the printer"):
                await asyncio.Event().wait()

        with pytest.raises(SimulationLimitError, match=r"(?s)because of the printer.*main: "):
            run(main(), limits=Limits(outside_secs=0.1))

    def test_the_outer_loop_goes_on_while_time_is_frozen(self):
        async def main():
            await asyncio.to_thread(time.sleep, 0.1)
            return elapsed()

        async def outer():
            ticks = 0
            task = asyncio.ensure_future(VirtualTimeLoop().run_in_slices(main()))
            while not task.done():
                await asyncio.sleep(0.005)
                ticks += 1
            return await task, ticks

        virtual, ticks = asyncio.run(outer())
        assert virtual == 0.0
        assert ticks >= 5


class TestSubprocesses:
    def test_one_that_runs_by_itself_takes_no_virtual_time(self):
        async def main():
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-Sc", "print(41 + 1)", stdout=asyncio.subprocess.PIPE
            )
            out, _ = await process.communicate()
            return out.strip(), process.returncode, elapsed()

        assert run(with_ticks(main)) == (b"42", 0, 0.0)

    def test_one_that_is_fed_and_closed_takes_no_virtual_time(self):
        async def main():
            pipe = asyncio.subprocess.PIPE
            process = await asyncio.create_subprocess_exec("cat", stdin=pipe, stdout=pipe)
            out, _ = await process.communicate(b"x" * 300_000)
            return len(out), elapsed()

        assert run(with_ticks(main)) == (300_000, 0.0)

    def test_one_that_is_talked_to_keeps_time_real(self):
        async def main():
            pipe = asyncio.subprocess.PIPE
            process = await asyncio.create_subprocess_exec("cat", stdin=pipe, stdout=pipe)
            began = time.monotonic()
            process.stdin.write(b"hello\n")
            line = await process.stdout.readline()
            await asyncio.sleep(0.1)
            took = time.monotonic() - began
            process.stdin.close()
            await process.wait()
            return line, took

        line, took = run(with_ticks(main))
        assert line == b"hello\n"
        assert took >= 0.09


class TestSockets:
    def test_both_ends_on_the_loop_are_exact(self):
        async def serve(reader, writer):
            while line := await reader.readline():
                await asyncio.sleep(1.5)
                writer.write(line)
            writer.close()

        async def main():
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            for _ in range(4):
                writer.write(b"hello\n")
                assert await reader.readline() == b"hello\n"
            writer.close()
            await writer.wait_closed()
            server.close()
            return elapsed()

        assert run(with_ticks(main)) == 6.0
        assert run(with_ticks(main), outside="charge") == 6.0

    def test_an_open_stream_to_the_outside_keeps_time_real(self):
        async def echo(reader, writer):
            while line := await reader.readline():
                await asyncio.sleep(REAL_SECS)
                writer.write(line)
            writer.close()

        async def main(port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            opened, began = elapsed(), time.monotonic()
            writer.write(b"hello\n")
            await reader.readline()
            took, real = elapsed() - opened, time.monotonic() - began
            writer.close()
            await writer.wait_closed()
            began = time.monotonic()
            await asyncio.sleep(60)
            return opened, took, real, time.monotonic() - began

        with server_in_a_thread(echo) as port:
            opened, took, real, after = run(with_ticks(lambda: main(port)))
        assert opened == 0.0
        # Callbacks take no virtual time, nor what a busy machine makes of them; nothing jumps.
        assert REAL_SECS / 2 <= took <= real
        assert after < 30.0

    def test_a_grace_waits_before_each_jump(self):
        async def echo(reader, writer):
            writer.write(await reader.readline())
            writer.close()

        async def main(port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"hello\n")
            await reader.readline()
            writer.close()
            return elapsed()

        with server_in_a_thread(echo) as port:
            assert (
                run(with_ticks(lambda: main(port)), outside_grace=2.0) == 0.0
            )  # the answer comes sooner

    def test_a_stream_opened_in_a_hold_does_not_slow_time_down(self):
        async def echo(reader, writer):
            writer.write(await reader.readline())
            await reader.read()
            writer.close()

        async def main(port):
            with hold():
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"hello\n")
                await reader.readline()
            began = time.monotonic()
            await asyncio.sleep(60)
            writer.close()
            return elapsed(), time.monotonic() - began

        with server_in_a_thread(echo) as port:
            virtual, real = run(main(port))
        assert virtual == 60.0
        assert real < 30.0


async def with_httpx(url):
    import httpx

    async with httpx.AsyncClient() as client:
        answers = [(await client.get(url)).text, (await client.post(url, content="x")).text]
        async with client.stream("GET", url) as response:
            answers.append("".join([part async for part in response.aiter_text()]))
    return answers


async def with_httpx2(url):
    import httpx2

    async with httpx2.AsyncClient() as client:
        return [(await client.get(url)).text for _ in range(3)]


async def with_aiohttp(url):
    import aiohttp

    async with aiohttp.ClientSession() as session:
        answers = []
        for _ in range(3):
            async with session.get(url) as response:
                answers.append(await response.text())
    return answers


@pytest.mark.parametrize("fetch", [with_httpx, with_httpx2, with_aiohttp])
class TestHttp:
    def test_a_request_takes_no_virtual_time(self, fetch):
        async def main(port):
            answers = await fetch(f"http://127.0.0.1:{port}/")
            return answers, elapsed()

        with server_in_a_thread(answer_in_parts) as port:
            assert run(with_ticks(lambda: main(port))) == (["one two three"] * 3, 0.0)

    def test_its_time_can_be_charged(self, fetch):
        async def main(port):
            await fetch(f"http://127.0.0.1:{port}/")
            return elapsed()

        with server_in_a_thread(answer_in_parts) as port:
            took = run(with_ticks(lambda: main(port)), outside="charge")
        assert took >= 3 * REAL_SECS

    def test_a_server_on_the_same_loop_is_exact(self, fetch):
        async def answer(reader, writer):
            try:
                while True:
                    await read_request(reader)
                    await asyncio.sleep(0.75)
                    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                    writer.write(head + chunk(b"here"))
                    await asyncio.sleep(0.25)
                    writer.write(chunk(b""))
            except asyncio.IncompleteReadError:
                pass  # the client has closed
            finally:
                writer.close()

        async def main():
            async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
                port = server.sockets[0].getsockname()[1]
                answers = await fetch(f"http://127.0.0.1:{port}/")
                return answers, elapsed()

        assert run(with_ticks(main)) == (["here"] * 3, 3.0)


class TestHttpClients:
    def test_idle_keep_alive_connections_do_not_slow_time_down(self):
        import httpx

        async def main(port):
            async with httpx.AsyncClient() as client:
                await client.get(f"http://127.0.0.1:{port}/")
                began = time.monotonic()
                await asyncio.sleep(4)  # less than httpx keeps a connection
                return elapsed(), time.monotonic() - began

        with server_in_a_thread(answer_in_parts) as port:
            virtual, real = run(with_ticks(lambda: main(port)))
        assert virtual == 4.0
        assert real < 3.0

    def test_the_reader_of_a_stream_can_sleep(self):
        import httpx

        async def main(port):
            async with (
                httpx.AsyncClient() as client,
                client.stream("GET", f"http://127.0.0.1:{port}/") as response,
            ):
                async for _ in response.aiter_raw():
                    await asyncio.sleep(1)
            return elapsed()

        with server_in_a_thread(answer_in_parts) as port:
            assert run(with_ticks(lambda: main(port))) == 3.0

    def test_the_clients_are_as_they_were_afterwards(self):
        import aiohttp
        import httpx

        before = (httpx.AsyncHTTPTransport.handle_async_request, aiohttp.ClientSession._request)
        run(asyncio.sleep(1))
        after = (httpx.AsyncHTTPTransport.handle_async_request, aiohttp.ClientSession._request)
        assert after == before

    def test_a_client_on_another_loop_is_left_alone(self):
        async def simulated():
            import httpx

            def fetch_elsewhere():
                return asyncio.run(with_httpx(f"http://127.0.0.1:{port}/"))

            assert httpx
            return await asyncio.to_thread(fetch_elsewhere), elapsed()

        with server_in_a_thread(answer_in_parts) as port:
            assert run(with_ticks(simulated)) == (["one two three"] * 3, 0.0)


def openai_chunks(*deltas):
    for n, delta in enumerate(deltas):
        data = {
            "id": "c",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": None}],
        }
        if n == len(deltas) - 1:
            data["choices"][0]["finish_reason"] = "stop"
        yield f"data: {json.dumps(data)}\n\n".encode()
    yield b"data: [DONE]\n\n"


async def serve_openai(reader, writer):
    """Ask for a tool first; once its result is in the context, say it in three tokens."""
    try:
        while True:
            _, body = await read_request(reader)
            messages = json.loads(body)["messages"]
            if messages[-1]["role"] == "tool":
                deltas = [{"content": word} for word in ("Booked ", "for ", "two.")]
            else:
                function = {"name": "book_table", "arguments": ""}
                call = {"index": 0, "id": "call_1", "type": "function", "function": function}
                rest = {"index": 0, "function": {"arguments": '{"people": 2}'}}
                deltas = [{"role": "assistant", "tool_calls": [call]}, {"tool_calls": [rest]}]
            await asyncio.sleep(0.02)
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n"
            )
            for part in openai_chunks(*deltas):
                await asyncio.sleep(0.01)
                writer.write(chunk(part))
            writer.write(chunk(b""))
    except asyncio.IncompleteReadError:
        pass  # the client has closed
    finally:
        writer.close()


@pytest.mark.parametrize("in_slices", [False, True])
def test_pipecats_openai_service_with_a_tool_call(in_slices):
    from piopiy_lab.simulation.clock import patched_pipecat_time

    async def main(port):
        from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
        from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
        from pipecat.frames.frames import LLMContextFrame, LLMTextFrame
        from pipecat.pipeline.pipeline import Pipeline
        from pipecat.pipeline.worker import PipelineWorker
        from pipecat.processors.aggregators.llm_context import LLMContext
        from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
        from pipecat.processors.frame_processor import FrameProcessor
        from pipecat.services.openai.llm import OpenAILLMService
        from pipecat.workers.runner import WorkerRunner

        said: list[tuple[float, str]] = []
        called: list[tuple[float, dict]] = []

        class Listener(FrameProcessor):
            async def process_frame(self, frame, direction):
                await super().process_frame(frame, direction)
                if isinstance(frame, LLMTextFrame):
                    said.append((elapsed(), frame.text))
                    if frame.text == "two.":
                        await worker.stop_when_done()
                await self.push_frame(frame, direction)

        async def book_table(params):
            called.append((elapsed(), dict(params.arguments)))
            await asyncio.sleep(1.25)
            await params.result_callback({"booked": True})

        llm = OpenAILLMService(api_key="none", base_url=f"http://127.0.0.1:{port}/v1")
        llm.register_function("book_table", book_table)
        people = {"people": {"type": "integer"}}
        schema = FunctionSchema("book_table", "Books a table", people, ["people"])
        context = LLMContext(
            [{"role": "user", "content": "a table for two"}], ToolsSchema([schema])
        )
        pair = LLMContextAggregatorPair(context)
        pipeline = Pipeline([pair.user(), llm, Listener(), pair.assistant()])
        worker = PipelineWorker(pipeline, enable_rtvi=False)
        await worker.queue_frame(LLMContextFrame(context))
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        await runner.run()
        return called, said

    loop = VirtualTimeLoop()
    with server_in_a_thread(serve_openai) as port, patched_pipecat_time():
        if in_slices:
            called, said = asyncio.run(loop.run_in_slices(main(port)))
        else:
            called, said = loop.run(main(port))
    assert called == [(0.0, {"people": 2})]
    assert said == [(1.25, "Booked "), (1.25, "for "), (1.25, "two.")]
