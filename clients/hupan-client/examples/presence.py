"""Shows on one device what is being written on another, asynchronously: presence.py URL."""

import asyncio
import sys

from hupan_client import AsyncSandbox, AsyncSocket
from hupan_client.sockets import Draft


async def main(url: str) -> None:
    async with AsyncSandbox(url) as sandbox:
        client = sandbox.client(await sandbox.accounts.create(nickname="小湖"))
        async with (
            client.socket(device_id="phone") as phone,
            client.socket(device_id="laptop") as laptop,
        ):
            writing = asyncio.create_task(write(laptop))
            async for message in phone:
                if isinstance(message, Draft):
                    print("being written:", message.input)
                    break
            writing.cancel()


async def write(laptop: AsyncSocket) -> None:
    """Write the same again and again: the other device may not be connected yet."""
    while True:
        await laptop.send_draft("1000001", "你好")
        await asyncio.sleep(0.1)


asyncio.run(main(sys.argv[1]))
