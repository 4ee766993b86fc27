"""The plain comment of a media file: the container's own, a GIF's or PNG's, or the description in a WebP's XMP."""

import re
from html import unescape
from pathlib import Path
from xml.sax.saxutils import escape

from PIL import Image

from magicpose_cli.core.confined import confined
from magicpose_cli.core.errors import InputError
from magicpose_cli.core.image_files import sniff
from magicpose_cli.video.source import open_media

_MOST = 2000  # characters
_MOST_XMP = 65_536  # bytes
_XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description><rdf:Alt>'
    '<rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></dc:description></rdf:Description></rdf:RDF></x:xmpmeta>'
)
_DESCRIPTION = re.compile(r"<dc:description>.*?<rdf:li[^>]*>(.*?)</rdf:li>", re.DOTALL)


def as_xmp(comment: str) -> bytes:
    """An XMP packet (ISO 16684-1) with the comment as its description."""
    return _XMP.format(escape(comment)).encode()


@confined()
def read_comment(path: Path) -> str:
    """The comment, or "" where there is none. Raises InputError on what is no media file."""
    if not sniff(path):
        with open_media(path) as container:
            found = {name.lower(): text for name, text in container.metadata.items()}
        return found.get("comment", "")[:_MOST]
    try:
        with Image.open(path) as image:
            kept = dict(image.info)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} is damaged: {error}", "copy or download it again") from None
    comment = kept.get("comment") or kept.get("Comment") or ""
    text = comment.decode(errors="replace") if isinstance(comment, bytes) else str(comment)
    xmp = kept.get("xmp", b"")
    if not text and isinstance(xmp, bytes):
        described = _DESCRIPTION.search(xmp[:_MOST_XMP].decode(errors="replace"))
        text = unescape(described[1]) if described else ""
    return text[:_MOST]
