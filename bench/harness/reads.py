"""Own info and get-user on SQLite, compared with a bare response and a bare look-up."""

from bench.harness.context import Context, bare_answers, get_users, lookups, own_infos
from bench.harness.report import Check, Part, row
from bench.harness.servers import bare, hupan

OWN, USER = "own info", "get-user"
BARE, UVICORN, LOOKUP = "bare answer", "bare answer, uvicorn itself", "bare SQLite look-up"


def reads(context: Context) -> Part:
    """Alternate five contestants on one core."""
    store = context.largest
    members = store.sample.members
    with (
        bare("answer") as answer,
        bare("uvicorn") as uvicorn,
        bare("sqlite", str(store.file)) as lookup,
        hupan(store.folder) as server,
    ):
        found = context.turns().take(
            [
                bare_answers(answer, BARE),
                bare_answers(uvicorn, UVICORN),
                lookups(lookup, members, LOOKUP),
                own_infos(server, members, OWN),
                get_users(server, members, USER),
            ]
        )
    limit = found[BARE]
    rows = [row(limit), *(row(found[name], limit) for name in (UVICORN, LOOKUP, OWN, USER))]
    of_limit = {one.name: one.of_limit for one in rows}
    return Part(
        rows,
        [
            Check("own info / bare answer", of_limit[OWN], 0.45, is_least=True, aim=0.55),
            Check("get-user / bare answer", of_limit[USER], 0.35, is_least=True, aim=0.45),
        ],
        notes=[
            (
                "The bare answer that the ratios refer to runs on Hupan's own HTTP server, the "
                "faster one; that of uvicorn with uvloop and httptools is listed next to it."
            ),
            ("Requests alternate between thousands of accounts, spread evenly over the database."),
            (
                "The bare look-up reads the same two rows with one statement of the standard "
                "library's sqlite3 and returns only the name; it verifies no page checksums."
            ),
        ],
    )
