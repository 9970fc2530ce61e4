"""EmoCLIP (Foteinopoulou & Patras 2024): zero-shot classes by sentences."""
