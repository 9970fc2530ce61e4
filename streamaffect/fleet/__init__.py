"""Past one process: groups of cameras, each in a supervised actor of Ray, joined into one feed.

Only `cluster` and `seats` import Ray, and only when a fleet starts; nothing outside this room does.
"""
