"""Markers from other programs: Lab Streaming Layer, and lines over TCP on this machine."""
