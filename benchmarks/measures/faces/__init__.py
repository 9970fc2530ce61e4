"""Cuts and turned faces: made-up streams of real faces, and how often they are mistaken."""
