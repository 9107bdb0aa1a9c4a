"""What every command of an operator stands on: the store, open beside a server that may run.

A command does not take the server's lock (security R14 b): SQLite lets both write in turn, so a
change here must be short. It never migrates, for that would take the store from under the server.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hupan.app.engines import open_to_operate
from hupan.config import Settings
from hupan.model import StoreUnavailable
from hupan.seal import KeyFileError, fingerprint, load_key
from hupan.store.engine import Engine, StoreRefused
from hupan.store.identity import read_identity, refuse_other_key


class OperationRefused(Exception):  # noqa: N818 - the answer of a command that cannot be done
    """The command cannot be done; the text says why, in Chinese and English."""


@asynccontextmanager
async def operating(settings: Settings) -> AsyncIterator[Engine]:
    """Opens the store of a server for one command.

    Raises:
        OperationRefused: there is no store, it is not of this version, or it failed on the way.
    """
    try:
        engine = await open_to_operate(settings)
    except StoreRefused as error:
        raise OperationRefused(str(error)) from error
    except StoreUnavailable as error:
        raise OperationRefused(_unavailable(error)) from error
    try:
        await _refuse_other_key(settings, engine)
        yield engine
    except StoreRefused as error:
        raise OperationRefused(str(error)) from error
    except StoreUnavailable as error:
        raise OperationRefused(_unavailable(error)) from error
    finally:
        await engine.close()


async def _refuse_other_key(settings: Settings, engine: Engine) -> None:
    """What a command would seal with another key, no server could open."""
    key, identity = settings.secret_key_path, await read_identity(engine)
    if not key.exists() and (identity.key or identity.is_served):
        return  # a command that needs it says so
    try:
        refuse_other_key(identity, fingerprint(load_key(key)))
    except (KeyFileError, OSError) as error:
        raise OperationRefused(str(error)) from error


def _unavailable(error: StoreUnavailable) -> str:
    return f"数据库暂时无法使用 / the store cannot be used now: {error}"
