"""The type of a field declares a secret, so the inventory of secrets needs no names.

The story: fields were found by name. Then one was named `proof`.
"""

from hupan.contract import ENDPOINTS
from hupan.contract.fields import secret_fields


def test_each_line_names_the_fields_of_a_secret_type() -> None:
    """`secrets` of a row are exactly the fields with a secret type (security E5)."""
    found = {line.path: set(secret_fields(line.request)) for line in ENDPOINTS}
    assert found == {line.path: set(line.secrets) for line in ENDPOINTS}, (
        "`secrets` of a line are its fields with a secret type of contract/fields.py"
    )


def test_an_endpoint_with_secrets_is_audited() -> None:
    """Only audited requests pass the attempt limiter, so each of these is (security E5, L2)."""
    assert [line.path for line in ENDPOINTS if line.secrets and not line.event] == [], (
        "give the line an audit event: `event=AuditEvent(…)`"
    )
    assert [
        line.path for line in ENDPOINTS if line.limit == "sent_codes" and not line.secrets
    ] == []
