"""Builds the tools of `hupan sandbox`: faults, clock and snapshots."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.routing import BaseRoute, Route

from hupan.application import Server
from hupan.domain.pending import PendingEvents
from hupan.domain.snapshots import StoreSnapshots
from hupan.environment import make_session_policy
from hupan.sandbox.clock import SandboxClock
from hupan.sandbox.fault_injector import FaultInjector
from hupan.sandbox.faults import Faults
from hupan.sandbox.randomness import SandboxRandomness
from hupan.sandbox.routes import SandboxRoutes, handle_errors
from hupan.sandbox.snapshots import SnapshotFolder, SnapshotRoutes, Snapshots


@dataclass(frozen=True, slots=True)
class SandboxTools:
    """The tools, which routes and pages share."""

    faults: Faults
    clock: SandboxClock
    snapshots: Snapshots
    routes: Sequence[BaseRoute]


def make_sandbox_tools(
    server: Server,
    routes: SandboxRoutes,
    injector: FaultInjector,
    randomness: SandboxRandomness,
) -> SandboxTools:
    """Connect the tools with an open server."""
    infrastructure, faults = server.infrastructure, injector.faults

    def account_of(token: str) -> str | None:
        account = infrastructure.sessions.account_of(token)
        return None if account is None else str(account)

    injector.attach(account_of, server.dispatcher.refuse)
    restart_random = _make_random_restart(server, randomness)
    routes.on_reset.append(lambda: faults.replace(()))
    routes.on_reset.append(lambda: restart_random(randomness.reset))
    clock = _make_clock(server, routes)
    snapshots = _make_snapshots(server, routes, randomness, restart_random)
    snapshot_routes = SnapshotRoutes(snapshots)
    listed = [
        Route("/sandbox/clock", handle_errors(clock.get), methods=["GET"]),
        Route("/sandbox/clock", handle_errors(clock.post), methods=["POST"]),
        Route("/sandbox/faults", handle_errors(faults.get), methods=["GET"]),
        Route("/sandbox/faults", handle_errors(faults.put), methods=["PUT"]),
        Route("/sandbox/snapshots", handle_errors(snapshot_routes.list_all), methods=["GET"]),
        *(
            Route("/sandbox/snapshots/{name}", handle_errors(handler), methods=[method])
            for method, handler in (
                ("GET", snapshot_routes.get),
                ("POST", snapshot_routes.save),
                ("PUT", snapshot_routes.put),
                ("DELETE", snapshot_routes.delete),
            )
        ),
        Route(
            "/sandbox/snapshots/{name}/restore",
            handle_errors(snapshot_routes.restore),
            methods=["POST"],
        ),
    ]
    return SandboxTools(faults, clock, snapshots, listed)


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


def _make_random_restart(
    server: Server, randomness: SandboxRandomness
) -> Callable[[Callable[[], None]], None]:
    infrastructure = server.infrastructure

    def restart(change: Callable[[], None]) -> None:
        if not randomness.seed:  # nothing repeats, and new pictures take time to draw
            return
        # Both pools hold answers that were made in advance.
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
        routes.known_accounts.clear()
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
