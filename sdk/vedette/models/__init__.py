"""Image in, value out: engine, contract and head put together."""
