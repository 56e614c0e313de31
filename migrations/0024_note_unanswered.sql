-- Messages of a link whose response the SMSC may never have seen, as the session ended before that was known, and
-- which it has not delivered again: other hosts may have been given them, however far the link is confirmed since.
ALTER TABLE confirmed ADD COLUMN unanswered bigint[] NOT NULL DEFAULT '{}';

-- May two equal texts, this one and ours, be one that the SMSC delivered twice? The one that it delivered first has a
-- response that it is not known to have seen. Clocks of two hosts are `apart` seconds at most, and what a network held
-- back comes `late` seconds at most.
CREATE FUNCTION may_be_delivered_twice(
    received timestamptz, seq bigint, known confirmed,
    our_received timestamptz, ours_unseen boolean, ours_lost boolean,
    apart int, late int) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT theirs.lost AND received <= our_received + make_interval(secs => late)
           OR seq > coalesce((known).sequence, 0) AND received <= our_received + make_interval(secs => apart)
           OR ours_lost AND received >= our_received - make_interval(secs => late)
           OR ours_unseen AND received >= our_received - make_interval(secs => apart)
    FROM (SELECT coalesce(seq = ANY ((known).unanswered), false) AS lost) AS theirs
$$;
