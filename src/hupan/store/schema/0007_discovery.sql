-- Discovery: the categories, the groups that are listed in them, the bots that are recommended.
-- The list of groups comes in editions. An import writes a whole new one in small changes while the
-- old one is shown; a last change, of one row, shows the new one. docs/decisions/0007.

INSERT INTO counters (name, value) VALUES ('groups-shown', 0), ('groups-draft', 0);

-- None means the seven of the reference.
CREATE TABLE categories (
  name TEXT PRIMARY KEY,
  position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE listed_groups (
  edition INTEGER NOT NULL,
  id INTEGER NOT NULL,
  ban_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  introduction TEXT NOT NULL,
  avatar_url TEXT NOT NULL,
  headcount INTEGER NOT NULL CHECK (headcount >= 0),
  created_at INTEGER NOT NULL,
  category TEXT NOT NULL,
  is_featured INTEGER NOT NULL CHECK (is_featured IN (0, 1)),
  PRIMARY KEY (edition, id)
) STRICT, WITHOUT ROWID;

-- The order of an edition: rank 0 has the most members, equal ones go by id.
CREATE TABLE group_ranks (
  edition INTEGER NOT NULL,
  rank INTEGER NOT NULL,
  group_id INTEGER NOT NULL,
  PRIMARY KEY (edition, rank)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX group_ranks_by_group ON group_ranks (edition, group_id);

-- What is searched, apart from the groups so that looking at thousands reads little else: name and
-- introduction, folded, a line break between them.
CREATE TABLE group_texts (
  edition INTEGER NOT NULL,
  rank INTEGER NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (edition, rank)
) STRICT, WITHOUT ROWID;

-- Which of the 65,536 ranks of a block hold a gram: a character, a pair of neighbours, or a mark.
CREATE TABLE group_postings (
  edition INTEGER NOT NULL,
  block INTEGER NOT NULL,
  gram BLOB NOT NULL,
  members BLOB NOT NULL,
  PRIMARY KEY (edition, block, gram)
) STRICT, WITHOUT ROWID;

CREATE TABLE listed_bots (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  introduction TEXT NOT NULL,
  avatar_url TEXT NOT NULL,
  headcount INTEGER NOT NULL CHECK (headcount >= 0),
  may_add INTEGER NOT NULL CHECK (may_add IN (0, 1)),
  applies INTEGER NOT NULL CHECK (applies IN (0, 1)),
  always_agrees INTEGER NOT NULL CHECK (always_agrees IN (0, 1))
) STRICT;

CREATE INDEX listed_bots_by_headcount ON listed_bots (headcount DESC, id);
