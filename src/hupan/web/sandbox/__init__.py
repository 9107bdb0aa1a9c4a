"""The pages of `hupan sandbox`: what it sent, who is in it, how to reach it."""
