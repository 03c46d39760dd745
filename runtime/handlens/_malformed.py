"""Why a model's bytes are refused before a real parser sees them."""


class Malformed(ValueError):
    """The bytes are no well-formed, self-contained model; the text says where."""


class CutShort(Malformed):
    """Something points beyond the end of the bytes: the model was cut short (or an offset was changed)."""
