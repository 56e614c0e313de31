-- Policies of an election, states of checklists with their time, figures of locations, senders that
-- asked for silence.

ALTER TABLE message DROP CONSTRAINT message_outcome_check;
ALTER TABLE message ADD CONSTRAINT message_outcome_check CHECK (outcome IN ('accepted', 'partial', 'duplicate',
    'corrected', 'unknown_observer', 'unknown_checklist', 'closed', 'draft', 'paused', 'outdated', 'unverified', 'held',
    'unclear', 'command', 'ignored', 'segment', 'set_aside'));

-- What tells who reports, and what is done with a report whose phone isn't the observer's.
ALTER TABLE election
    ADD identify    text NOT NULL DEFAULT 'code' CHECK (identify IN ('code', 'phone', 'either', 'both')),
    ADD unverified  text NOT NULL DEFAULT 'accept' CHECK (unverified IN ('accept', 'refuse', 'hold')),
    -- How dates such as 3/4/2026 are written.
    ADD date_order  text NOT NULL DEFAULT 'day_month' CHECK (date_order IN ('day_month', 'month_day')),
    -- Answer to HELP: a text, or one a language.
    ADD help        jsonb;
UPDATE election SET identify = 'either' WHERE phone_identifies;
ALTER TABLE election DROP COLUMN phone_identifies;

-- Whether a checklist took reports is judged at receipt: its state, since when, and the one before.
ALTER TABLE checklist ADD state_at timestamptz NOT NULL DEFAULT now(), ADD state_before text;
CREATE FUNCTION note_checklist_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> OLD.state THEN
        NEW.state_before := OLD.state;
        NEW.state_at := now();
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER checklist_state BEFORE UPDATE ON checklist FOR EACH ROW EXECUTE FUNCTION note_checklist_state();

-- Numeric columns of a location beside its registered voters, for rules: {"ballots_issued": 500}.
ALTER TABLE location ADD figures jsonb;

-- What is remembered of a phone: no row for most.
CREATE TABLE sender (
    phone_id    bigint PRIMARY KEY REFERENCES phone,
    -- Since when it gets no replies and no broadcasts; its reports count all the same.
    stopped_at  timestamptz
);
GRANT SELECT, INSERT, UPDATE, DELETE ON sender TO scrutineer_worker;
GRANT SELECT ON sender TO scrutineer_web;
