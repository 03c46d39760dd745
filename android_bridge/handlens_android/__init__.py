"""The Python half of the Android bridge: puts artifacts and the Kotlin library into one Android archive (AAR).

    from handlens_android import build_aar

    built = build_aar(["face-detector.tflite"], "handlens.aar", accept_licence=True)

It imports `handlens` alone; neither Java nor Android's tools are needed to run it.
"""

from handlens_android.aar import Asset, Built, build_aar
from handlens_android.licences import is_open
from handlens_android.repository import publish

__all__ = ["Asset", "Built", "build_aar", "is_open", "publish"]
