"""Relational regression with context attention (Foteinopoulou & Patras 2022): the default model."""
