"""Cameras and streams at a host of the network: asked by sockets of our own, decoded by PyAV.

    address ─ resolver ─ lines ─ question ┬ rtsp: FFmpeg talks to it through a relay ┬ camera ─ pictures
                                          └ http: a reply's body is read by FFmpeg    ┘

- `address`:       an URL taken apart, and which other hosts it may lead to.
- `limits`:        how long each step of an attempt may take.
- `resolver`:      the addresses of a host's name, without waiting for a name server that hangs.
- `race`:          the first of them that takes a connection.
- `lines`:         connections on which every wait ends, by a limit or because somebody cuts them.
- `requests`, `heads`: what is sent, and the heads of replies, alike in RTSP and HTTP.
- `authorization`: answers a host that asks who one is.
- `question`:      one question to the host, through redirects and credentials; its errors say what is wrong.
- `body`:          what follows an HTTP reply's head, as a file; `playlists` opens what an HLS playlist lists.
- `relay`:         what FFmpeg asks in an RTSP camera's place, on the connection on which we have asked it.
- `rtsp`, `http`:  from an address to an open camera.
- `camera`:        pictures of an open container, live.
"""
