"""``serve``: answer over HTTP, and show the web application."""

from __future__ import annotations

import argparse
import logging
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facesearch.cli.engine_options import byte_size, positive_int

if TYPE_CHECKING:
    from facesearch.search.gallery_index import SearchOpener

_STATE = (
    "folder for accounts, jobs and choices (default: facesearch in $XDG_STATE_HOME, or in "
    "~/.local/state)"
)
EXTRA = "the service needs more packages; install them with: pip install 'facesearch[serve]'"


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "serve",
        help="serve galleries over HTTP, with a web application",
        description="Serve galleries over HTTP, with a web application, until it is interrupted. "
        "By default only this machine can reach it. Before others can, make an account: facesearch "
        "accounts add NAME --role administer.",
    )
    parser.add_argument(
        "galleries", nargs="*", type=Path, metavar="GALLERY", help="folder of a gallery"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: "
                        "127.0.0.1, which only this machine can reach)")  # fmt: skip
    parser.add_argument(
        "--port", type=_port, default=8484, help="port to listen at; 0 takes a free one "
        "(default: 8484)",
    )  # fmt: skip
    parser.add_argument(
        "--galleries-folder", type=Path, metavar="DIR", help="folder in which administrators may "
        "make galleries through the service; those made there are served again at the next start",
    )  # fmt: skip
    add_state(parser)
    behind = parser.add_argument_group("behind a reverse proxy")
    behind.add_argument(
        "--root-path", default="", type=_root_path, metavar="PATH", help="what the proxy puts "
        "before all addresses, such as /faces",
    )  # fmt: skip
    behind.add_argument(
        "--proxy", action="append", default=[], metavar="ADDRESS", help="address of a proxy whose "
        "forwarded headers are believed (default: 127.0.0.1)",
    )  # fmt: skip
    behind.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="name by which the "
        "service is called, besides those of this machine; * allows any",
    )  # fmt: skip
    security = parser.add_argument_group("https")
    security.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate chain, PEM")
    security.add_argument("--tls-key", type=Path, metavar="FILE", help="its key, PEM")
    work = parser.add_argument_group("work")
    work.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="device that runs the "
        "encoder (default: auto)",
    )  # fmt: skip
    work.add_argument(
        "--threads", type=positive_int, default=2, help="photos that are looked at at once "
        "(default: 2)",
    )  # fmt: skip
    work.add_argument(
        "--upload-limit", type=byte_size, default=256 << 20, metavar="SIZE", help="largest request "
        "(default: 256MiB)",
    )  # fmt: skip
    _add_cluster(parser)
    parser.set_defaults(run=run_serve)


def _add_cluster(parser: argparse.ArgumentParser) -> None:
    """Where faces are searched, if not in this process."""
    cluster = parser.add_argument_group(
        "galleries larger than one memory",
        "Vectors are held and searched by actors of a Ray cluster, whose machines must see the "
        "galleries' folders. Answers say which faces were not searched, where actors are lost.",
    )
    cluster.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="search on the Ray cluster at this address: host:port, auto, or local to start one "
        "here",
    )
    cluster.add_argument(
        "--cluster-parts", type=positive_int, metavar="N", help="parts that each gallery is cut "
        "into (default: one for each machine of the cluster)",
    )  # fmt: skip
    cluster.add_argument(
        "--cluster-replicas", type=positive_int, metavar="N", help="actors that hold the same "
        "part, so that one may be lost (default: 1)",
    )  # fmt: skip


def add_state(parser: argparse.ArgumentParser) -> None:
    """Add the option of where accounts and jobs are kept."""
    parser.add_argument("--state", type=Path, metavar="DIR", help=_STATE)


def run_serve(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    from facesearch.engine_options import EngineOptions
    from facesearch.errors import InputError
    from facesearch.images.remote.addresses import address_of, is_remote

    remote = next(filter(is_remote, args.galleries), None)
    if remote is not None:
        raise InputError(
            f"expected the folder of a gallery to serve, got the address {address_of(remote)}; "
            "fetch it with facesearch pull"
        )
    if (args.tls_cert is None) != (args.tls_key is None):
        raise InputError("expected both --tls-cert and --tls-key, got one of them; give both")
    try:
        from facesearch.service.face_service import FaceService
        from facesearch.service.options import ServiceOptions, default_state_folder
        from facesearch.service.server.http_server import serve
    except ModuleNotFoundError as error:
        raise InputError(EXTRA) from error
    if not args.verbose:
        logging.getLogger("facesearch.service").setLevel(logging.INFO)
    options = ServiceOptions(
        galleries=tuple(args.galleries),
        state=args.state or default_state_folder(),
        galleries_folder=args.galleries_folder and args.galleries_folder.absolute(),
        host=args.host,
        port=args.port,
        root_path=args.root_path,
        proxies=",".join(args.proxy) or "127.0.0.1",
        hosts=tuple(args.allow_host),
        certificate=args.tls_cert,
        key=args.tls_key,
        engine=EngineOptions(device=args.device),
        engine_threads=args.threads,
        upload_bytes=args.upload_limit,
    )
    with ExitStack() as stack:
        service = FaceService(options, open_search=_search_opener(args, stack))
        serve(options, service, ready=lambda address: print(address, file=sys.stderr))
    return 0


def _search_opener(args: argparse.Namespace, stack: ExitStack) -> SearchOpener | None:
    """What searches on the cluster that was asked for, until ``stack`` is closed; None for none."""
    from facesearch.distributed.ray_runtime import RayOptions, ray_cluster
    from facesearch.distributed.search.cluster_searches import ClusterSearches, cluster_machines
    from facesearch.distributed.search.scattered_gallery import ScatterOptions
    from facesearch.errors import InputError

    if args.cluster is None:
        if args.cluster_parts or args.cluster_replicas:
            raise InputError("expected --cluster ADDRESS with parts and replicas, got none")
        return None
    ray = stack.enter_context(ray_cluster(RayOptions(args.cluster)))
    parts = args.cluster_parts or max(1, cluster_machines(ray))
    searches = ClusterSearches(ray, ScatterOptions(parts, args.cluster_replicas or 1))
    stack.callback(searches.close)
    return searches.open


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) < 1 << 16:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")


def _root_path(text: str) -> str:
    path = text.rstrip("/")
    if path and (not path.startswith("/") or "//" in path or not path.isascii()):
        raise argparse.ArgumentTypeError(f"expected a path such as /faces, got {text!r}")
    return path
