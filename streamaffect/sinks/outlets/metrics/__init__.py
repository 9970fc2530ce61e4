"""Metrics for Prometheus over HTTP, with `/livez` and `/readyz`."""
