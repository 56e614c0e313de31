-- A phone that asked for silence, or for messages again: of two commands the later one stands, whichever
-- host stores it first.

ALTER TABLE sender
    DROP COLUMN stopped_at,
    ADD stopped     boolean NOT NULL DEFAULT false,
    ADD changed_at  timestamptz NOT NULL DEFAULT now();
