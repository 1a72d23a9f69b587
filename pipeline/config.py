"""Every setting that changes what comes out, with its default. One frozen value, passed down."""

from pathlib import Path
from typing import NamedTuple

SHIPPED_MODEL = Path(__file__).parent / "model" / "shipped"


class Config(NamedTuple):
    """Settings of a run. A changed one reruns the stages that read it."""

    max_document_chars: int = 20_000_000
    """A longer record is rejected as `too_large`: beyond it a worker's memory is not bounded.
    20 million characters are 60 MB of Chinese in UTF-8, forty times 红楼梦."""

    text_field: str = ""
    """Field or column that holds the document, in formats that have several. Empty: the first
    there is of `readers.fields.TEXT_FIELDS`."""

    shard_chars: int = 4_000_000
    """A part is closed once its records hold this many characters (about 12 MB of UTF-8)."""

    keep_probability: float = 0.05
    """Flags less probable than this are not written."""

    flag_probability: float = 0.5
    """A flag counts (`n_flags`, `spin_rate`) from this probability on."""

    restore_probability: float = 0.8
    """`restored` replaces a span from this probability on."""

    model: str = str(SHIPPED_MODEL)
    """Directory of the detector's model. Its files' hashes, not its path, go into the stage key."""
