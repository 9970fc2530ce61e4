"""The lens `mesh`: what MediaPipe's face landmarker sees, beside the estimates and as their reference.

landmarker (the file, and one call) → pose (a rotation as angles) → lens (what is published of it)
"""
