"""How codes and notices leave the server: console, SMTP, HTTP gateway."""
