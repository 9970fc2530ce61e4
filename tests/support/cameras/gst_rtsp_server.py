"""A camera by other people: GStreamer's RTSP server, in the system's own Python. H.264, 320x240, 25 pictures a second.

    python gst_rtsp_server.py none|basic|digest

Prints its port, and serves `rtsp://127.0.0.1:port/live` to ann with the password s3cret until it is ended. Ends with
code 77 where GStreamer lacks what it needs.
"""

import sys
from typing import Any

try:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtsp", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtsp, GstRtspServer
except (ImportError, ValueError):
    sys.exit(77)

PICTURES = "videotestsrc is-live=1 ! video/x-raw,width=320,height=240,framerate=25/1"
NEEDED = ("videotestsrc", "x264enc", "rtph264pay")


def main() -> None:
    """Serve."""
    Gst.init(None)
    if not all(Gst.ElementFactory.find(name) for name in NEEDED):
        sys.exit(77)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(f"( {PICTURES} ! x264enc tune=zerolatency key-int-max=25 ! rtph264pay name=pay0 pt=96 )")
    factory.set_shared(True)
    if sys.argv[1] != "none":
        ask_for_a_password(server, factory, sys.argv[1])
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    sys.stdout.write(f"{server.get_bound_port()}\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


def ask_for_a_password(server: Any, factory: Any, scheme: str) -> None:
    """Let in ann alone; whoever has no role in the factory's permissions is refused, with any password."""
    auth, token, roles = GstRtspServer.RTSPAuth(), GstRtspServer.RTSPToken(), GstRtspServer.RTSPPermissions()
    token.set_string("media.factory.role", "viewer")
    if scheme == "basic":
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic("ann", "s3cret"), token)
    else:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest("ann", "s3cret", token)
    server.set_auth(auth)
    roles.add_role("viewer")
    for permission in ("media.factory.access", "media.factory.construct"):
        roles.add_permission_for_role("viewer", permission, True)
    factory.set_permissions(roles)


if __name__ == "__main__":
    main()
