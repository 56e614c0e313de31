-- A code of each observer's own beside the observer code, and what stops who guesses at it.

ALTER TABLE election
    -- Who must send it: nobody, everybody, or who reports from a phone that isn't the observer's.
    ADD auth_code             text NOT NULL DEFAULT 'off' CHECK (auth_code IN ('off', 'required', 'unknown_phones')),
    -- So many wrong codes within so many minutes lock a phone, or an observer for phones not theirs, for as long.
    ADD auth_failures         smallint NOT NULL DEFAULT 5 CHECK (auth_failures BETWEEN 1 AND 20),
    ADD auth_lockout_minutes  smallint NOT NULL DEFAULT 60 CHECK (auth_lockout_minutes BETWEEN 1 AND 1440);

-- Key of the hashes below: they say nothing to who has read only them. One row.
CREATE TABLE auth_key (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    key       bytea NOT NULL CHECK (octet_length(key) = 32)
);
INSERT INTO auth_key (key)
    VALUES (decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));

CREATE TABLE observer_auth (
    observer_id  int PRIMARY KEY REFERENCES observer ON DELETE CASCADE,
    -- HMAC-SHA-256 over election, observer code and the code itself, first 8 bytes.
    code_hash    bigint NOT NULL,
    changed_at   timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER observer_auth_changed AFTER INSERT OR UPDATE OR DELETE ON observer_auth
    FOR EACH STATEMENT EXECUTE FUNCTION bump_roster_version();

-- Wrong codes by the phone that sent them and by the observer that they were meant for, the newest few.
-- Times are those of receipt, so that all hosts count alike.
CREATE TABLE auth_attempt (
    of          text NOT NULL CHECK (of IN ('phone', 'observer')),
    id          bigint NOT NULL,
    failed_at   timestamptz[] NOT NULL,
    -- Until then the phone is not told once more that it is locked.
    told_until  timestamptz,
    PRIMARY KEY (of, id)
);

-- The web's role reads neither key nor hashes.
GRANT SELECT ON auth_key, observer_auth TO scrutineer_worker;
GRANT SELECT, INSERT, UPDATE ON auth_attempt TO scrutineer_worker;
GRANT SELECT ON auth_attempt TO scrutineer_web;

ALTER TABLE message DROP CONSTRAINT message_outcome_check;
ALTER TABLE message ADD CONSTRAINT message_outcome_check CHECK (outcome IN ('accepted', 'partial', 'duplicate',
    'corrected', 'unknown_observer', 'unknown_checklist', 'closed', 'draft', 'paused', 'outdated', 'unverified', 'held',
    'wrong_code', 'locked', 'unclear', 'command', 'ignored', 'segment', 'set_aside'));
