"""Builds the tools of `hupan sandbox`: faults, clock and snapshots."""

from collections.abc import Callable, Sequence

from starlette.routing import BaseRoute, Route

from hupan.application import Server
from hupan.domain.pending import PendingEvents
from hupan.domain.snapshots import StoreSnapshots
from hupan.environment import make_session_policy
from hupan.sandbox.clock import SandboxClock
from hupan.sandbox.fault_injector import FaultInjector
from hupan.sandbox.randomness import SandboxRandomness
from hupan.sandbox.routes import SandboxRoutes, handle_errors
from hupan.sandbox.snapshots import SnapshotFolder, SnapshotRoutes, Snapshots


def make_sandbox_tools(
    server: Server,
    routes: SandboxRoutes,
    injector: FaultInjector,
    randomness: SandboxRandomness,
) -> Sequence[BaseRoute]:
    """Connect the tools with an open server; return their routes."""
    infrastructure, faults = server.infrastructure, injector.faults

    def account_of(token: str) -> str | None:
        account = infrastructure.sessions.account_of(token)
        return None if account is None else str(account)

    injector.attach(account_of, server.dispatcher.refuse)
    restart_random = _make_random_restart(server)
    routes.on_reset.append(lambda: faults.replace(()))
    routes.on_reset.append(lambda: restart_random(randomness.reset))
    clock = _make_clock(server, routes)
    snapshots = SnapshotRoutes(_make_snapshots(server, routes, randomness, restart_random))
    return [
        Route("/sandbox/clock", handle_errors(clock.get), methods=["GET"]),
        Route("/sandbox/clock", handle_errors(clock.post), methods=["POST"]),
        Route("/sandbox/faults", handle_errors(faults.get), methods=["GET"]),
        Route("/sandbox/faults", handle_errors(faults.put), methods=["PUT"]),
        Route("/sandbox/snapshots", handle_errors(snapshots.list_all), methods=["GET"]),
        *(
            Route("/sandbox/snapshots/{name}", handle_errors(handler), methods=[method])
            for method, handler in (
                ("GET", snapshots.get),
                ("POST", snapshots.save),
                ("PUT", snapshots.put),
                ("DELETE", snapshots.delete),
            )
        ),
        Route(
            "/sandbox/snapshots/{name}/restore", handle_errors(snapshots.restore), methods=["POST"]
        ),
    ]


def _make_clock(server: Server, routes: SandboxRoutes) -> SandboxClock:
    infrastructure = server.infrastructure

    async def fire_due() -> None:
        await server.housekeeping.purge()
        await infrastructure.outbox_worker.drain()
        await infrastructure.presence.recheck_all()

    policy = make_session_policy(infrastructure.settings)
    return SandboxClock(
        routes.clock,
        PendingEvents(infrastructure.database, routes.clock, policy),
        infrastructure.outbox_worker.drain,
        fire_due,
    )


def _make_random_restart(server: Server) -> Callable[[Callable[[], None]], None]:
    infrastructure = server.infrastructure

    def restart(change: Callable[[], None]) -> None:
        # Both pools hold answers that were made ahead.
        infrastructure.captcha_pool.restart(lambda: infrastructure.slide_pool.restart(change))

    return restart


def _make_snapshots(
    server: Server,
    routes: SandboxRoutes,
    randomness: SandboxRandomness,
    restart_random: Callable[[Callable[[], None]], None],
) -> Snapshots:
    infrastructure = server.infrastructure

    async def after_restore() -> None:
        infrastructure.memory_limits.reset_all()
        await infrastructure.presence.recheck_all()

    return Snapshots(
        SnapshotFolder(infrastructure.settings.data_dir / "snapshots"),
        StoreSnapshots(infrastructure.database, server.services.media, infrastructure.secret_box),
        routes.clock,
        routes.seeder,
        routes.outbox_messages,
        routes.known_accounts,
        randomness,
        restart_random,
        infrastructure.outbox_worker.drain,
        after_restore,
    )
