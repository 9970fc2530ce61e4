"""Published evaluation protocols of relational regression, fold by fold."""
