"""The errors of this package; each message says what was expected and what to do."""


class ModelsError(Exception):
    """The root of this package's errors."""


class EncoderNotFoundError(ModelsError, FileNotFoundError):
    """No encoder where the setting points."""


class EncoderUnavailableError(ModelsError, RuntimeError):
    """The encoder fails on every text, a probe text included: a fault of the encoder, not of a text."""


class DeviceLostError(EncoderUnavailableError):
    """The device takes no calls from this process any more, as after a fault on a GPU: only another process can."""


class TextRejectedError(ModelsError, ValueError):
    """This text alone fails to encode while a probe text succeeds.

    Attributes:
        position: index of the offending text in the request that was refused.
    """

    def __init__(self, message: str, position: int = 0) -> None:
        super().__init__(message)
        self.position = position


class ArtefactError(ModelsError, ValueError):
    """A scorer artefact that is damaged, or made for other features, another encoder or another width."""


class InvalidInputError(ModelsError, ValueError):
    """Numbers handed to scoring, training or evaluation that do not fit: a wrong shape, or not finite."""


class EncoderLoadError(ModelsError, RuntimeError):
    """The encoder's files are there but cannot be used: damaged, incomplete, or not for this device."""


class DeviceError(EncoderLoadError):
    """There is no such device here."""


class PrecisionError(EncoderLoadError):
    """The device, or this kind of model, has no such precision."""


class BatcherOptionError(ModelsError, ValueError):
    """A limit of the micro-batcher under which no text could ever pass."""


class LabelTableError(ModelsError, ValueError):
    """A table of labels that cannot be read, names an unknown feature, or has a line that could never apply."""


class MissingLibraryError(ModelsError, ImportError):
    """A library that one of the extras brings is not installed."""
