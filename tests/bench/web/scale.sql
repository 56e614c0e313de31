-- An election of any size, made by row numbers, the same each time: {observers} observers (five a
-- station, in {districts} districts, five a region), each of whom reported once to each of four checklists of
-- eleven questions, by a text of its own that was answered. Of a hundred reports two lack an answer,
-- one breaks a rule, five have a comment and three were corrected. One observer of fifty reported an
-- incident besides. Election {election}, `{slug}`.

CREATE FUNCTION pg_temp.dice(seed bigint, sides int) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$ SELECT (abs(hashint8(seed)::bigint) % sides)::int $$;

INSERT INTO election (id, slug, name, state, timezone, language, opened_at)
VALUES ({election}, '{slug}', 'An election of {observers} observers', 'open', 'Africa/Nairobi', 'en', '2026-02-20 17:00Z');

INSERT INTO location (id, election_id, level, depth, code, name, path)
SELECT {base} + r, {election}, 'region', 0, 'R' || r, 'Region ' || r, ARRAY[{base} + r] FROM generate_series(1, {districts} / 5) r;
INSERT INTO location (id, election_id, parent_id, level, depth, code, name, path)
SELECT {base} + 100 + d, {election}, {base} + (d - 1) / 5 + 1, 'district', 1, 'D' || d, 'District ' || d,
    ARRAY[{base} + (d - 1) / 5 + 1, {base} + 100 + d]
FROM generate_series(1, {districts}) d;
INSERT INTO location (id, election_id, parent_id, level, depth, code, name, registered_voters, is_station, path)
SELECT {base} + 1000 + s, {election}, {base} + 101 + s % {districts}, 'station', 2, 'PS' || s, 'Primary school ' || s,
    200 + pg_temp.dice(s, 900), true, ARRAY[{base} + s % {districts} / 5 + 1, {base} + 101 + s % {districts}, {base} + 1000 + s]
FROM generate_series(1, greatest({observers} / 5, 1)) s;

INSERT INTO observer (id, election_id, code, station_id)
SELECT {base} + o, {election}, (100000 + o)::text, {base} + 1000 + 1 + (o - 1) / 5 FROM generate_series(1, {observers}) o;
INSERT INTO phone (id, msisdn) SELECT {base} + o, '254' || ({base}::bigint + 100000000 + o) FROM generate_series(1, {observers}) o;
INSERT INTO observer_phone (observer_id, phone_id) SELECT id, id FROM observer WHERE election_id = {election};
INSERT INTO observer_person (observer_id, name) SELECT id, 'Observer Number ' || code FROM observer WHERE election_id = {election};

-- AA and AB yes or no, AC and AD one of four, AE to AG counts, AH several of five, AI a time, AJ yes or no, AK a flag.
INSERT INTO checklist (id, election_id, prefix, kind, state, title, definition)
SELECT {base} + n, {election}, prefix, 'checklist', 'live', d -> 'title', d
FROM (SELECT n, prefix, jsonb_build_object('prefix', prefix, 'kind', 'checklist', 'title', jsonb_build_object('en', title),
        'questions', (SELECT jsonb_agg(jsonb_build_object('code', 'A' || chr(64 + q), 'section', (ARRAY['Station', 'Materials', 'Voters'])[q / 5 + 1],
            'text', jsonb_build_object('en', 'Question ' || q || ' of the ' || lower(title)))
            || CASE WHEN q IN (1, 2, 10) THEN '{"type": "yes_no"}'
               WHEN q IN (3, 4) THEN '{"type": "choice", "options": {"1": "all", "2": "most", "3": "some", "4": "none"}}'
               WHEN q IN (5, 6, 7) THEN '{"type": "count", "min": 0, "max": 5000}'
               WHEN q = 8 THEN '{"type": "multi_choice", "options": {"1": "ballots", "2": "ink", "3": "register", "4": "seals", "5": "none"}}'
               WHEN q = 9 THEN '{"type": "time"}'
               ELSE '{"type": "flag", "required": false}' END::jsonb ORDER BY q) FROM generate_series(1, 11) q),
        'rules', '[{"name": "sum", "expr": "AE + AF <= AG", "severity": "error", "message": {"en": "AE and AF are more than AG"}}]'::jsonb) AS d
    FROM (VALUES (1, 'OP', 'Opening'), (2, 'TU', 'Turnout'), (3, 'CL', 'Closing'), (4, 'RS', 'Results')) f (n, prefix, title)) x;
INSERT INTO checklist (id, election_id, prefix, kind, state, title, definition)
SELECT {base} + 5, {election}, 'IN', 'incident', 'live', d -> 'title', d
FROM (SELECT '{"prefix": "IN", "kind": "incident", "title": {"en": "Incident"}, "questions": [{"code": "AA", "text": {"en": "What happened"},
    "type": "choice", "options": {"1": "violence", "2": "agents kept out", "3": "materials missing", "4": "another"}}]}'::jsonb AS d) x;

INSERT INTO spool (id, uuid, host) VALUES ({election}, md5('spool {election}')::uuid, 'sms-{election}') ON CONFLICT DO NOTHING;

CREATE TEMP TABLE report AS
SELECT n, o, prefix, checklist, md5('{election} ' || prefix || o)::uuid AS id,
    '2026-02-21 03:00Z'::timestamptz + make_interval(hours => 4 * (checklist - 1)) + make_interval(secs => pg_temp.dice(n, 10800)) AS at,
    pg_temp.dice(n + 1000000007, 100) AS luck,
    jsonb_strip_nulls(jsonb_build_object('AA', pg_temp.dice(n * 3, 10) < 8, 'AB', pg_temp.dice(n * 5, 10) < 9,
        'AC', 1 + pg_temp.dice(n * 7, 4), 'AD', CASE WHEN pg_temp.dice(n + 1000000007, 100) < 98 THEN 1 + pg_temp.dice(n * 11, 4) END,
        'AE', pg_temp.dice(n * 13, 300), 'AF', pg_temp.dice(n * 17, 300), 'AG', 600 + pg_temp.dice(n * 19, 900),
        'AH', jsonb_build_array(1 + pg_temp.dice(n * 23, 2), 3 + pg_temp.dice(n * 29, 3)),
        'AI', lpad((5 + pg_temp.dice(n * 31, 5))::text, 2, '0') || ':' || lpad(pg_temp.dice(n * 37, 60)::text, 2, '0'),
        'AJ', pg_temp.dice(n * 41, 10) < 5, 'AK', CASE WHEN pg_temp.dice(n * 43, 50) = 0 THEN true END)) AS answers
FROM (SELECT (checklist - 1) * {observers}::bigint + o AS n, o, prefix, checklist
    FROM generate_series(1, {observers}) o, (VALUES (1, 'OP'), (2, 'TU'), (3, 'CL'), (4, 'RS')) c (checklist, prefix)) r;

INSERT INTO submission (election_id, id, checklist_id, prefix, kind, observer_id, station_id, answers, missing, broken_rules, comment,
    first_received_at, last_received_at, last_spool, last_sequence, revisions)
SELECT {election}, id, {base} + checklist, prefix, 'checklist', {base} + o, {base} + 1000 + 1 + (o - 1) / 5, answers,
    (luck >= 98)::int, CASE WHEN luck = 50 THEN '{sum}'::text[] ELSE '{}' END,
    CASE WHEN luck BETWEEN 10 AND 14 THEN 'materials came late, all quiet since' END, at,
    at + CASE WHEN luck BETWEEN 20 AND 22 THEN interval '10 minutes' ELSE '0' END, md5('spool {election}')::uuid, n,
    CASE WHEN luck BETWEEN 20 AND 22 THEN 2 ELSE 1 END
FROM report ORDER BY at;
INSERT INTO submission (election_id, id, checklist_id, prefix, kind, observer_id, station_id, answers, missing, comment,
    first_received_at, last_received_at, last_spool, last_sequence)
SELECT {election}, md5('{election} IN' || o)::uuid, {base} + 5, 'IN', 'incident', {base} + o, {base} + 1000 + 1 + (o - 1) / 5,
    jsonb_build_object('AA', 1 + pg_temp.dice(o, 4)), 0,
    CASE WHEN o % 3 > 0 THEN 'a man with a list of names stood at the door, seen from ' || o END, at, at, md5('spool {election}')::uuid, 2000000000 + o
FROM (SELECT o, at + interval '20 minutes' AS at FROM report WHERE checklist = 2 AND o % 50 = 0) i ORDER BY at;

INSERT INTO revision (election_id, submission_id, received_at, spool, sequence, answers, replaced)
SELECT {election}, id, at, md5('spool {election}')::uuid, n, answers, NULL::jsonb FROM report
UNION ALL
SELECT {election}, id, at + interval '10 minutes', md5('spool {election}')::uuid, n + 1000000000, '{"AE": 7}', '{"AE": 8}'
FROM report WHERE luck BETWEEN 20 AND 22;

INSERT INTO message (spool_id, sequence, received_at, link, phone_id, destination, esm_class, data_coding, raw, content_hash, text,
    outcome, election_id, observer_id, reading, submissions, reply_id)
SELECT {election}, n, at, 'bench', {base} + o, '12345', 0, 0, convert_to(text, 'UTF8'), decode(md5(n::text), 'hex'), text,
    CASE WHEN luck >= 98 THEN 'partial' ELSE 'accepted' END, {election}, {base} + o,
    jsonb_build_object('reports', jsonb_build_array(jsonb_build_object('prefix', prefix)), 'notes', '[]'::jsonb), ARRAY[id],
    md5('reply {election} ' || n)::uuid
FROM (SELECT *, prefix || ' ' || (100000 + o) || ' AA1 AB1 AC' || (answers ->> 'AC') || ' AE' || (answers ->> 'AE') || ' AF'
    || (answers ->> 'AF') || ' AG' || (answers ->> 'AG') || ' AH14 AI0705 AJ1' AS text FROM report) r ORDER BY at;

INSERT INTO outbox (id, kind, spool_id, sequence, phone_id, link_group, source, text, state, expires_at, created_at, sent_at)
SELECT md5('reply {election} ' || n)::uuid, 'reply', {election}, n, {base} + o, 'bench', '12345', 'Thank you. ' || prefix || ' is complete.',
    'delivered', at + interval '6 hours', at, at FROM report;

DROP TABLE report;
DROP FUNCTION pg_temp.dice(bigint, int);
