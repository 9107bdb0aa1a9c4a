"""The ASGI application of a server: start, stop, dispatch and `/metrics`.

`/metrics` has its own listener, so that no rule of a front proxy decides whether it is public. It
contains nothing of a request, and no label comes from one.
"""

import asyncio
import contextlib
import logging
import pickle
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TypeAlias

from hupan import __version__
from hupan.api.app import Dispatcher, Route, Services, build_routes
from hupan.api.codecs import Receive, Scope, Send
from hupan.api.media import MediaApp
from hupan.api.oauth import OAUTH_PREFIX, OAuthApp
from hupan.api.presence import SOCKET_PATH, Socket, SocketGate
from hupan.api.responses import (
    HEALTHZ_PATH,
    NO_STORE,
    READYZ_PATH,
    Cors,
    Health,
    send_not_ready,
    send_response,
    send_shutting_down,
)
from hupan.api.upstream import Upstream
from hupan.background import DONE, BackgroundTask
from hupan.config import Settings
from hupan.crypto import KeyFileError, SecretBox
from hupan.domain.backups import BackupSchedule, run_backup_process
from hupan.domain.limits import MemoryLimitReset
from hupan.domain.maintenance import Chore, Housekeeping, IntegrityChecker, OrphanIdentityRepair
from hupan.domain.media_sweep import PictureSweep
from hupan.domain.running_servers import RunningServer
from hupan.domain.search import SearchFill
from hupan.domain.timekeeping import ClockSync
from hupan.environment import Environment, make_senders, make_server_environment
from hupan.library_errors import localize_error
from hupan.logs import AccessLog, configure_logging, make_access_log
from hupan.metrics import (
    PROMETHEUS_CONTENT_TYPE,
    EndpointMetrics,
    EventLoopLag,
    HistogramFamily,
    MetricCounters,
    MetricFamily,
    MetricName,
    format_prometheus,
    process_metrics,
)
from hupan.model import StoreUnavailable
from hupan.opening import make_integrity_check, open_secret_box, open_server_database
from hupan.rules import DAY_SECONDS, HOUR_SECONDS
from hupan.server.connection import ServerLimits
from hupan.server.output import count_dropped_lines
from hupan.server.serve import SideServer, listen_on_free_port
from hupan.server.websocket import SocketHandler, SocketRequest
from hupan.store.backups import find_last_backup
from hupan.store.cluster_state import next_process_number
from hupan.store.copying import ensure_copy_complete
from hupan.store.database import MeasuredDatabase, StoreRefused
from hupan.store.media_files import LocalPictureFiles
from hupan.store.outbox import count_messages
from hupan.store.s3_files import S3PictureFiles
from hupan.wiring import (
    Infrastructure,
    make_services,
    make_socket_relays,
    make_upstream,
    without_handed_on,
)

METRICS_PATH = "/metrics"
_COUNTER_METRICS: Mapping[MetricName, tuple[str, tuple[str, ...], str]] = {
    "auth": ("hupan_auth_events_total", ("event", "result"), "Events of docs/events.md, by result"),
    "messages": ("hupan_messages_total", ("channel", "outcome"), "Messages passed to a sender"),
    "limit_refusals": ("hupan_limit_refusals_total", ("limit",), "Refused by a limit"),
    "alarms": ("hupan_alarms_total", ("alarm",), "Signs of an attack, see the log"),
    "sockets": ("hupan_sockets_total", ("event",), "Events of sockets"),
    "background_failures": (
        "hupan_background_failures_total",
        ("task",),
        "Errors of background tasks, see the log",
    ),
}


def open_metrics_sockets(settings: Settings) -> list[socket.socket]:
    """Listen for `/metrics` where the settings say; return no socket if they are off.

    Raises:
        BindError: the address cannot be used.
    """
    if not settings.metrics_port:
        return []
    return listen_on_free_port(settings.metrics_host, settings.metrics_port, settings.workers)


class MetricsApp:
    """The ASGI application of `/metrics`."""

    def __init__(
        self,
        routes: Mapping[tuple[str, str, str], Route],
        dispatcher: Dispatcher,
        infrastructure: Infrastructure,
        gate: SocketGate,
        media: MediaApp,
    ) -> None:
        self._gate = gate
        self._endpoint_metrics = [
            (_endpoint_labels(*key), route.metrics) for key, route in routes.items()
        ]
        self._endpoint_metrics += [
            *(
                (_endpoint_labels("media", "", part), meter)
                for part, meter in media.metrics.items()
            ),
            (_endpoint_labels("", "", "other"), dispatcher.unrouted),
            (_endpoint_labels("", "", "outside"), dispatcher.outside),
            *_upstream_metrics(dispatcher.upstream),
        ]
        self._infrastructure = infrastructure
        self._lag = EventLoopLag()
        self._side_server: SideServer | None = None

    async def open(self, sockets: list[socket.socket]) -> None:
        """Start to serve on listening sockets, if there are any."""
        if not sockets:
            return
        self._lag.start()
        idle_seconds = self._infrastructure.settings.connection_idle_seconds
        self._side_server = SideServer(
            self, sockets, ServerLimits(idle_timeout_seconds=idle_seconds)
        )
        await self._side_server.start()

    def close(self) -> None:
        self._lag.stop()
        if self._side_server is not None:
            self._side_server.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        is_metrics_request = scope["type"] == "http" and (scope["method"], scope["path"]) == (
            "GET",
            METRICS_PATH,
        )
        body = await self.render() if is_metrics_request else b""
        headers = [
            (b"content-type", PROMETHEUS_CONTENT_TYPE),
            (b"content-length", b"%d" % len(body)),
            NO_STORE,
        ]
        await send_response(200 if is_metrics_request else 404, headers, body, send)

    async def render(self) -> bytes:
        """Return all metrics in the Prometheus text format.

        Raises:
            StoreUnavailable: the store fails, and not only a machine behind it.
        """
        build = MetricFamily(
            "hupan_build_info", "gauge", "The version", [({"version": __version__}, 1)]
        )
        return format_prometheus(
            [
                build,
                *make_request_metrics(self._endpoint_metrics),
                *make_counter_metrics(self._infrastructure.metric_counters),
                *await _make_infrastructure_metrics(self._infrastructure),
                *_make_socket_metrics(self._gate),
                self._lag.histogram(),
                *process_metrics(),
            ]
        )


def _make_socket_metrics(gate: SocketGate) -> Iterator[MetricFamily]:
    for name, meaning, value in (
        ("hupan_sockets_open", "Open sockets", gate.open_count),
        ("hupan_sockets_connected", "Sockets that are logged in", len(gate.presence)),
    ):
        yield MetricFamily(name, "gauge", meaning, [({}, value)])


def make_request_metrics(
    endpoint_metrics: list[tuple[Mapping[str, str], EndpointMetrics]],
) -> tuple[MetricFamily, HistogramFamily]:
    """Return requests by endpoint and result, and their durations."""
    results = [
        ({**labels, "result": result}, number)
        for labels, meter in endpoint_metrics
        for result, number in meter.result_counts.items()
    ]
    durations = [
        (labels, meter.durations) for labels, meter in endpoint_metrics if meter.result_counts
    ]
    return (
        MetricFamily("hupan_requests_total", "counter", "Requests by class of outcome", results),
        HistogramFamily(
            "hupan_request_seconds", "From the complete request to its response", durations
        ),
    )


def make_counter_metrics(metric_counters: MetricCounters) -> list[MetricFamily]:
    return [
        MetricFamily(
            name,
            "counter",
            meaning,
            [
                (dict(zip(keys, labels, strict=True)), number)
                for labels, number in metric_counters.counts_by_labels(count).items()
            ],
        )
        for count, (name, keys, meaning) in _COUNTER_METRICS.items()
    ]


async def _make_infrastructure_metrics(infrastructure: Infrastructure) -> list[MetricFamily]:
    outbox: dict[str, int] = {}
    last_backup = 0
    try:
        outbox = await count_messages(infrastructure.database)
        last_backup = await find_last_backup(infrastructure.database)
    except StoreUnavailable:
        if not infrastructure.database.stats().is_partial:
            raise
    store = infrastructure.database.stats()
    gauges = {
        "hupan_captchas_ready": (
            "Captcha pictures that are ready",
            infrastructure.captcha_pool.ready_count,
        ),
        "hupan_password_queue": (
            "Passwords that are queued or being hashed",
            infrastructure.password_hasher.pending_count,
        ),
        "hupan_picture_queue": (
            "Uploads that are queued or being redrawn",
            infrastructure.redrawer.pending_count,
        ),
        "hupan_store_queue": ("Changes that wait for their commit", store.pending_changes),
        "hupan_store_partial": ("Whether some accounts cannot be reached", int(store.is_partial)),
        "hupan_backup_timestamp_seconds": (
            "Time of the newest backup, 0 without one",
            last_backup,
        ),
        "hupan_store_wal_bytes": ("Write-ahead log of the SQLite file", store.wal_bytes),
    }
    totals = {
        "hupan_store_changes_total": ("Changes that were committed", store.committed_changes),
        "hupan_store_commits_total": ("Commits of these changes", store.commits),
        "hupan_store_failures_total": ("Reads and commits that failed", store.failures),
        "hupan_log_lines_dropped_total": ("Lines that could not be written", count_dropped_lines()),
    }
    steady_clock = infrastructure.environment.steady_clock
    if steady_clock is not None:
        meaning = "How far the machine's clock is ahead of the server's time; negative for behind"
        gauges["hupan_clock_leap_seconds"] = (meaning, round(-steady_clock.system_lag_seconds()))
    waiting = [({"channel": channel}, number) for channel, number in outbox.items()]
    return [
        MetricFamily("hupan_outbox_messages", "gauge", "Messages in the store's outbox", waiting),
        *(
            MetricFamily(name, "gauge", help_text, [({}, value)])
            for name, (help_text, value) in gauges.items()
        ),
        *(
            MetricFamily(name, "counter", help_text, [({}, total)])
            for name, (help_text, total) in totals.items()
        ),
    ]


def _endpoint_labels(surface: str, method: str, path: str) -> Mapping[str, str]:
    return {"surface": surface, "endpoint": f"{method} {path}".strip()}


def _upstream_metrics(
    upstream: Upstream | None,
) -> list[tuple[Mapping[str, str], EndpointMetrics]]:
    return [] if upstream is None else [(_endpoint_labels("", "", "upstream"), upstream.metrics)]


@dataclass(frozen=True, slots=True)
class Server:
    """A server with all its parts; `start` and `stop` run on the event loop."""

    infrastructure: Infrastructure
    services: Services
    timekeeping: ClockSync | None
    running_server: RunningServer | None
    housekeeping: Housekeeping
    integrity_checker: IntegrityChecker
    backups: BackupSchedule
    search_fill: BackgroundTask
    dispatcher: Dispatcher
    oauth: OAuthApp
    gate: SocketGate
    health: Health
    access_log: AccessLog
    metrics: MetricsApp

    def start(self) -> None:
        """Start the background work."""
        self.infrastructure.captcha_pool.start()
        self.infrastructure.slide_pool.start()
        self.infrastructure.outbox_worker.start()
        self.infrastructure.session_ends.start()
        self.infrastructure.presence.start()
        self.infrastructure.drafts.start()
        if self.timekeeping is not None:
            self.timekeeping.start()
        if self.running_server is not None:
            self.running_server.start()
        self.housekeeping.start()
        self.integrity_checker.start()
        self.backups.start()
        self.search_fill.start()

    async def stop(self) -> None:
        """Stop the background work and close the store, after every request has its response.

        Each part is stopped even if another one fails (security X7).
        """
        async with AsyncExitStack() as stack:
            stack.callback(self.access_log.flush)
            stack.push_async_callback(self.infrastructure.database.close)
            if self.running_server is not None:
                stack.push_async_callback(self.running_server.stop)
            stack.callback(self.metrics.close)
            if self.gate.relays is not None:
                stack.callback(self.gate.relays.close)
            if self.dispatcher.upstream is not None:
                stack.callback(self.dispatcher.upstream.client.close)
            stack.callback(self.infrastructure.password_hasher.close)
            stack.callback(self.infrastructure.redrawer.close)
            stack.callback(self.infrastructure.captcha_pool.stop)
            stack.callback(self.infrastructure.slide_pool.stop)
            stack.push_async_callback(self.infrastructure.outbox_worker.stop)
            stack.push_async_callback(self.infrastructure.presence.stop)
            stack.push_async_callback(self.infrastructure.drafts.stop)
            stack.push_async_callback(self.infrastructure.session_ends.stop)
            if self.timekeeping is not None:
                stack.push_async_callback(self.timekeeping.stop)
            stack.push_async_callback(self.housekeeping.stop)
            stack.push_async_callback(self.integrity_checker.stop)
            stack.push_async_callback(self.backups.stop)
            stack.push_async_callback(self.search_fill.stop)


async def build_server(
    settings: Settings, environment: Environment, metrics_sockets: Sequence[socket.socket] = ()
) -> Server:
    """Open the store, which must be up to date, and build the server.

    Closes again what it opened if a later step fails.

    Raises:
        StoreRefused, KeyFileError: the store or the key cannot be used.
    """
    async with AsyncExitStack() as stack:
        database = await open_server_database(settings)
        stack.push_async_callback(database.close)
        await ensure_copy_complete(database)
        secret_box = await open_secret_box(
            settings.secret_key_path, database, is_sandbox=environment.is_sandbox
        )
        server = await _assemble_server(settings, environment, database, secret_box)
        if server.running_server is not None:
            stack.push_async_callback(server.running_server.withdraw)
            await server.running_server.announce()
            await ensure_copy_complete(database)  # a copy may have begun before the announcement
        stack.callback(server.infrastructure.password_hasher.close)
        stack.callback(server.metrics.close)
        await server.metrics.open(list(metrics_sockets))
        stack.pop_all()
        return server


async def _assemble_server(
    settings: Settings, environment: Environment, database: MeasuredDatabase, secret_box: SecretBox
) -> Server:
    timekeeping: ClockSync | None = None
    if environment.steady_clock is not None:
        erase_after_seconds = settings.account_erasure_days * DAY_SECONDS
        timekeeping = ClockSync(database, environment.steady_clock, erase_after_seconds)
        await timekeeping.initialize(trust_clock=settings.trust_clock)
    process_number = await database.run_transaction(next_process_number)
    infrastructure = Infrastructure(
        settings, environment.for_process(process_number), database, lambda: secret_box
    )
    services = make_services(infrastructure)
    access_log = make_access_log(settings)
    cors = Cors(settings.cors_origins)
    media = MediaApp(services, cors, access_log)
    table = build_routes(services)
    upstream = make_upstream(settings, services)
    dispatcher = Dispatcher(
        table if upstream is None else without_handed_on(table),
        cors,
        access_log,
        process_number=process_number,
        web_host_prefix=settings.web_host_prefix,
        media=media,
        upstream=upstream,
    )
    housekeeping = _make_housekeeping(infrastructure, services, timekeeping)
    integrity_checker = IntegrityChecker(
        database,
        infrastructure.clock,
        make_integrity_check(settings, database),
        settings.integrity_check_hours * HOUR_SECONDS,
        infrastructure.metric_counters,
        is_partial=lambda: database.stats().is_partial,
    )
    backups = _make_backup_schedule(infrastructure)
    health = Health(integrity_checker.check, lambda: database.stats().is_partial, backups.is_stale)
    gate = _make_socket_gate(infrastructure, services, dispatcher)
    metrics = MetricsApp(table, dispatcher, infrastructure, gate, media)
    return Server(
        infrastructure=infrastructure,
        services=services,
        timekeeping=timekeeping,
        running_server=_make_running_server(infrastructure, process_number),
        housekeeping=housekeeping,
        integrity_checker=integrity_checker,
        backups=backups,
        search_fill=_make_search_fill(infrastructure),
        dispatcher=dispatcher,
        oauth=OAuthApp(services, infrastructure.session_ends),
        gate=gate,
        health=health,
        access_log=access_log,
        metrics=metrics,
    )


def _make_running_server(
    infrastructure: Infrastructure, process_number: int
) -> RunningServer | None:
    if not infrastructure.settings.is_postgres:  # a file is locked
        return None
    return RunningServer(infrastructure.database, process_number, infrastructure.metric_counters)


def _make_backup_schedule(infrastructure: Infrastructure) -> BackupSchedule:
    """Schedule backups of a server; the data of a sandbox is disposable."""
    settings = infrastructure.settings
    hours = 0 if infrastructure.environment.is_sandbox else settings.backup_hours
    return BackupSchedule(
        infrastructure.database,
        infrastructure.clock,
        lambda: run_backup_process(pickle.dumps(settings)),
        every_seconds=hours * HOUR_SECONDS,
        max_age_seconds=settings.backup_max_age_hours * HOUR_SECONDS,
        count=infrastructure.metric_counters,
    )


def _make_search_fill(infrastructure: Infrastructure) -> BackgroundTask:
    return BackgroundTask(
        "search table",
        SearchFill(infrastructure.database).run,
        interval_seconds=SEARCH_FILL_SECONDS,
        expected_errors=(StoreUnavailable,),
        count=infrastructure.metric_counters,
    )


def _make_socket_gate(
    infrastructure: Infrastructure, services: Services, dispatcher: Dispatcher
) -> SocketGate:
    settings = infrastructure.settings
    return SocketGate(
        infrastructure.presence,
        infrastructure.drafts,
        services.client_resolver,
        services.audit_log,
        infrastructure.metric_counters,
        dispatcher.next_request_id,
        max_sockets=settings.sockets_max,
        max_per_address=settings.sockets_per_address * settings.limits_enabled,
        relays=make_socket_relays(infrastructure, services, dispatcher.next_request_id),
    )


def _make_housekeeping(
    infrastructure: Infrastructure, services: Services, timekeeping: ClockSync | None
) -> Housekeeping:
    chores: list[Chore] = [
        services.devices.purge_expired,
        services.contact_undo.purge_expired,
        services.account_deletion.erase_due,
        services.media.delete_due,
        services.rate_limits.detector.check_hour,
        MemoryLimitReset(
            infrastructure.database, infrastructure.clock, infrastructure.memory_limits
        ).apply_requested,
        OrphanIdentityRepair(infrastructure.database, infrastructure.clock).run,
    ]
    if isinstance(infrastructure.picture_files, LocalPictureFiles | S3PictureFiles):
        owner = infrastructure.secret_box.mac("picture-folder").hex()
        sweep = PictureSweep(
            infrastructure.database, infrastructure.clock, infrastructure.picture_files, owner
        )
        chores.append(sweep.run)
    return Housekeeping(
        infrastructure.database,
        infrastructure.clock,
        chores,
        infrastructure.metric_counters,
        may_purge=lambda: timekeeping is None or timekeeping.may_purge,
    )


SEARCH_FILL_SECONDS = 0.5
"""The pause between two changes that make accounts of an older version searchable."""
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
STORE_RETRY_SECONDS = 0.5
"""Seconds between two attempts to open the store."""
MAX_RETRY_PAUSE_SECONDS = 5.0
"""Maximum seconds after an error other than an unreachable store."""
_log = logging.getLogger("hupan.app")


class Application:
    """Opens a server when the listener starts and closes it when the listener stops.

    Args:
        open_server: builds the server, on the event loop.
        make_mounts: returns further applications by path prefix; none in `hupan serve`.
        retry_store: whether to start while the store cannot be reached, and retry until it can.
    """

    def __init__(
        self,
        open_server: Callable[[], Awaitable[Server]],
        make_mounts: Callable[[Server], dict[str, ASGIApp]] = lambda _server: {},
        *,
        retry_store: bool = False,
    ) -> None:
        self._open_server = open_server
        self._make_mounts = make_mounts
        self._retry_store = retry_store
        self._retry_task = BackgroundTask(
            "waiting for the store",
            self._retry_open,
            interval_seconds=STORE_RETRY_SECONDS,
            expected_errors=(StoreRefused, KeyFileError, OSError),
            max_retry_seconds=MAX_RETRY_PAUSE_SECONDS,
        )
        self._server: Server | None = None
        self._mounts: dict[str, ASGIApp] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._server is not None:
            try:
                await self._select_app(self._server, scope["path"])(scope, receive, send)
            except asyncio.CancelledError:  # the server stops and cannot wait any longer
                with contextlib.suppress(RuntimeError):  # unless the response has started
                    await send_shutting_down(send)
        elif scope["type"] == "http":
            await send_not_ready(scope["path"], send)
        elif scope["type"] == "lifespan":
            await self._run_lifespan(receive, send)

    def is_socket_path(self, path: str) -> bool:
        """Return whether a path is that of sockets, on any host."""
        return path == SOCKET_PATH

    def open_socket(self, request: SocketRequest, socket: Socket) -> SocketHandler | None:
        """Return the handler of a new socket; None if there is no room, or no store yet."""
        if self._server is None:
            return None
        return self._server.gate.open(request.headers, request.peer, socket)

    def _select_app(self, server: Server, path: str) -> ASGIApp:
        if path in (HEALTHZ_PATH, READYZ_PATH):
            return server.health
        if path.startswith(OAUTH_PREFIX):
            return server.oauth
        for prefix, mounted_app in self._mounts.items():
            if path.startswith(prefix):
                return mounted_app
        return server.dispatcher

    async def _run_lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                await send(await self._start())
            else:
                await send(await self._stop())
                return

    async def _start(self) -> dict[str, str]:
        try:
            await self._open()
        except (StoreRefused, StoreUnavailable, KeyFileError, OSError, ValueError) as error:
            if not (self._retry_store and isinstance(error, StoreUnavailable)):
                text = localize_error(error)
                return {
                    "type": "lifespan.startup.failed",
                    "message": f"the server cannot start: {text.en}",
                    "message_zh": f"服务器无法启动：{text.zh}",
                }
            _log.warning("waiting for the store: %s", error)
            self._retry_task.start()
        return {"type": "lifespan.startup.complete"}

    async def _open(self) -> None:
        """Open the server; close again what was opened if a later step fails."""
        async with contextlib.AsyncExitStack() as stack:
            server = await self._open_server()
            stack.push_async_callback(server.stop)
            self._mounts = self._make_mounts(server)
            server.start()
            stack.pop_all()
        self._server = server

    async def _retry_open(self) -> object:
        """Open the server if the store can be reached; `/readyz` fails until then."""
        try:
            await self._open()
        except StoreUnavailable:
            return None
        _log.warning("the store is available")
        return DONE

    async def _stop(self) -> dict[str, str]:
        await self._retry_task.stop()
        if self._server is not None:
            try:
                await self._server.stop()
            except Exception as error:  # noqa: BLE001 - every part was ended all the same
                _log.error("the server did not shut down cleanly", exc_info=error)
                return {"type": "lifespan.shutdown.failed", "message": "see the log"}
        return {"type": "lifespan.shutdown.complete"}


def make_server_application(settings: Settings, *, english: bool = False) -> Application:
    """Return the application, once in each serving process; the store was prepared before.

    Args:
        settings: the settings.
        english: the language of what is printed on the terminal.

    Raises:
        BindError: the address of the metrics cannot be used.
    """
    configure_logging(settings.log_level, settings.log_format)
    metrics_sockets = open_metrics_sockets(settings)

    async def open_server() -> Server:
        return await build_server(
            settings,
            make_server_environment(make_senders(settings, english=english)),
            metrics_sockets,
        )

    return Application(open_server, retry_store=settings.is_postgres)
