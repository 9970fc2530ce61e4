"""What a person reads of engines: tables, plots and the facts of a report."""
