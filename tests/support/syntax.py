"""The syntax of sources that several guards read, parsed once per process."""

import ast
from functools import cache


@cache
def nodes_of(source: str) -> tuple[ast.AST, ...]:
    """Return all nodes of a source, the module first."""
    return tuple(ast.walk(ast.parse(source)))
