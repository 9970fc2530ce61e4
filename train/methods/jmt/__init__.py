"""The joint multimodal transformer (Waligora et al. 2024)."""
