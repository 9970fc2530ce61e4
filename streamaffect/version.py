"""The version of the software, as it stands in `meta` messages and in the keys of compiled engines."""

__version__ = "0.1.0"
SOFTWARE = f"streamaffect {__version__}"
