"""The extra routes of `hupan sandbox`: outbox, accounts, reset, clock."""
