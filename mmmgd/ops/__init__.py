"""The fast path of the connector."""
