import asyncio


async def answer(reader, writer):
    writer.write((await reader.readline()).upper())
    await writer.drain()
    writer.close()


async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"hello\n")
    assert await reader.readline() == b"HELLO\n"
    writer.close()
    server.close()
    child = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
    assert (await child.communicate(b"through"))[0] == b"through"
    assert await asyncio.to_thread(lambda: 7) == 7
    assert await asyncio.gather(*(asyncio.sleep(0.001, n) for n in range(3))) == [0, 1, 2]
    try:
        await asyncio.wait_for(asyncio.sleep(60), 0.01)
        raise AssertionError("no timeout")
    except asyncio.TimeoutError:
        pass


asyncio.run(main())

print("ok")
