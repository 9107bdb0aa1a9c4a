"""Print the time of a 2 MB picture upload, and the longest stall of the event loop.

`python -m bench.uploads [UPLOADS]` starts a sandbox on loopback, uploads JPEG, PNG and WebP one by
one, and requests `/healthz` meanwhile from another process: its longest wait is the stall of the
loop, including delays of the machine. The same is printed for an idle server.
"""

import io
import multiprocessing
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event

import httpx
from PIL import Image

BOUNDARY = "upload-bench"
START_SECONDS = 20.0
IDLE_SECONDS = 2.0
SIZES = {"JPEG": (2800, 2100), "PNG": (830, 830), "WEBP": (2000, 1500)}
PROBE = b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n"


def make_picture(kind: str) -> bytes:
    """Return a picture of about 2 MB: a grainy photo, noise, or a finer photo."""
    width, height = SIZES[kind]
    if kind == "PNG":
        image = Image.frombytes("RGB", (width, height), os.urandom(width * height * 3))
    else:
        noise = Image.effect_noise((width // 3, height // 3), 60).convert("RGB")
        image = noise.resize((width, height), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    image.save(file, kind, quality=93)
    return file.getvalue()


def make_form(token: str, data: bytes) -> bytes:
    """Return the form of an upload."""
    body = b""
    for name, value in (("token", token.encode()), ("key", b"bench"), ("file", data)):
        extra = '; filename="a"' if name == "file" else ""
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'
        body += head.encode() + value + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


@contextmanager
def run_server(port: int) -> Iterator[httpx.Client]:
    """Run a sandbox without limits; yield a client of it."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(  # noqa: S603 - our own arguments
            [sys.executable, "-m", "hupan", "sandbox", "--port", str(port), "--data-dir", folder],
            env={**os.environ, "HUPAN_LIMITS_ENABLED": "false", "HUPAN_LOG_LEVEL": "error"},
            stdout=subprocess.DEVNULL,
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
                wait_until_ready(client)
                yield client
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def wait_until_ready(client: httpx.Client) -> None:
    """Wait until the server answers.

    Raises:
        TimeoutError: it does not answer in time.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if client.get("/readyz").status_code == 200:  # noqa: PLR2004 - OK
                return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise TimeoutError("the server does not start")


def probe(port: int, over: Event, results: "multiprocessing.Queue[list[float]]") -> None:
    """Send empty requests until the end; record the seconds of each response."""
    waits = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        while not over.is_set():
            began = time.perf_counter()
            connection.sendall(PROBE)
            answer = b""
            while not answer.endswith(b"}"):
                answer += connection.recv(4096)
            waits.append(time.perf_counter() - began)
            time.sleep(0.001)
    results.put(waits)


@contextmanager
def probing(port: int) -> Iterator[list[float]]:
    """Probe during the block; afterwards the list has the seconds of each response."""
    over = multiprocessing.Event()
    results: multiprocessing.Queue[list[float]] = multiprocessing.Queue()
    prober = multiprocessing.Process(target=probe, args=(port, over, results))
    prober.start()
    waits: list[float] = []
    try:
        yield waits
    finally:
        over.set()
        waits.extend(results.get(timeout=10))
        prober.join()


def describe(waits: list[float]) -> str:
    """Return the percentiles of waits in milliseconds."""
    ordered = sorted(wait * 1000 for wait in waits)
    p99 = ordered[int(len(ordered) * 0.99)]
    median = statistics.median(ordered)
    return f"probe median {median:.1f} ms, p99 {p99:.1f} ms, longest {ordered[-1]:.1f} ms"


def main() -> None:
    """Measure and print."""
    uploads = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with run_server(port) as client:
        account = client.post("/sandbox/accounts", json={}).json()
        token = client.get("/v1/misc/qiniu-token", headers={"token": account["token"]}).json()
        headers = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
        with probing(port) as waits:
            time.sleep(IDLE_SECONDS)
        sys.stdout.write(f"idle: {describe(waits)}\n")
        for kind, size in SIZES.items():
            data = make_picture(kind)
            form = make_form(token["data"]["token"], data)
            client.post("/media/upload", content=form, headers=headers).raise_for_status()
            took = []
            with probing(port) as waits:
                for _ in range(uploads):
                    began = time.perf_counter()
                    client.post("/media/upload", content=form, headers=headers).raise_for_status()
                    took.append((time.perf_counter() - began) * 1000)
            sys.stdout.write(
                f"{kind}, {len(data) / 1e6:.1f} MB, {size}: median "
                f"{statistics.median(took):.0f} ms, longest {max(took):.0f} ms; {describe(waits)}\n"
            )


if __name__ == "__main__":
    main()
