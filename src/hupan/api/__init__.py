"""How the chat client talks to the server."""
