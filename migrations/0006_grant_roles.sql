-- Least privilege. The owner migrates and runs the commands; worker and web have just what they do.

GRANT USAGE ON SCHEMA public TO scrutineer_worker, scrutineer_web;

GRANT SELECT ON election, roster_version, location, observer, observer_phone, checklist TO scrutineer_worker;
GRANT SELECT, INSERT ON phone, spool TO scrutineer_worker;
GRANT SELECT, INSERT, UPDATE ON watermark, message, submission, revision, outbox, outbox_segment TO scrutineer_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON segment_set, segment, early_receipt, set_aside TO scrutineer_worker;
GRANT SELECT ON _sqlx_migrations TO scrutineer_worker, scrutineer_web;

GRANT SELECT ON election, roster_version, location, observer, observer_phone, checklist, spool, watermark, message,
    submission, revision, outbox TO scrutineer_web;
-- Not the record itself, in which the sender's number stands.
GRANT SELECT (spool_id, sequence, received_at, link, error, set_aside_at) ON set_aside TO scrutineer_web;
GRANT SELECT (id, masked) ON phone TO scrutineer_web;
GRANT SELECT ON web_user TO scrutineer_web;
GRANT UPDATE (failures, locked_until) ON web_user TO scrutineer_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON web_session TO scrutineer_web;
