"""Ask the service that runs for a gallery, if there is one: it has everything loaded already."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facesearch.service.announcement import ServiceAddress
    from facesearch.service.transport import ServiceTransport

logger = logging.getLogger(__name__)

# Larger files take so long that loading the engine does not matter; and the service refuses them.
_MOST_BYTES = 48 << 20
_SECONDS = 60.0
_INTERNAL_ERROR = 500  # after any other problem nothing was done


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
    if args.gallery is None or not has_usual_engine(args):
        return None
    address = service_address(args.gallery)
    if address is None:
        return None
    from facesearch.service.transport import ServiceProblemError, UploadPart

    try:
        files = [UploadPart(field, path.name, photo_bytes(path)) for field, path in photos.items()]
        path = f"galleries/{address.gallery}/commands/{question}"
        return transport_to(address).send("POST", path, query=query, files=files).json()
    except (ServiceProblemError, OSError, ValueError) as error:
        logger.info("going on without the service: %s", error)
        return None


def ask_about_people(gallery: Path, question: str, **body: Any) -> Any:
    """What the service of ``gallery`` answers to a question about people; None as with
    :func:`ask_service`."""
    address = service_address(gallery)
    if address is None:
        return None
    from facesearch.service.transport import ServiceProblemError

    try:
        return transport_to(address).send("POST", _people(address, question), body=body).json()
    except (ServiceProblemError, OSError, ValueError) as error:
        logger.info("going on without the service: %s", error)
        return None


def decide_by_service(gallery: Path, question: str, **body: Any) -> Any:
    """What the service of ``gallery`` says of a decision that it entered.

    None where there is no service and where it entered nothing: then the command decides itself, or
    says why not. Raises FacesearchError where nobody can tell whether it was entered.
    """
    address = service_address(gallery)
    if address is None:
        return None
    from facesearch.errors import FacesearchError
    from facesearch.service.transport import ServiceProblemError

    transport = transport_to(address)
    try:
        transport.connect()
    except OSError as error:
        logger.info("going on without the service: %s", error)
        return None
    try:
        path = _people(address, question)
        return transport.send("POST", path, body=body, again=False).json()
    except (ServiceProblemError, OSError, ValueError) as error:
        if isinstance(error, ServiceProblemError) and error.status != _INTERNAL_ERROR:
            logger.info("going on without the service: %s", error)
            return None
        raise FacesearchError(
            f"the service of {gallery} did not say whether it entered the decision ({error}); look "
            f"with: facesearch people history {gallery}"
        ) from error


def service_address(gallery: Path) -> ServiceAddress | None:
    """Where the service of ``gallery`` says that it answers; None where there is none."""
    from facesearch.service.announcement import read_address

    return read_address(gallery)


def transport_to(address: ServiceAddress) -> ServiceTransport:
    """A connection to it, as whoever runs the command."""
    from facesearch.service.transport import ServiceTransport

    return ServiceTransport(address.url, address.token, _SECONDS)


def _people(address: ServiceAddress, question: str) -> str:
    return f"galleries/{address.gallery}/commands/people/{question}"


def has_usual_engine(args: argparse.Namespace) -> bool:
    """Whether the command asks for the engine that a service has."""
    from facesearch.cli.engine_options import engine_options
    from facesearch.engine_options import DEFAULT_ENGINE

    device = getattr(args, "search_device", "auto")
    return engine_options(args) == DEFAULT_ENGINE and device == "auto"


def photo_bytes(photo: Path) -> bytes:
    """What is sent of a photo; raises OSError for one that is too large, and for no plain file."""
    from indexer.storage.plain_files import read_plain

    return read_plain(photo.resolve(), _MOST_BYTES)
