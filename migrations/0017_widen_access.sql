-- Sessions that idle end; what each host says of itself; numbers and names for those who may see them.

ALTER TABLE web_session
    ADD created_at timestamptz NOT NULL DEFAULT now(),
    -- When it was last used, to the minute.
    ADD seen_at    timestamptz NOT NULL DEFAULT now();

-- What a host's gateway and worker said last, written by its worker. Old rows are shown as old.
CREATE TABLE host_status (
    host    text NOT NULL CHECK (length(host) BETWEEN 1 AND 253),
    part    text NOT NULL CHECK (part IN ('gateway', 'worker')),
    at      timestamptz NOT NULL DEFAULT now(),
    status  jsonb NOT NULL CHECK (octet_length(status::text) <= 32768),
    PRIMARY KEY (host, part)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON host_status TO scrutineer_worker;
GRANT SELECT ON host_status TO scrutineer_web;

-- Phones and names stay closed to the web's role. It gets those of some observers by showing the session
-- (its key, SHA-256 of the token) of somebody who may see them: operators and admins.
CREATE FUNCTION web_contacts(session bytea, observers int[])
RETURNS TABLE (observer_id int, name text, phones text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT o.id, p.name,
        ARRAY(SELECT ph.msisdn FROM observer_phone x JOIN phone ph ON ph.id = x.phone_id
              WHERE x.observer_id = o.id ORDER BY x.place, ph.id)
    FROM observer o LEFT JOIN observer_person p ON p.observer_id = o.id
    WHERE o.id = ANY (observers)
      AND EXISTS (SELECT FROM web_session s JOIN web_user u ON u.id = s.user_id
                  WHERE s.id = session AND s.expires_at > now() AND NOT u.disabled
                    AND u.role IN ('operator', 'admin'))
$$;
REVOKE ALL ON FUNCTION web_contacts(bytea, int[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION web_contacts(bytea, int[]) TO scrutineer_web;
