-- Archived elections: their figures frozen, so that a page of one touches no live table.

-- One row an election that was archived, or is being archived.
CREATE TABLE archive (
    election_id  int PRIMARY KEY,
    slug         text NOT NULL UNIQUE,
    -- What is served; 0 while the first is being made.
    version      int NOT NULL DEFAULT 0,
    -- What is being made, and what the election held when that was begun.
    making       int,
    fingerprint  text,
    archived_at  timestamptz,
    -- The election, and its figures in the list of elections, as they were.
    election     jsonb,
    listed       jsonb
);

-- Figures: compressed JSON under its own SHA-256, so that what did not change between versions is kept once.
CREATE TABLE archive_blob (
    hash  bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    body  bytea NOT NULL
);
ALTER TABLE archive_blob ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE archive_figure (
    election_id  int NOT NULL REFERENCES archive ON DELETE CASCADE,
    version      int NOT NULL,
    -- Which figures, for example `questions/OP/R1`.
    key          text NOT NULL,
    hash         bytea NOT NULL REFERENCES archive_blob,
    PRIMARY KEY (election_id, version, key)
);
CREATE INDEX archive_figure_hash ON archive_figure (hash);

-- Submissions in the order of the list, the latest first.
CREATE TABLE archive_submission (
    election_id  int NOT NULL REFERENCES archive ON DELETE CASCADE,
    version      int NOT NULL,
    place        int NOT NULL,
    id           uuid NOT NULL,
    prefix       text NOT NULL,
    -- Codes of the station and all areas that it lies in.
    areas        text[] NOT NULL,
    missing      smallint NOT NULL,
    broken       boolean NOT NULL,
    revised      boolean NOT NULL,
    -- Its row in the list, and its answers and history: compressed JSON.
    row          bytea NOT NULL,
    detail       bytea NOT NULL,
    PRIMARY KEY (election_id, version, place)
);
CREATE INDEX archive_submission_id ON archive_submission (election_id, version, id);
CREATE INDEX archive_submission_prefix ON archive_submission (election_id, version, prefix, place);

GRANT SELECT ON archive, archive_blob, archive_figure, archive_submission TO scrutineer_web;

-- Figures of the overview, kept up to date by the statements that change what they count, so that it costs
-- the same whether an election has a thousand submissions or a million. Rows are divided into shards by the
-- connection that writes, so that lanes hardly ever wait for each other.

-- Submissions of the stations in an area of the lowest level; area 0: without a station.
CREATE TABLE tally (
    election_id  int NOT NULL,
    area_id      int NOT NULL,
    prefix       text NOT NULL,
    shard        smallint NOT NULL,
    kind         text NOT NULL,
    submissions  int NOT NULL,
    complete     int NOT NULL,
    broken       int NOT NULL,
    -- With a serial: an observer may have several, and counts once.
    serials      int NOT NULL,
    PRIMARY KEY (election_id, area_id, prefix, shard)
) WITH (fillfactor = 70);
-- First reports by five minutes.
CREATE TABLE tally_step (
    election_id  int NOT NULL,
    prefix       text NOT NULL,
    from_at      timestamptz NOT NULL,
    shard        smallint NOT NULL,
    reports      int NOT NULL,
    PRIMARY KEY (election_id, prefix, from_at, shard)
) WITH (fillfactor = 70);
CREATE TABLE tally_outcome (
    election_id  int NOT NULL,
    outcome      text NOT NULL,
    shard        smallint NOT NULL,
    messages     int NOT NULL,
    PRIMARY KEY (election_id, outcome, shard)
) WITH (fillfactor = 70);
CREATE TABLE tally_observer (
    election_id  int NOT NULL,
    area_id      int NOT NULL,
    observers    int NOT NULL,
    PRIMARY KEY (election_id, area_id)
);

CREATE FUNCTION tally_new_submissions() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    mine smallint := pg_backend_pid() & 15;
BEGIN
    INSERT INTO tally AS t (election_id, area_id, prefix, shard, kind, submissions, complete, broken, serials)
    SELECT n.election_id, coalesce(l.parent_id, l.id, 0), n.prefix, mine, min(n.kind), count(*),
        count(*) FILTER (WHERE n.missing = 0), count(*) FILTER (WHERE n.broken_rules <> '{}'), count(n.serial)
    FROM new_rows n LEFT JOIN location l ON l.id = n.station_id
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (election_id, area_id, prefix, shard) DO UPDATE SET submissions = t.submissions + excluded.submissions,
        complete = t.complete + excluded.complete, broken = t.broken + excluded.broken, serials = t.serials + excluded.serials;
    INSERT INTO tally_step AS t (election_id, prefix, from_at, shard, reports)
    SELECT election_id, prefix, date_bin('5 minutes', first_received_at, 'epoch'), mine, count(*)
    FROM new_rows WHERE kind = 'checklist' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (election_id, prefix, from_at, shard) DO UPDATE SET reports = t.reports + excluded.reports;
    RETURN NULL;
END
$$;

CREATE FUNCTION tally_changed_submissions() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    mine smallint := pg_backend_pid() & 15;
BEGIN
    INSERT INTO tally AS t (election_id, area_id, prefix, shard, kind, submissions, complete, broken, serials)
    SELECT n.election_id, coalesce(l.parent_id, l.id, 0), n.prefix, mine, min(n.kind), sum(n.sign),
        coalesce(sum(n.sign) FILTER (WHERE n.missing = 0), 0), coalesce(sum(n.sign) FILTER (WHERE n.broken), 0),
        coalesce(sum(n.sign) FILTER (WHERE n.serial IS NOT NULL), 0)
    FROM (SELECT 1 AS sign, election_id, station_id, prefix, kind, missing, broken_rules <> '{}' AS broken, serial FROM new_rows
          UNION ALL
          SELECT -1, election_id, station_id, prefix, kind, missing, broken_rules <> '{}', serial FROM old_rows) n
    LEFT JOIN location l ON l.id = n.station_id
    GROUP BY 1, 2, 3
    HAVING sum(n.sign) <> 0 OR sum(n.sign) FILTER (WHERE n.missing = 0) <> 0 OR sum(n.sign) FILTER (WHERE n.broken) <> 0
        OR sum(n.sign) FILTER (WHERE n.serial IS NOT NULL) <> 0
    ORDER BY 1, 2, 3
    ON CONFLICT (election_id, area_id, prefix, shard) DO UPDATE SET submissions = t.submissions + excluded.submissions,
        complete = t.complete + excluded.complete, broken = t.broken + excluded.broken, serials = t.serials + excluded.serials;
    INSERT INTO tally_step AS t (election_id, prefix, from_at, shard, reports)
    SELECT election_id, prefix, from_at, mine, sum(sign)
    FROM (SELECT 1 AS sign, election_id, prefix, kind, date_bin('5 minutes', first_received_at, 'epoch') AS from_at FROM new_rows
          UNION ALL
          SELECT -1, election_id, prefix, kind, date_bin('5 minutes', first_received_at, 'epoch') FROM old_rows) n
    WHERE kind = 'checklist' GROUP BY 1, 2, 3 HAVING sum(sign) <> 0 ORDER BY 1, 2, 3
    ON CONFLICT (election_id, prefix, from_at, shard) DO UPDATE SET reports = t.reports + excluded.reports;
    RETURN NULL;
END
$$;

CREATE FUNCTION tally_gone_submissions() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    mine smallint := pg_backend_pid() & 15;
BEGIN
    INSERT INTO tally AS t (election_id, area_id, prefix, shard, kind, submissions, complete, broken, serials)
    SELECT n.election_id, coalesce(l.parent_id, l.id, 0), n.prefix, mine, min(n.kind), -count(*),
        -count(*) FILTER (WHERE n.missing = 0), -count(*) FILTER (WHERE n.broken_rules <> '{}'), -count(n.serial)
    FROM old_rows n LEFT JOIN location l ON l.id = n.station_id
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (election_id, area_id, prefix, shard) DO UPDATE SET submissions = t.submissions + excluded.submissions,
        complete = t.complete + excluded.complete, broken = t.broken + excluded.broken, serials = t.serials + excluded.serials;
    INSERT INTO tally_step AS t (election_id, prefix, from_at, shard, reports)
    SELECT election_id, prefix, date_bin('5 minutes', first_received_at, 'epoch'), mine, -count(*)
    FROM old_rows WHERE kind = 'checklist' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (election_id, prefix, from_at, shard) DO UPDATE SET reports = t.reports + excluded.reports;
    RETURN NULL;
END
$$;

CREATE TRIGGER submission_new AFTER INSERT ON submission REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION tally_new_submissions();
CREATE TRIGGER submission_changed AFTER UPDATE ON submission REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION tally_changed_submissions();
CREATE TRIGGER submission_gone AFTER DELETE ON submission REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION tally_gone_submissions();

CREATE FUNCTION tally_new_messages() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO tally_outcome AS t (election_id, outcome, shard, messages)
    SELECT election_id, outcome, pg_backend_pid() & 15, count(*) FROM new_rows WHERE election_id IS NOT NULL
    GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (election_id, outcome, shard) DO UPDATE SET messages = t.messages + excluded.messages;
    RETURN NULL;
END
$$;
CREATE FUNCTION tally_changed_messages() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO tally_outcome AS t (election_id, outcome, shard, messages)
    SELECT election_id, outcome, pg_backend_pid() & 15, sum(sign)
    FROM (SELECT 1 AS sign, election_id, outcome FROM new_rows UNION ALL SELECT -1, election_id, outcome FROM old_rows) n
    WHERE election_id IS NOT NULL GROUP BY 1, 2 HAVING sum(sign) <> 0 ORDER BY 1, 2
    ON CONFLICT (election_id, outcome, shard) DO UPDATE SET messages = t.messages + excluded.messages;
    RETURN NULL;
END
$$;
CREATE FUNCTION tally_gone_messages() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO tally_outcome AS t (election_id, outcome, shard, messages)
    SELECT election_id, outcome, pg_backend_pid() & 15, -count(*) FROM old_rows WHERE election_id IS NOT NULL
    GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (election_id, outcome, shard) DO UPDATE SET messages = t.messages + excluded.messages;
    RETURN NULL;
END
$$;
CREATE TRIGGER message_new AFTER INSERT ON message REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION tally_new_messages();
CREATE TRIGGER message_changed AFTER UPDATE ON message REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION tally_changed_messages();
CREATE TRIGGER message_gone AFTER DELETE ON message REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION tally_gone_messages();

-- Counts an election's areas anew: its hierarchy or its observers' places have changed. The lock waits for
-- transactions that have counted already, and lets none count before the commit.
CREATE FUNCTION tally_areas_anew(elections int[]) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    LOCK TABLE tally IN EXCLUSIVE MODE;
    DELETE FROM tally WHERE election_id = ANY (elections);
    INSERT INTO tally (election_id, area_id, prefix, shard, kind, submissions, complete, broken, serials)
    SELECT n.election_id, coalesce(l.parent_id, l.id, 0), n.prefix, 0, min(n.kind), count(*),
        count(*) FILTER (WHERE n.missing = 0), count(*) FILTER (WHERE n.broken_rules <> '{}'), count(n.serial)
    FROM submission n LEFT JOIN location l ON l.id = n.station_id WHERE n.election_id = ANY (elections)
    GROUP BY 1, 2, 3;
END
$$;
CREATE FUNCTION tally_observers_anew(elections int[]) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    LOCK TABLE tally_observer IN EXCLUSIVE MODE;
    DELETE FROM tally_observer WHERE election_id = ANY (elections);
    INSERT INTO tally_observer (election_id, area_id, observers)
    SELECT o.election_id, coalesce(l.parent_id, l.id, 0), count(*)
    FROM observer o LEFT JOIN location l ON l.id = o.station_id WHERE o.election_id = ANY (elections) GROUP BY 1, 2;
END
$$;
CREATE FUNCTION tally_new_observers() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO tally_observer AS t (election_id, area_id, observers)
    SELECT o.election_id, coalesce(l.parent_id, l.id, 0), count(*)
    FROM new_rows o LEFT JOIN location l ON l.id = o.station_id GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (election_id, area_id) DO UPDATE SET observers = t.observers + excluded.observers;
    RETURN NULL;
END
$$;
CREATE FUNCTION tally_changed_observers() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO tally_observer AS t (election_id, area_id, observers)
    SELECT o.election_id, coalesce(l.parent_id, l.id, 0), sum(o.sign)
    FROM (SELECT 1 AS sign, election_id, station_id FROM new_rows UNION ALL SELECT -1, election_id, station_id FROM old_rows) o
    LEFT JOIN location l ON l.id = o.station_id GROUP BY 1, 2 HAVING sum(o.sign) <> 0 ORDER BY 1, 2
    ON CONFLICT (election_id, area_id) DO UPDATE SET observers = t.observers + excluded.observers;
    RETURN NULL;
END
$$;
CREATE FUNCTION tally_gone_observers() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO tally_observer AS t (election_id, area_id, observers)
    SELECT o.election_id, coalesce(l.parent_id, l.id, 0), -count(*)
    FROM old_rows o LEFT JOIN location l ON l.id = o.station_id GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (election_id, area_id) DO UPDATE SET observers = t.observers + excluded.observers;
    RETURN NULL;
END
$$;
CREATE TRIGGER observer_new AFTER INSERT ON observer REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION tally_new_observers();
CREATE TRIGGER observer_moved AFTER UPDATE ON observer REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION tally_changed_observers();
CREATE TRIGGER observer_gone AFTER DELETE ON observer REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION tally_gone_observers();

CREATE FUNCTION tally_moved_locations() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    moved int[];
BEGIN
    SELECT array_agg(DISTINCT n.election_id) INTO moved
    FROM new_rows n JOIN old_rows o ON o.id = n.id WHERE n.parent_id IS DISTINCT FROM o.parent_id;
    IF moved IS NOT NULL THEN
        PERFORM tally_areas_anew(moved);
        PERFORM tally_observers_anew(moved);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER location_moved AFTER UPDATE ON location REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION tally_moved_locations();

SELECT tally_areas_anew(array_agg(id)), tally_observers_anew(array_agg(id)) FROM election;
INSERT INTO tally_step (election_id, prefix, from_at, shard, reports)
SELECT election_id, prefix, date_bin('5 minutes', first_received_at, 'epoch'), 0, count(*)
FROM submission WHERE kind = 'checklist' GROUP BY 1, 2, 3;
INSERT INTO tally_outcome (election_id, outcome, shard, messages)
SELECT election_id, outcome, 0, count(*) FROM message WHERE election_id IS NOT NULL GROUP BY 1, 2;

-- Areas, without the many stations.
CREATE INDEX location_area ON location (election_id, depth) WHERE NOT is_station;
GRANT SELECT ON tally, tally_step, tally_outcome, tally_observer TO scrutineer_web;
REVOKE EXECUTE ON FUNCTION tally_areas_anew(int[]), tally_observers_anew(int[]) FROM PUBLIC;
