"""Looking for faces less often than in every frame: `cadence` says when, `patch` follows them in between."""
