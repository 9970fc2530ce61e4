"""Outlets beside the feed: Lab Streaming Layer, Open Sound Control, MQTT, Prometheus; each is a sink of its own."""
