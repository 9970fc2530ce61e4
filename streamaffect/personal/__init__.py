"""Your own face: crops of one person that were recorded on request, and the personal lens that is learned from them.

crop_file (the recording) ← crop_recorder (from a run); crop_file → clips → adaptation, with sources → lens_file → lens
"""
