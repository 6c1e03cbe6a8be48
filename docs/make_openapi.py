"""Print the description of the service's addresses, as docs/openapi.json has it."""

from __future__ import annotations

import json

from facesearch.service.server.app import api_description


def description_text() -> str:
    """The file."""
    return json.dumps(api_description(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(description_text(), end="")
