"""What goes over the wire: endpoints, messages, failures. Ships with the client."""
