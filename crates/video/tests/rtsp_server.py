#!/usr/bin/python3
"""A camera for tests: rtsp_server.py PORT [USER PASSWORD] serves /live (endless), /lossy (every 50th RTP packet
is dropped: hardly a frame is whole), /drops (the same of a stream of fewer packets: most frames are whole), /end (100
frames, then it ends), /h265 and /mjpeg (endless), /grows (320x240, and 640x480 after three seconds), /swaps (H.264, and
after four seconds H.265 in the same session, untold; H.265 from then on) and /sound (no picture)."""
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer

Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(sys.argv[1])

VIDEO = (
    "videotestsrc is-live=true pattern=ball {extra} ! video/x-raw,width=320,height=240,framerate=25/1 "
    "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 bitrate={rate} ! rtph264pay pt=96 config-interval=1 {pay}"
)


def as_a_camera(media):
    """No camera goes back in time. The source of test pictures would: whoever comes second says PLAY from 0, the server
    takes it for a wish to seek, empties the pipeline that all share, and falls at an assertion of its own
    (gst_rtsp_media_get_rates) where the first packet after that is late."""

    def refuse(_, info):
        if info.type & Gst.PadProbeType.QUERY_BOTH:
            asked = info.get_query().type == Gst.QueryType.SEEKING
        else:
            asked = info.get_event().type == Gst.EventType.SEEK
        return Gst.PadProbeReturn.DROP if asked else Gst.PadProbeReturn.OK

    asking = Gst.PadProbeType.QUERY_UPSTREAM | Gst.PadProbeType.EVENT_UPSTREAM
    media.get_element().get_by_name("pay0").get_static_pad("src").add_probe(asking, refuse)


def factory(launch):
    made = GstRtspServer.RTSPMediaFactory()
    made.set_launch("( " + launch + " )")
    made.set_shared(True)
    made.connect("media-configure", lambda _, media: as_a_camera(media))
    return made


mounts = server.get_mount_points()
mounts.add_factory("/live", factory(VIDEO.format(extra="", rate=500, pay="name=pay0")))
mounts.add_factory("/end", factory(VIDEO.format(extra="num-buffers=100", rate=500, pay="name=pay0")))
# Bigger frames travel in several packets, so that losing one damages a frame.
lossy = VIDEO.format(extra="", rate=8000, pay="mtu=400 ! identity name=pay0 drop-probability=0.02")
mounts.add_factory("/lossy", factory(lossy.replace("pattern=ball", "pattern=snow")))

drops = VIDEO.format(extra="", rate=500, pay="mtu=400 ! identity name=pay0 drop-probability=0.02")
mounts.add_factory("/drops", factory(drops))

STILL = "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=25/1 ! "
H265 = (
    "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=25 bitrate=500 ! rtph265pay pt=96 config-interval=1"
)
mounts.add_factory(
    "/h265",
    factory(STILL + H265 + " name=pay0"),
)
mounts.add_factory("/mjpeg", factory(STILL + "jpegenc ! rtpjpegpay name=pay0 pt=26"))
mounts.add_factory("/sound", factory("audiotestsrc is-live=true ! alawenc ! rtppcmapay name=pay0 pt=8"))


def grow(media):
    caps = media.get_element().get_by_name("size")
    wider = Gst.Caps.from_string("video/x-raw,width=640,height=480,framerate=25/1")
    GLib.timeout_add_seconds(3, lambda: caps.set_property("caps", wider))


grows = factory(
    "videotestsrc is-live=true pattern=ball ! capsfilter name=size caps=video/x-raw,width=320,height=240,framerate=25/1 "
    "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 bitrate=500 "
    "! rtph264pay name=pay0 pt=96 config-interval=1"
)
grows.connect("media-configure", lambda _, media: grow(media))
mounts.add_factory("/grows", grows)


class Swapping(GstRtspServer.RTSPMediaFactory):
    """What a camera does whose user chooses another codec while it is being watched."""

    swapped = False

    def do_create_element(self, _):
        if self.swapped:
            return Gst.parse_launch("( " + STILL + H265 + " name=pay0 )")
        made = Gst.parse_launch(
            "( input-selector name=pay0 sync-streams=false " + STILL + "tee name=both "
            "both. ! queue ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 bitrate=500 "
            "! rtph264pay pt=96 config-interval=1 ! pay0.sink_0 both. ! queue ! " + H265 + " ! pay0.sink_1 )"
        )
        selector = made.get_by_name("pay0")
        selector.set_property("active-pad", selector.get_static_pad("sink_0"))

        def swap():
            self.swapped = True
            selector.set_property("active-pad", selector.get_static_pad("sink_1"))

        GLib.timeout_add_seconds(4, swap)
        return made


swaps = Swapping()
swaps.connect("media-configure", lambda _, media: as_a_camera(media))
mounts.add_factory("/swaps", swaps)

if len(sys.argv) > 2:
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(sys.argv[2], sys.argv[3]), token)
    server.set_auth(auth)
    for path in ("/live", "/end", "/lossy", "/drops", "/grows", "/swaps"):
        permissions = GstRtspServer.RTSPPermissions()
        for right in ("media.factory.access", "media.factory.construct"):
            permissions.add_permission_for_role("viewer", right, True)
        mounts.match(path)[0].set_permissions(permissions)

if server.attach(None) == 0:
    sys.exit("port in use")
print("ready", flush=True)
GLib.MainLoop().run()
