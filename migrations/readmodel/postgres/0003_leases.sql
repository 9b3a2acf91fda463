-- Which worker does what. Judged by this server's clock alone; a row stays for its number.
CREATE TABLE leases (
    name   text PRIMARY KEY,
    holder text NOT NULL,
    until  timestamptz NOT NULL,
    fence  bigint NOT NULL
);
