"""Ask the service that runs for a gallery, if there is one: it has everything loaded already."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

# Larger files take so long that loading the engine does not matter; and the service refuses them.
_MOST_BYTES = 48 << 20
_SECONDS = 60.0


def ask_service(
    args: argparse.Namespace,
    question: str,
    photos: Mapping[str, Path],
    **query: Any,
) -> Any:
    """What the service of ``args.gallery`` answers about ``photos``, by the fields of a form.

    None where there is no service, where it has another engine than is asked for, and where it
    cannot answer: then the command does the work itself, and says what is wrong.
    """
    from facesearch.service.announcement import read_address

    if args.gallery is None or not _usual_engine(args):
        return None
    address = read_address(args.gallery)
    if address is None:
        return None
    from facesearch.service.transport import ServiceProblemError, ServiceTransport, UploadPart

    try:
        files = [UploadPart(field, path.name, _bytes(path)) for field, path in photos.items()]
        transport = ServiceTransport(address.url, address.token, _SECONDS)
        path = f"galleries/{address.gallery}/commands/{question}"
        return transport.send("POST", path, query=query, files=files).json()
    except (ServiceProblemError, OSError, ValueError) as error:
        logger.info("going on without the service: %s", error)
        return None


def _usual_engine(args: argparse.Namespace) -> bool:
    from facesearch.cli.engine_options import engine_options
    from facesearch.engine_options import DEFAULT_ENGINE

    device = getattr(args, "search_device", "auto")
    return engine_options(args) == DEFAULT_ENGINE and device == "auto"


def _bytes(photo: Path) -> bytes:
    from indexer.storage.plain_files import read_plain

    return read_plain(photo.resolve(), _MOST_BYTES)
