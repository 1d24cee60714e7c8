-- The audit trail: append-only, a month a partition, ids copied without references.

-- migrate:up
CREATE TABLE audit_entries (
  id uuid NOT NULL DEFAULT id_now(clock_timestamp()),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  event text NOT NULL CHECK (length(event) BETWEEN 1 AND 50),
  severity audit_severity NOT NULL DEFAULT 'info',
  account_id uuid,
  session_id uuid,
  request_id uuid,
  conversation_id uuid,
  resource_type text CHECK (length(resource_type) <= 50),
  resource_id text CHECK (length(resource_id) <= 100),
  ip text,
  user_agent text CHECK (length(user_agent) <= 300),
  details jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (created_at, id)
) PARTITION BY RANGE (created_at);
CREATE INDEX audit_entries_event_idx ON audit_entries (event, created_at);
CREATE INDEX audit_entries_account_id_idx ON audit_entries (account_id, created_at) WHERE account_id IS NOT NULL;
CREATE INDEX audit_entries_conversation_id_idx ON audit_entries (conversation_id, created_at) WHERE conversation_id IS NOT NULL;
CREATE INDEX audit_entries_resource_idx ON audit_entries (resource_type, resource_id);
CREATE INDEX audit_entries_severity_idx ON audit_entries (severity, created_at) WHERE severity > 'info';
CREATE INDEX audit_entries_ip_idx ON audit_entries (ip, created_at) WHERE ip IS NOT NULL;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_entries_immutable_trigger BEFORE UPDATE OR DELETE ON audit_entries
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_entries_truncate_trigger BEFORE TRUNCATE ON audit_entries
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION make_audit_months(p_from timestamptz, p_months integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  v_month timestamp;
  v_name text;
  v_made integer := 0;
BEGIN
  FOR v_step IN 0 .. p_months - 1 LOOP
    v_month := date_trunc('month', p_from AT TIME ZONE 'UTC') + make_interval(months => v_step);
    v_name := to_char(v_month, '"audit_entries_y"YYYY"m"MM');
    IF to_regclass(v_name) IS NULL THEN
      EXECUTE format('CREATE TABLE %I PARTITION OF audit_entries FOR VALUES FROM (%L) TO (%L)', v_name,
        v_month AT TIME ZONE 'UTC', (v_month + interval '1 month') AT TIME ZONE 'UTC');
      v_made := v_made + 1;
    END IF;
  END LOOP;
  RETURN v_made;
END $$;
SELECT make_audit_months(now() - interval '1 month', 5);

GRANT SELECT, INSERT ON audit_entries TO aparte_service;

-- migrate:down
DROP TABLE audit_entries;
DROP FUNCTION make_audit_months(timestamptz, integer), refuse_change();
