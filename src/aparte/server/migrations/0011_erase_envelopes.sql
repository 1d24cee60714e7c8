-- Erasing envelopes with a pinned plan: one made while the tables were small reads them whole later, each second.

-- migrate:up
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '30s';

-- Erase the envelopes of ranges (p_after, p_up_to] that nobody waits for: each of their devices has them, or is active
-- no more. What all devices of the members have is known once for each range; only beyond it each set is looked at.
-- Returns how many sets went.
CREATE FUNCTION erase_envelopes_v1(p_conversation uuid[], p_after bigint[], p_up_to bigint[]) RETURNS bigint
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off
AS $$
DECLARE
  v_range record;
  v_step bigint;
  v_erased bigint := 0;
BEGIN
  -- One range after the other: joined to the sets at once, the planner may walk through all of them for each range.
  FOR v_range IN
    SELECT u.conv, u.after, u.up_to,
           (SELECT min(greatest(
                     coalesce((SELECT max(x.up_to_seq) FROM receipts x WHERE x.conversation_id = u.conv
                                  AND x.kind = 'delivered' AND x.device_id = d.device_id), 0),
                     coalesce((SELECT max(x.up_to_seq) FROM receipts x WHERE x.conversation_id = u.conv
                                  AND x.kind = 'read' AND x.device_id = d.device_id), 0)))
              FROM members m JOIN devices d ON d.account_id = m.account_id AND d.is_active
             WHERE m.conversation_id = u.conv) AS all_have
      FROM (SELECT v.conv, min(v.after) AS after, max(v.up_to) AS up_to
              FROM unnest(p_conversation, p_after, p_up_to) AS v (conv, after, up_to) GROUP BY v.conv) u
  LOOP
    DELETE FROM message_key_sets k
     WHERE k.conversation_id = v_range.conv AND k.seq > v_range.after AND k.seq <= v_range.up_to
       AND CASE WHEN k.seq <= v_range.all_have THEN true ELSE NOT EXISTS (
             SELECT 1 FROM generate_series(0, get_byte(k.envelopes, 0) - 1) AS place
               JOIN devices d ON d.is_active
                AND d.device_id = encode(substring(k.envelopes FROM 2 + 16 * place FOR 16), 'hex')::uuid
              WHERE NOT EXISTS (SELECT 1 FROM receipts x WHERE x.conversation_id = k.conversation_id
                                   AND x.kind = 'delivered' AND x.device_id = d.device_id AND x.up_to_seq >= k.seq)
                AND NOT EXISTS (SELECT 1 FROM receipts x WHERE x.conversation_id = k.conversation_id
                                   AND x.kind = 'read' AND x.device_id = d.device_id AND x.up_to_seq >= k.seq)) END;
    GET DIAGNOSTICS v_step = ROW_COUNT;
    v_erased := v_erased + v_step;
  END LOOP;
  RETURN v_erased;
END $$;
GRANT EXECUTE ON FUNCTION erase_envelopes_v1(uuid[], bigint[], bigint[]) TO aparte_service;

-- migrate:down
DROP FUNCTION erase_envelopes_v1(uuid[], bigint[], bigint[]);
