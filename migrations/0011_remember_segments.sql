-- Parts of texts that were processed lately, so that a copy which comes later, by this host or another, is
-- known and makes no text of its own.
CREATE TABLE segment_done (
    link_group   text NOT NULL,
    source       text NOT NULL,
    destination  text NOT NULL,
    reference    int NOT NULL,
    total        smallint NOT NULL,
    part         smallint NOT NULL,
    -- SHA-256 over what the part holds, first 16 bytes: a reference that is used anew holds something else.
    content      bytea NOT NULL CHECK (octet_length(content) = 16),
    done_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (link_group, source, destination, reference, total, part, content)
);
CREATE INDEX segment_done_at ON segment_done (done_at);

-- UPDATE is what locking a row asks for.
GRANT SELECT, INSERT, UPDATE, DELETE ON segment_done TO scrutineer_worker;
