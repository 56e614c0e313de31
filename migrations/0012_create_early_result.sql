-- Acceptances of replies that have no row (yet): the database lost its last commits, another host had sent the
-- reply, and its result came before the message was stored anew. Whoever stores the reply finds it sent.
CREATE TABLE early_result (
    -- Of the row in outbox.
    id          uuid PRIMARY KEY,
    attempt     smallint NOT NULL CHECK (attempt BETWEEN 1 AND 2),
    -- The SMSC's id of the first segment.
    message_id  text,
    sent_at     timestamptz NOT NULL
);

GRANT SELECT, INSERT, DELETE ON early_result TO scrutineer_worker;
