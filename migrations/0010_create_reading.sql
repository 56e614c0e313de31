-- Texts read anew: by staff who corrected what was read, or after a checklist, the roster or a setting was mended.

-- What staff had read in a message's place, and what stood before. The message's bytes and text stay as they came.
CREATE TABLE reading (
    spool_id            int NOT NULL,
    sequence            bigint NOT NULL,
    -- 1, 2, 3 … a message.
    number              smallint NOT NULL CHECK (number > 0),
    -- Read in place of the text that came, from here on; NULL: the same text once more.
    text                text CHECK (length(text) BETWEEN 1 AND 10240),
    -- Staff let it pass: phone, code and pauses hold it back no more.
    vouched             boolean NOT NULL DEFAULT false,
    made_by             text NOT NULL,
    made_at             timestamptz NOT NULL DEFAULT now(),
    why                 text NOT NULL,
    request_id          bigint NOT NULL,
    -- As it stood before.
    outcome_before      text NOT NULL,
    election_before     int,
    observer_before     int,
    reading_before      jsonb,
    submissions_before  uuid[] NOT NULL,
    reply_before        uuid,
    -- What came of it.
    outcome             text NOT NULL,
    reply_id            uuid,
    PRIMARY KEY (spool_id, sequence, number)
);
GRANT SELECT, INSERT ON reading TO scrutineer_worker;
GRANT SELECT ON reading TO scrutineer_web;

ALTER TABLE revision
    -- The reading that made it; 0: the message as it came.
    ADD COLUMN reading smallint NOT NULL DEFAULT 0,
    ADD COLUMN made_by text,
    -- The reading that took its place: it stands in the history, and counts no more.
    ADD COLUMN superseded smallint,
    DROP CONSTRAINT revision_pkey,
    ADD PRIMARY KEY (election_id, submission_id, received_at, spool, sequence, place, reading);

-- A submission of which no report is left, as its message was another one's.
GRANT DELETE ON submission TO scrutineer_worker;
-- Parts of a text, to put it together anew.
CREATE INDEX message_whole ON message (whole_spool, whole_seq) WHERE whole_spool IS NOT NULL;
-- Requests of a page or person, the newest first.
CREATE INDEX request_made ON request (made_at DESC);
