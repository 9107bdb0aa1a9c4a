"""What holds without a test of its own, and why: read by the page docs/security.md.

What each requirement says stands in docs/wire-rules.md; which test shows it, in the test's own
docstring, such as `(security C3)` or `(T6, R14 c)`. Only what no test can say stands here.
"""

# What must have a test or one of the reasons below: the core, and the faults to be survived.
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

_NO_CONSOLE = "there is no web console so far; operators work by the command line of the machine"
_NO_UPLOADS = "the server takes and serves no files; an avatar is an address elsewhere"
_NO_BACKUP = "there is no backup command so far"

# Applies to a part that is still to be built.
LATER = {
    "A5": "an account has no second factor that could be asked for",
    "U6": "no names are reserved so far",
    "Z4": f"{_NO_CONSOLE}. A fresh install has no account and so no credential",
    "Z5": _NO_CONSOLE,
    "Z6": f"{_NO_CONSOLE}. No command shows or sets a password or a token",
    "W1": _NO_CONSOLE,
    "W2": _NO_CONSOLE,
    "W3": _NO_CONSOLE,
    "W4": _NO_CONSOLE,
    "W6": "nothing is exported as CSV so far",
    "L6": _NO_BACKUP,
    "R20": _NO_BACKUP,
    "R25": "faults are put into real processes instead; a simulated world is still to be built",
    "R26": "measured by hand so far",
    "R28": "the load of R15 covers three times the peak; a storm after an outage is still to come",
}

# Asks for something that this server does not have on purpose.
NOT_HERE = {
    "U2": "the server fetches no address that a user gave, and has no import that could",
    "U3": _NO_UPLOADS,
    "U4": _NO_UPLOADS,
    "R18": "there is no shared cache: limits, codes and sessions lie in the store alone",
    "R19": "there are no replicas: whatever is read comes from the one store",
}

# What the tests of an id leave out.
REMARKS = {
    "R13": "upgrades without a pause wait for a second release",
    "Z1": "roles of operators come with their console",
    "C4": "there is no shared cache that could count apart",
    "P7": "the images of memory that a crash may leave are not looked at",
    "T9": "operators have no sessions so far, so there is one kind, and no route of theirs",
    "L9": "the public side is the front proxy's, see operations.md",
}

# Shown by tests that are still awaited; none before a release.
AWAITED: frozenset[str] = frozenset()
