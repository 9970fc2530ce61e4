"""Compound emotions by text (Richet et al., 2024): what is seen and heard as prompts, and a language model's class.

recipe → data, voices (tables of voices, from sound) → model, tiny_language_model, task → bundle → run
"""

from .model import TextClassifier

__all__ = ["TextClassifier"]
