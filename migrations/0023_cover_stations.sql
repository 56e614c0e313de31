-- What an area's stations have reported, and when first, is counted without looking at each of its submissions, which
-- lie scattered over the table.
DROP INDEX submission_station;
CREATE INDEX submission_station ON submission (station_id)
    INCLUDE (prefix, observer_id, missing, first_received_at, kind, election_id);
