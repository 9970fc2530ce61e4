"""Bundles and the engines that run them."""
