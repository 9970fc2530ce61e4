"""What is known of a clip, as prompts for a language model."""
