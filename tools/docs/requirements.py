"""Requirements without a test and the reasons, for docs/security.md.

The wording of each requirement is in docs/wire-rules.md. The tests that cover it cite it in their
docstrings, such as `(security C3)` or `(T6, R14 c)`. This file has what no test can express.
"""

# What must have a test or one of the reasons below: the core, and the faults to survive.
CORE = (
    *(f"E{n}" for n in range(1, 6)),
    *(f"C{n}" for n in range(1, 14)),
    *(f"P{n}" for n in range(1, 8)),
    *(f"T{n}" for n in range(1, 10)),
    *(f"A{n}" for n in range(1, 5)),
    *(f"Z{n}" for n in range(1, 4)),
    *(f"I{n}" for n in range(1, 11)),
    *("U1", "U5", "U6", "U7", "U8"),
    *("L1", "L2", "L3", "L4", "L5", "L7", "L8", "L9"),
    *(f"R{n:02}" for n in (1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17, 21, 22, 23, 27)),
)

_NO_CONSOLE = "there is no web console yet; operators use the command line of the machine"

# Applies to a part that is not built yet.
LATER = {
    "A5": "accounts have no second factor yet",
    "U6": "no names are reserved yet",
    "Z4": f"{_NO_CONSOLE}. A fresh installation has no account and therefore no credential",
    "Z5": _NO_CONSOLE,
    "Z6": f"{_NO_CONSOLE}. No command shows or sets a password or a token",
    "W1": _NO_CONSOLE,
    "W2": _NO_CONSOLE,
    "W3": _NO_CONSOLE,
    "W4": _NO_CONSOLE,
    "W6": "there is no CSV export yet",
    "R25": "faults are injected into real processes instead; there is no simulated world yet",
    "R26": "measured by hand for now",
    "R28": "the load of R15 covers three times the peak, not reconnecting after an outage",
}

# Concerns something that this server deliberately does not have.
NOT_HERE = {
    "U2": "the server fetches no URL from a user, and has no import that could",
    "R18": "there is no shared cache: limits, codes and sessions are only in the database",
    "R19": "there are no replicas: all reads use the one database",
}

# What the tests of a requirement do not cover.
REMARKS = {
    "R13": "upgrades without downtime need a second release",
    "Z1": "operators' roles come with the console",
    "C4": "there is no shared cache that could count separately",
    "P7": "memory dumps that a crash may leave are not examined",
    "T9": "operators have no sessions yet, so there is one kind, and no route for them",
    "L9": "the public side is the proxy's, see operations.md",
}

# Requirements whose tests are still missing; none before a release.
AWAITED: frozenset[str] = frozenset()
