-- Which read store this is: the prefix of what nodes keep of it elsewhere, so that two stores over one
-- log never take each other's generations for their own.
CREATE TABLE read_store (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id  BLOB    NOT NULL CHECK (length(id) = 16)
) STRICT;

INSERT INTO read_store VALUES (1, randomblob(16));
