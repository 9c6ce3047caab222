"""Results on their way out of a host."""

from __future__ import annotations

from dataclasses import replace

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.media.folder import SpoolFolder
from llamafarm_universal.messages import Answer, Blob, Finished, Preview
from llamafarm_universal.messages.blob import MAX_INLINE_BYTES


def spooled(event: Finished | Preview, blob: Blob, folder: SpoolFolder | None) -> Answer:
    """The same, with a large result as a file: engines need not know where such files lie."""
    if blob.data is None or blob.size <= MAX_INLINE_BYTES:
        return event
    try:
        if folder is None:
            raise RequestFailed("internal", f"A result of {blob.size:,} bytes has no folder to go to.")
        return replace(event, value=folder.keep(blob.data, blob.media_type))
    except RequestFailed as failure:
        return failure.event(event.request_id)
