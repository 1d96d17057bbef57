"""The durable queue: deliveries, their states, retries and reports."""
