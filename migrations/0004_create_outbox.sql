-- What goes out. A row is leased by a worker, handed to its gateway, and marked by the result.

CREATE TABLE outbox (
    -- A reply's id is made of the record that it answers, so that a replay makes the same one.
    id             uuid PRIMARY KEY,
    kind           text NOT NULL CHECK (kind IN ('reply', 'broadcast')),
    spool_id       int,
    sequence       bigint,
    phone_id       bigint NOT NULL,
    link_group     text NOT NULL,
    source         text NOT NULL,
    text           text NOT NULL,
    state          text NOT NULL CHECK (state IN ('due', 'leased', 'sent', 'delivered', 'undelivered', 'refused', 'unknown', 'expired', 'withheld')),
    attempt        smallint NOT NULL DEFAULT 1,
    -- Earlier attempts whose outcome is unknown: the observer may have got the text more than once.
    unknown_before smallint NOT NULL DEFAULT 0,
    due_at         timestamptz NOT NULL DEFAULT now(),
    expires_at     timestamptz NOT NULL,
    -- The worker that has it: the UUID of its spool, so that the same host takes its own up again.
    lease_spool    uuid,
    lease_until    timestamptz,
    -- The SMSC's id of the first segment; further segments stand in outbox_segment.
    message_id     text,
    error          text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    sent_at        timestamptz,
    receipt_at     timestamptz,
    receipt        text
) WITH (fillfactor = 70);
CREATE INDEX outbox_due ON outbox (due_at) WHERE state = 'due';
CREATE INDEX outbox_leased ON outbox (lease_until) WHERE state = 'leased';
CREATE INDEX outbox_message_id ON outbox (message_id) WHERE message_id IS NOT NULL;

CREATE TABLE outbox_segment (
    message_id  text NOT NULL,
    link_group  text NOT NULL,
    outbox_id   uuid NOT NULL REFERENCES outbox ON DELETE CASCADE,
    place       smallint NOT NULL,
    PRIMARY KEY (outbox_id, place)
);
CREATE INDEX outbox_segment_message_id ON outbox_segment (message_id);

-- Receipts that came before the response that names their id.
CREATE TABLE early_receipt (
    link_group   text NOT NULL,
    message_id   text NOT NULL,
    -- As in outbox.receipt.
    receipt      text NOT NULL,
    -- The phone that the receipt names, where it is known; ids that match only after mending need it.
    phone_id     bigint,
    received_at  timestamptz NOT NULL,
    PRIMARY KEY (link_group, message_id)
);
CREATE INDEX early_receipt_received ON early_receipt (received_at);
