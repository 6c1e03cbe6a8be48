"""Whatever can go wrong: failing disks and servers, hostile files."""
