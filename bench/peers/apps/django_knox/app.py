"""An account server made of Django REST framework and knox, served by granian.

    python app.py fill COUNT PASSWORD | python app.py serve PORT

The store is store.db in the working directory.
"""

import json
import os
import sys
from pathlib import Path

import django
from django.apps import apps
from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels


def fill(count: int, password: str) -> None:
    """Create the store and accounts.json, with one session per account."""
    django.setup()
    users, tokens = apps.get_model("auth", "User").objects, apps.get_model("knox", "AuthToken")
    call_command("migrate", verbosity=0)
    hashed = make_password(password)
    emails = [f"bench-{n}@example.org" for n in range(count)]
    made = users.bulk_create(
        users.model(username=email, email=email, first_name=f"bench-{n}", password=hashed)
        for n, email in enumerate(emails)
    )
    accounts = [(str(u.pk), u.first_name, u.email, tokens.objects.create(u)[1]) for u in made]
    Path("accounts.json").write_text(json.dumps(accounts), "utf-8")


def serve(port: int) -> None:
    """Serve with one worker, as there is one core."""
    Granian(
        "wsgi:application",
        port=port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=1,
        log_level=LogLevels.warning,
        log_access=False,
    ).serve()


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
    if sys.argv[1] == "fill":
        fill(int(sys.argv[2]), sys.argv[3])
    else:
        serve(int(sys.argv[2]))
