-- What the filters of long lists are found by. Partitions have the indexes of their parent, without the
-- election, which is the same in all of a partition.

CREATE INDEX submission_observer ON submission (observer_id);
CREATE INDEX submission_station ON submission (station_id);
CREATE INDEX submission_prefix ON submission (prefix, last_received_at DESC, id);
-- States that are rare; the others are found soon on the index by time.
CREATE INDEX submission_broken ON submission (last_received_at DESC) WHERE broken_rules <> '{}';
CREATE INDEX submission_partial ON submission (last_received_at DESC) WHERE missing > 0;
CREATE INDEX submission_revised ON submission (last_received_at DESC) WHERE revisions > 1;
-- Any answer, by equality.
CREATE INDEX submission_answers ON submission USING gin (answers jsonb_path_ops);

-- Submissions of which a report came from a phone that isn't the observer's.
CREATE INDEX message_unverified ON message (election_id)
    WHERE reading @> '{"reports": [{"notes": [{"kind": "unverified_phone"}]}]}';
CREATE INDEX message_of_election ON message (election_id, received_at DESC, spool_id, sequence);
CREATE INDEX message_of_phone ON message (phone_id, received_at DESC, spool_id, sequence);
CREATE INDEX message_of_observer ON message (observer_id, received_at DESC, spool_id, sequence) WHERE observer_id IS NOT NULL;

-- The web's role reads no number; who is allowed to may look for one that they know in full.
CREATE FUNCTION phone_of_msisdn(wanted text) RETURNS bigint LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = public, pg_temp AS $$ SELECT id FROM phone WHERE msisdn = wanted $$;
REVOKE ALL ON FUNCTION phone_of_msisdn(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION phone_of_msisdn(text) TO scrutineer_web;
