"""Which setting a flag stands for."""

import argparse

# Flag → section and key of the setting that it changes.
FLAG_SETTINGS = {
    "source": ("run", "sources"),
    "bundle": ("run", "bundle"),
    "realtime": ("run", "realtime"),
    "max_seconds": ("run", "max_seconds"),
    "analysis_fps": ("run", "analysis_fps"),
    "sound": ("source", "sound"),
    "sound_of": ("voice", "track"),
    "record": ("run", "record"),
    "overwrite": ("run", "overwrite"),
    "record_crops": ("run", "record_crops"),
    "keep_days": ("run", "keep_days"),
    "require_all": ("run", "require_all"),
    "engine": ("engine", "backend"),
    "lens": ("lens", "use"),
    "describe": ("describe", "enabled"),
    "transcript": ("describe", "transcripts"),
    "llm": ("describe", "llm"),
    "prompts": ("lens", "prompts"),
    "bind": ("feed", "bind"),
    "insecure_bind": ("feed", "insecure_bind"),
    "web": ("web", "bind"),
    "web_token": ("web", "token_file"),
    "web_video": ("web", "video"),
    "control": ("control", "bind"),
    "markers": ("control", "markers"),
    "baseline": ("baseline", "seconds"),
    "profile": ("baseline", "profile"),
    "lsl": ("lsl", "enabled"),
    "osc": ("osc", "address"),
    "mqtt": ("mqtt", "url"),
    "metrics": ("metrics", "bind"),
}


def given_settings(options: argparse.Namespace) -> dict[str, dict[str, object]]:
    """The settings that were given as flags, by section."""
    flags: dict[str, dict[str, object]] = {}
    for flag, (section, key) in FLAG_SETTINGS.items():
        value = getattr(options, flag, None)
        if value is not None:
            flags.setdefault(section, {})[key] = value
    return flags
