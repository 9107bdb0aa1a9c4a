"""Find the rows of a distributed database that a statement reads, from its text."""

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from hupan.store import citus
from hupan.store.tables import list_tables

SHARDS: Final = 32
"""The default number for a distributed table."""
REFERENCE: Final = re.compile(
    r"\b(FROM|JOIN|UPDATE|INTO|USING)\s+(?:ONLY\s+)?(\w+)(?:\s+(?:AS\s+)?(?!(?:ON|WHERE|SET|ORDER"
    r"|LEFT|RIGHT|FULL|INNER|CROSS|NATURAL|JOIN|LIMIT|GROUP|HAVING|WINDOW|VALUES|SELECT|DO|UNION|FROM"
    r"|USING|RETURNING|FOR|EXCEPT|INTERSECT|AS)\b)(\w+))?"
)
FROM_LIST: Final = re.compile(
    r"\b(?:FROM|USING) \w.*?(?=$| (?:WHERE|GROUP|ORDER|LIMIT|WINDOW|RETURNING|UNION|SET)\b)"
)
ARM: Final = re.compile(r"\b(?:UNION|EXCEPT|INTERSECT)\b")
NO_TEXT: Final = re.compile(r"'[^']*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
EQUAL: Final = re.compile(r"(?:(\w+)\.)?(\w+) = (\?\d+|'[^']*'|\w+\.\w+)(?! [-+])")
INSERT: Final = re.compile(r"INSERT INTO (\w+) \(([^)]*)\) (VALUES \(|SELECT )(.*)")
NEW: Final = "the new row"
KEYS: Final = {table.name: table.primary_key for table in list_tables()}


class Touch(NamedTuple):
    """A table in a statement, with its alias."""

    verb: str
    table: str
    alias: str


def flat(sql: str) -> str:
    """Return the statement in one line."""
    return re.sub(r"\s+", " ", sql).replace("( ", "(").strip()


def touches(sql: str) -> list[Touch]:
    """Return every distributed table in a statement, as often as it is named."""
    found = (Touch(verb, table, alias or table) for verb, table, alias in REFERENCE.findall(sql))
    return [one for one in found if one.table in KEYS and one.table not in citus.REFERENCE_TABLES]


def column(table: str) -> str:
    """Return the distribution column of a table."""
    name = citus.distribution_column(table)
    assert name is not None
    return name


def group(table: str) -> str:
    """Return the colocation group: all account tables together, each other table alone."""
    return citus.COLOCATION_TABLE if column(table) == "account_id" else table


def parts(text: str) -> list[str]:
    """Split at commas outside of brackets; stop at a closing bracket or at a keyword."""
    found, depth = [""], 0
    for letter in text:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth < 0:
            break
        if letter == "," and depth == 0:
            found.append("")
        else:
            found[-1] += letter
    return [re.split(r" (?:FROM|WHERE|ON CONFLICT)\b", part.strip())[0] for part in found]


def links(sql: str) -> Iterator[tuple[str, str]]:
    """Yield what the distribution columns of a statement equal: each other, or values."""
    named = {touch.alias: touch.table for touch in touches(sql)}
    for alias, name, value in EQUAL.findall(sql):
        for owner in [alias] if alias else named:
            if owner in named and column(named[owner]) == name:
                yield f"{owner}.{name}", value
    new = INSERT.match(sql)
    if new and new[1] in named:
        given = dict(zip(new[2].split(", "), parts(new[4]), strict=False))
        value = given.get(column(new[1]), "nothing")
        yield NEW, value
        yield from ((NEW, f"{one.alias}.{value}") for one in touches(sql) if one.verb != "INTO")


def values(sql: str) -> set[str]:
    """Return the values of the distribution columns, following joins; "" for one without any."""
    nodes = {f"{one.alias}.{column(one.table)}" for one in touches(sql) if one.verb != "INTO"}
    nodes |= {NEW for one in touches(sql) if one.verb == "INTO"}
    joined: list[set[str]] = [{node} for node in nodes]
    for one, other in links(sql):
        met = [those for those in joined if those & {one, other}]
        joined = [those for those in joined if those not in met] + [{one, other}.union(*met)]
    return {
        value
        for those in joined
        if those & nodes
        for value in [name for name in those if name.startswith(("?", "'"))] or [""]
    }


def nested(sql: str) -> list[tuple[str, int]]:
    """Return the statement without its subqueries, then each subquery, with its parent's index."""
    found, around, open_brackets = [""], [-1], [0]
    for index, letter in enumerate(sql):
        if letter == "(" and sql[index + 1 :].startswith("SELECT "):
            found[open_brackets[-1]] += "(…)"
            found.append("")
            around.append(open_brackets[-1])
            open_brackets.append(len(found) - 1)
            continue
        if letter == "(":
            open_brackets.append(open_brackets[-1])
        elif letter == ")":
            left = open_brackets.pop()
            if left != open_brackets[-1]:
                continue
        found[open_brackets[-1]] += letter
    return list(zip(found, around, strict=True))


def levels(sql: str) -> list[str]:
    """Return the statement without its subqueries, and each subquery without those within it."""
    return [text for text, _ in nested(sql)]


def crossing(statement: str) -> str:
    """Return why a statement would join rows of several nodes, or ""."""
    sql = flat(NO_TEXT.sub("''", statement))
    named = {name for name in KEYS if re.search(rf"(?<![\w.]){name}\b", sql)}
    if len({group(name) for name in named - citus.REFERENCE_TABLES}) > 1:
        return "tables that do not lie beside each other"
    known: list[dict[str, str]] = []
    equal: list[list[tuple[str, str]]] = []
    for text, parent in nested(sql):
        outer = known[parent] if parent >= 0 else {}
        known.append(dict(outer))
        equal.append(list(equal[parent]) if parent >= 0 else [])
        for arm in ARM.split(text):
            joined = FROM_LIST.sub(lambda found: found[0].replace(",", " JOIN"), arm)
            own = {one.alias: one.table for one in touches(joined) if one.verb != "INTO"}
            known[-1] |= own
            equal[-1] += equalities(own, joined)
            bound = {one for one in set(outer) - set(own) if re.search(rf"\b{one}\.", joined)}
            if bound and own and " LIMIT " in joined:
                return "a limit of what is bound to a row around it"
            if not are_tied({**{one: outer[one] for one in bound}, **own}, equal[-1]):
                return "a join by what its tables are not distributed by"
    return ""


def equalities(named: Mapping[str, str], sql: str) -> Iterator[tuple[str, str]]:
    """Yield equal columns by table name; a bare name may belong to each table that has it."""
    for alias, name, value in EQUAL.findall(sql):
        for owner in [alias] if alias else named:
            if alias or column(named[owner]) == name:
                yield f"{owner}.{name}", value


def are_tied(named: Mapping[str, str], equal: list[tuple[str, str]]) -> bool:
    """Return whether all tables have the same value of their distribution columns."""
    nodes = {f"{alias}.{column(table)}" for alias, table in named.items()}
    reached = set(list(nodes)[:1])
    while more := {one for pair in equal if reached & set(pair) for one in pair} - reached:
        reached |= more
    return nodes <= reached


def remote_statements(statement: str) -> int:
    """Return how many statements a coordinator sends to other nodes for this one.

    It is one if all tables have one value of their distribution columns; else one for each part,
    and one for each shard if a part has no value.
    """
    sql = flat(NO_TEXT.sub("''", statement))
    arms = [arm for level in levels(sql) for arm in ARM.split(level) if touches(arm)]
    bound = [values(arm) for arm in arms]
    if len({value for found in bound for value in found} - {""}) == 1 and all(
        found and "" not in found for found in bound
    ):
        return 1
    return sum(1 if len(found) == 1 and "" not in found else SHARDS for found in bound)
