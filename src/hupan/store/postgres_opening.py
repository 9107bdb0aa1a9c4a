"""Opens a store on PostgreSQL: the one name in this folder that others import, and late."""

from hupan.model import StoreUnavailable
from hupan.store.engine import Engine
from hupan.store.postgres import PostgresEngine
from hupan.store.postgres_migrate import applied_on, check_current_postgres, migrate_postgres
from hupan.store.postgres_place import Place, PoolSize
from hupan.store.postgres_pool import LOST, open_pool


async def open_migrated(place: Place, size: PoolSize) -> Engine:
    """A store that was brought up to date first, one node after the other.

    Raises:
        StoreRefused: it is newer than this version, or cannot be migrated.
        StoreUnavailable: the server cannot be reached.
    """
    pool = await open_pool(place, size)
    try:
        await migrate_postgres(pool)
    except BaseException:
        await pool.close()
        raise
    return PostgresEngine(pool)


async def applied(place: Place, size: PoolSize) -> dict[int, str]:
    """Number and digest of each migration in the store.

    Raises:
        StoreUnavailable: the server cannot be reached.
    """
    pool = await open_pool(place, size)
    try:
        return await pool.use(applied_on)
    except LOST as error:
        raise StoreUnavailable(str(error) or type(error).__name__) from error
    finally:
        await pool.close()


async def open_current(place: Place, size: PoolSize) -> Engine:
    """A store that is up to date already; it is never migrated here.

    Raises:
        StoreRefused: it is not of this version.
        StoreUnavailable: the server cannot be reached.
    """
    pool = await open_pool(place, size)
    try:
        await check_current_postgres(pool)
    except BaseException:
        await pool.close()
        raise
    return PostgresEngine(pool)
