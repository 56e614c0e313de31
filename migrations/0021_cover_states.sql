-- Lists of what is in a rare state: what else may be asked for stands in the index, so that all of them are judged
-- without looking at the submissions, which lie scattered over the table.
DROP INDEX submission_broken;
DROP INDEX submission_partial;
DROP INDEX submission_revised;
CREATE INDEX submission_broken ON submission (last_received_at DESC, id)
    INCLUDE (prefix, station_id, observer_id, missing, revisions, election_id) WHERE broken_rules <> '{}';
CREATE INDEX submission_partial ON submission (last_received_at DESC, id)
    INCLUDE (prefix, station_id, observer_id, missing, revisions, election_id) WHERE missing > 0;
CREATE INDEX submission_revised ON submission (last_received_at DESC, id)
    INCLUDE (prefix, station_id, observer_id, missing, revisions, election_id) WHERE revisions > 1;

-- What was not understood, without what was recorded in part and left nothing over: to be counted and listed without
-- looking at each that was recorded in part.
CREATE INDEX message_misread ON message (outcome, received_at DESC, spool_id, sequence) INCLUDE (election_id)
    WHERE outcome NOT IN ('accepted', 'corrected', 'segment')
      AND (outcome <> 'partial' OR reading ? 'leftover' OR jsonb_path_exists(reading, '$.reports[*].leftover ? (@ != "")'));
