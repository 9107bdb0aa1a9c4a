"""Password hashing."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2id(Argon2PasswordHasher):
    """Django's own hasher with other parameters."""

    time_cost = 2
    memory_cost = 19_456
    parallelism = 1
