"""The journal of the sandbox as text, for the report of a test."""

import json

from hupan_client import HupanError, Sandbox
from hupan_client.sandbox import JournalBody, JournalEntry

MAX_ENTRIES = 50
MAX_BODY_CHARACTERS = 400


def describe_requests(sandbox: object) -> str:
    """Return the requests and responses, the last at the end."""
    if not isinstance(sandbox, Sandbox):
        return ""
    try:
        entries = sandbox.requests.list()
    except (HupanError, RuntimeError) as error:  # RuntimeError: the test closed it
        return f"The journal cannot be read: {error}"
    if not entries:
        return "No client sent anything."
    left_out = len(entries) - MAX_ENTRIES
    lines = [f"({left_out} earlier ones)"] if left_out > 0 else []
    for entry in reversed(entries[:MAX_ENTRIES]):
        lines += describe_entry(entry)
    return "\n".join(lines)


def describe_entry(entry: JournalEntry) -> list[str]:
    """Return a line about an entry, and lines about its bodies and their problems."""
    outcome = entry.result
    if entry.refusal is not None:
        outcome = f"{entry.refusal.code} {entry.refusal.name}: {entry.refusal.message}"
    account = f" as {entry.account}" if entry.account else ""
    lines = [f"{entry.method} {entry.path}{account} → {entry.status} {outcome}"]
    for name, body in (("sent", entry.request), ("got", entry.response)):
        if body.size:
            lines.append(f"    {name} {_shorten(body)}")
        lines += [
            f"    {name} {field.path}: {field.mark} {field.note}".rstrip()
            for field in body.fields
            if field.mark != "ok"
        ]
    return lines


def _shorten(body: JournalBody) -> str:
    if body.problem or body.decoded is None:
        return f"{body.size} bytes of {body.form} {body.problem}".rstrip()
    text = json.dumps(body.decoded, ensure_ascii=False)
    return text if len(text) <= MAX_BODY_CHARACTERS else f"{text[:MAX_BODY_CHARACTERS]}…"
