-- Replies go before texts to many, however many of those are due.
CREATE INDEX outbox_due_first ON outbox ((kind <> 'reply'), due_at) WHERE state = 'due';

-- What a receipt may be about whose id nobody told: texts with an attempt of unknown outcome, and those that the SMSC
-- took without naming an id.
CREATE INDEX outbox_nameless ON outbox (phone_id) WHERE unknown_before > 0 OR (state = 'sent' AND message_id IS NULL);
