"""Which module adds which commands: a command loads its module and no other, and starts quickly."""

from __future__ import annotations

from collections.abc import Mapping

# In the order of the help.
COMMAND_MODULES: Mapping[str, tuple[str, ...]] = {
    "gallery.index": ("index", "build"),
    "gallery.graph": ("graph",),
    "recognition.search": ("search",),
    "recognition.identify": ("identify",),
    "recognition.verify": ("verify",),
    "people.enroll": ("enroll",),
    "people.people": ("people",),
    "recognition.calibrate": ("calibrate",),
    "album.cluster": ("cluster", "report"),
    "gallery.inspect": ("info", "check"),
    "gallery.upgrade": ("upgrade",),
    "gallery.forget": ("forget",),
    "gallery.backup": ("export", "import"),
    "gallery.bucket": ("push", "pull"),
    "gallery.vectors": ("export-vectors", "import-vectors"),
    "gallery.encryption": ("encrypt", "decrypt", "change-key"),
    "encoders.listing": ("encoders",),
    "evaluate": ("evaluate",),
    "training.crops": ("crops",),
    "training.train": ("train",),
    "service.serve": ("serve",),
    "service.accounts": ("accounts",),
    "demo": ("demo",),
}


def modules_of(command: str | None) -> list[str]:
    """The names of the module that adds ``command``, and of all modules for any other word."""
    found = [module for module, commands in COMMAND_MODULES.items() if command in commands]
    return [f"facesearch.cli.{module}" for module in found or COMMAND_MODULES]
