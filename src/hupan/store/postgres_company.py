"""Who else has a PostgreSQL store open: a copy of a store needs it for itself."""

from hupan.store.engine import Engine, StoreRefused

_OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'hupan' AND pid <> pg_backend_pid()
"""


async def refuse_company(engine: Engine) -> None:
    """Goes on unless others have a PostgreSQL store open.

    Raises:
        StoreRefused: servers or commands are connected to it.
    """
    row = await engine.one(_OTHERS)
    if row is not None and row[0] > 0:
        raise StoreRefused(
            f"还有 {row[0]} 个 Hupan 连接在使用该数据库，请先停止 / "
            f"{row[0]} connections of Hupan use this store: stop them first"
        )
