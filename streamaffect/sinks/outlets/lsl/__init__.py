"""Outlets of Lab Streaming Layer: values by place of a face, at their capture times, and markers."""
