"""An account server made of fastapi-users: tokens in the database, SQLite, argon2id.

    python app.py fill COUNT PASSWORD | python app.py serve PORT

The store is store.db in the working directory.
"""

import asyncio
import json
import secrets
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, BearerTransport
from fastapi_users.authentication.strategy.db import DatabaseStrategy
from fastapi_users.password import PasswordHelper
from fastapi_users_db_sqlalchemy import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from fastapi_users_db_sqlalchemy.access_token import (
    SQLAlchemyAccessTokenDatabase,
    SQLAlchemyBaseAccessTokenTableUUID,
)
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import Index, event, func
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

TOKEN_SECONDS = 365 * 86_400
ARGON2 = Argon2Hasher(time_cost=2, memory_cost=19_456, parallelism=1)
PASSWORDS = PasswordHelper(PasswordHash((ARGON2,)))
ENGINE = create_async_engine("sqlite+aiosqlite:///store.db")
SESSIONS = async_sessionmaker(ENGINE, expire_on_commit=False)


class Table(DeclarativeBase):
    """Base class of the tables."""


class User(SQLAlchemyBaseUserTableUUID, Table):
    """An account, with a name."""

    name: Mapped[str] = mapped_column(default="")


class Token(SQLAlchemyBaseAccessTokenTableUUID, Table):
    """A session."""


# A sign-in looks up the lower-case address; without this it would scan every account.
Index("users_by_lower_email", func.lower(User.email))


class UserRead(schemas.BaseUser[uuid.UUID]):
    """The caller's account."""

    name: str


class UserEdit(schemas.BaseUserUpdate):
    """Fields that can be changed."""

    name: str | None = None


class Profile(schemas.BaseModel):
    """Another user's account."""

    id: uuid.UUID
    name: str


class Users(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    """The library's own manager."""


@event.listens_for(ENGINE.sync_engine, "connect")
def durable(connection: Any, _record: object) -> None:  # noqa: ANN401 - the library's own type
    """Allow reads during writes, and make each commit durable."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


async def session() -> AsyncIterator[AsyncSession]:
    """Yield one session per request."""
    async with SESSIONS() as one:
        yield one


Session = Annotated[AsyncSession, Depends(session)]


async def strategy(one: Session) -> DatabaseStrategy[User, uuid.UUID, Token]:
    """Return the strategy that keeps tokens in the database."""
    return DatabaseStrategy(SQLAlchemyAccessTokenDatabase(one, Token), TOKEN_SECONDS)


async def manager(one: Session) -> AsyncIterator[Users]:
    """Yield the user manager."""
    yield Users(SQLAlchemyUserDatabase(one, User), PASSWORDS)


BACKEND = AuthenticationBackend("database", BearerTransport(tokenUrl="auth/login"), strategy)
DOORS = FastAPIUsers[User, uuid.UUID](manager, [BACKEND])
app = FastAPI()


@app.get("/profiles/{user_id}")
async def profile(
    user_id: uuid.UUID,
    _caller: Annotated[User, Depends(DOORS.current_user(active=True))],
    users: Annotated[Users, Depends(manager)],
) -> Profile:
    """Return another user's name to signed-in callers."""
    found = await users.get(user_id)
    return Profile(id=found.id, name=found.name)


app.include_router(DOORS.get_auth_router(BACKEND), prefix="/auth")
app.include_router(DOORS.get_users_router(UserRead, UserEdit), prefix="/users")


async def fill(count: int, password: str) -> None:
    """Create the store and accounts.json, with one session per account."""
    async with ENGINE.begin() as connection:
        await connection.run_sync(Table.metadata.create_all)
    hashed = PASSWORDS.hash(password)
    rows = [
        User(
            id=uuid.uuid4(),
            name=f"bench-{n}",
            email=f"bench-{n}@example.org",
            hashed_password=hashed,
            is_active=True,
        )
        for n in range(count)
    ]
    tokens = [Token(token=secrets.token_urlsafe(), user_id=row.id) for row in rows]
    async with SESSIONS.begin() as one:
        one.add_all(rows)
        await one.flush()
        one.add_all(tokens)
    made = [(str(u.id), u.name, u.email, t.token) for u, t in zip(rows, tokens, strict=True)]
    await asyncio.to_thread(Path("accounts.json").write_text, json.dumps(made), "utf-8")
    await ENGINE.dispose()


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        asyncio.run(fill(int(sys.argv[2]), sys.argv[3]))
    else:
        uvicorn.run(
            app,
            port=int(sys.argv[2]),
            loop="uvloop",
            http="httptools",
            access_log=False,
            log_level="warning",
        )
