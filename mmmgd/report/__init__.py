"""Facts and warnings about a run before it trains."""
