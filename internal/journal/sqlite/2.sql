-- Version 2: which Ebb works for which scope, and what Ebbs heard for each other.
CREATE TABLE lease (
  scope  TEXT PRIMARY KEY,
  holder TEXT NOT NULL,
  fence  INTEGER NOT NULL,
  beat   INTEGER NOT NULL,
  lasts  INTEGER NOT NULL, -- nanoseconds
  at     TEXT NOT NULL
) STRICT;
CREATE TABLE note (
  seq   INTEGER PRIMARY KEY AUTOINCREMENT,
  scope TEXT NOT NULL,
  id    TEXT NOT NULL,
  body  TEXT NOT NULL,
  sent  TEXT NOT NULL,
  UNIQUE (scope, id)
) STRICT;
