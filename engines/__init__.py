"""Bundle → compiled engine. The shipped bundle lies in `default/`."""
