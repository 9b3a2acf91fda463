-- Which read store this is: the prefix of what nodes keep of it elsewhere, so that two stores over one
-- log never take each other's generations for their own.
CREATE TABLE read_store (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    id  uuid    NOT NULL DEFAULT gen_random_uuid()
);

INSERT INTO read_store DEFAULT VALUES;
