-- What receipts said of each part of a text of several segments, which is delivered when all of them are. The first
-- part stands here too.
ALTER TABLE outbox_segment ADD COLUMN state text CHECK (state IN ('delivered', 'undelivered'));
