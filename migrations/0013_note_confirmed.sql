-- Up to which record of a run the SMSC is known to have our responses, a row a link: what lies behind it it may
-- deliver again, to another host if this one is gone.
CREATE TABLE confirmed (
    spool_id    int NOT NULL REFERENCES spool,
    link        text NOT NULL,
    sequence    bigint NOT NULL,
    -- When the host that has the link was heard of last.
    seen_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (spool_id, link)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON confirmed TO scrutineer_worker;
