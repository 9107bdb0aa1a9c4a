"""The pages of `hupan sandbox`: its messages, its accounts, how to reach it."""
