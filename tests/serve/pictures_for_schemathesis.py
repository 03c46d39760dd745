"""A hook of Schemathesis: what it sends where the API wants a picture; sometimes one with a face, sometimes not."""

import cv2
import schemathesis
import skimage.data
from hypothesis import strategies as st


def _encoded(kind: str, *images: object) -> bytes:
    return cv2.imencode(kind, cv2.cvtColor(cv2.hconcat(images), cv2.COLOR_RGB2BGR))[1].tobytes()


_ASTRONAUT, _CAT = skimage.data.astronaut()[20:276, 100:356], skimage.data.chelsea()
_PICTURES = (
    _encoded(".jpg", _ASTRONAUT),
    _encoded(".jpg", _ASTRONAUT, _ASTRONAUT),
    _encoded(".webp", _CAT),
    _encoded(".png", _ASTRONAUT[:64, :64]),
)

schemathesis.openapi.format(
    "binary",
    st.one_of(
        st.sampled_from(_PICTURES),
        st.sampled_from(_PICTURES).flatmap(lambda data: st.integers(1, len(data) - 1).map(lambda end: data[:end])),
        st.binary(max_size=200),
    ),
)
