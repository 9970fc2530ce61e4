"""Lenses: optional parts that read what a bundle's encoders compute anyway, and add outputs of their own."""
