"""What needs a task of its own (docs/decisions/0019-begun-at-once.md)."""

import asyncio


async def be_a_task() -> None:
    """Lets go once if no task runs yet: `asyncio.timeout` needs one."""
    if asyncio.current_task() is None:
        await asyncio.sleep(0)
