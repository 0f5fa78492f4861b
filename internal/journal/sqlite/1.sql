-- The journal of Ebb, version 1. Times are UTC with nine decimals, so that they sort as text.
CREATE TABLE record (
  key     TEXT PRIMARY KEY,
  scope   TEXT NOT NULL,
  rev     INTEGER NOT NULL,
  open    INTEGER NOT NULL,
  body    BLOB,
  written INTEGER NOT NULL -- number of the write that stored it: orders records by age
) STRICT;
CREATE INDEX record_written ON record (open, written);
CREATE TABLE line (
  seq  INTEGER PRIMARY KEY AUTOINCREMENT,
  at   TEXT NOT NULL,
  key  TEXT NOT NULL,
  kind TEXT NOT NULL,
  text TEXT NOT NULL,
  data BLOB
) STRICT;
CREATE INDEX line_key ON line (key, seq);
