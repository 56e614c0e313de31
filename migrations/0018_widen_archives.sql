-- Archived elections have the filters, the incidents, the observers and the files that live ones have.

-- Incidents are few among many reports.
CREATE INDEX submission_incident ON submission (last_received_at DESC, id) WHERE kind = 'incident';

ALTER TABLE archive_submission
    ADD kind       text NOT NULL DEFAULT 'checklist',
    ADD observer   text NOT NULL DEFAULT '',
    ADD commented  boolean NOT NULL DEFAULT false,
    ADD at         timestamptz NOT NULL DEFAULT '-infinity',
    -- To be asked for any answer.
    ADD answers    jsonb NOT NULL DEFAULT '{}';
CREATE INDEX archive_submission_incident ON archive_submission (election_id, version, place) WHERE kind = 'incident';
CREATE INDEX archive_submission_observer ON archive_submission (election_id, version, observer);
CREATE INDEX archive_submission_areas ON archive_submission USING gin (areas);

-- Observers by code. Names and phones are not frozen: an archive is to be looked at, nobody is called by it.
CREATE TABLE archive_observer (
    election_id  int NOT NULL REFERENCES archive ON DELETE CASCADE,
    version      int NOT NULL,
    code         text NOT NULL,
    -- Codes of the station and all areas that it lies in.
    areas        text[] NOT NULL,
    expected     smallint NOT NULL,
    -- Prefixes of which nothing came, and of which something came that lacks answers.
    missing      text[] NOT NULL,
    partial      text[] NOT NULL,
    -- Compressed JSON.
    row          bytea NOT NULL,
    PRIMARY KEY (election_id, version, code)
);
GRANT SELECT ON archive_observer TO scrutineer_web;

-- Lists of one checklist go by an index in which nothing but it is found: by its own expression of the time, as
-- the planner would else take the index of all checklists and pass over all that is not asked for.
DROP INDEX submission_prefix;
CREATE INDEX submission_prefix ON submission (prefix, (last_received_at AT TIME ZONE 'UTC') DESC, id);
-- Who has reported what, without looking at the reports.
DROP INDEX submission_observer;
CREATE INDEX submission_observer ON submission (observer_id, prefix) INCLUDE (missing, election_id);
