"""Load a file of ``facesearch export-vectors`` into PostgreSQL with pgvector, and search there.

    facesearch export-vectors my.gallery vectors.parquet
    python -m benchmarks.exchange.pgvector vectors.parquet postgresql://localhost/faces

Needs pyarrow and psycopg. Rows are copied by row groups, in one transaction: the table is whole or
not there. It prints the nearest faces of the first one, to be compared with ``facesearch search``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from pyarrow import parquet

_COLUMNS = ("root", "photo", "sha256", "taken_at", "box", "score", "quality", "person", "name")
_TYPES = ("text", "text", "text", "text", "real[]", "real", "real", "bigint", "text")


@dataclass(frozen=True)
class VectorTable:
    """A table of faces in a database."""

    connection: psycopg.Connection[Any]
    name: str

    @property
    def _named(self) -> sql.Identifier:
        return sql.Identifier(self.name)

    def load(self, path: Path) -> int:
        """Make the table from the Parquet file ``path``; returns how many rows it has."""
        file = parquet.ParquetFile(path)
        dimension = file.schema_arrow.field("vector").type.list_size
        columns = sql.SQL(", ").join(
            sql.SQL("{} " + kind).format(sql.Identifier(name))
            for name, kind in zip(_COLUMNS, _TYPES, strict=True)
        )
        make = sql.SQL("CREATE TABLE {} (id bigint PRIMARY KEY, embedding vector({}) NOT NULL, {})")
        names = sql.SQL(", ").join(map(sql.Identifier, ("id", "embedding", *_COLUMNS)))
        with self.connection.transaction(), self.connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS vector")
            cursor.execute(make.format(self._named, sql.Literal(dimension), columns))
            copying = sql.SQL("COPY {} ({}) FROM STDIN").format(self._named, names)
            with cursor.copy(copying) as copy:
                for batch in file.iter_batches(columns=["id", "vector", *_COLUMNS]):
                    for row in batch.to_pylist():
                        rest = [row[name] for name in _COLUMNS]
                        copy.write_row((row["id"], vector_text(row["vector"]), *rest))
            found = cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(self._named))
            return int(found.fetchone()[0])  # type: ignore[index]

    def nearest(self, vector: Sequence[float], k: int) -> list[tuple[int, float]]:
        """Ids and squared distances of the ``k`` nearest, exactly: no index is made."""
        ask = sql.SQL(
            "SELECT id, (embedding <-> {0}) ^ 2 FROM {1} ORDER BY embedding <-> {0}, id LIMIT {2}"
        ).format(
            sql.SQL("{}::vector").format(sql.Literal(vector_text(vector))),
            self._named,
            sql.Literal(k),
        )
        return [(int(face), float(each)) for face, each in self.connection.execute(ask)]

    def first(self) -> tuple[int, list[float]]:
        """Id and vector of the first face."""
        ask = sql.SQL("SELECT id, embedding::real[] FROM {} ORDER BY id LIMIT 1")
        row = self.connection.execute(ask.format(self._named)).fetchone()
        if row is None:
            raise SystemExit("the file has no faces")
        return int(row[0]), list(row[1])


def vector_text(vector: Sequence[float]) -> str:
    """A vector as pgvector reads it; no digit of a float32 is lost."""
    return f"[{','.join(map(repr, vector))}]"


def main() -> None:
    """Load, and print some neighbours."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument(
        "database", help="a connection string, such as postgresql://localhost/faces"
    )
    parser.add_argument("--table", default="faces")
    args = parser.parse_args()
    with psycopg.connect(args.database) as connection:
        table = VectorTable(connection, args.table)
        print(f"{table.load(args.file):,} rows in the table {args.table}")
        face, vector = table.first()
        for rank, (found, distance) in enumerate(table.nearest(vector, 5), 1):
            print(f"nearest to face {face}, rank {rank}: face {found}, {distance:.3f}")


if __name__ == "__main__":
    main()
