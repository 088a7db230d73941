-- What ran: batches, their steps, what the rules said, which files came, which columns changed; and what runs next.
-- History outlives what it tells of: names are stored beside ids, and nothing here refers to a configured thing but to plans.

create schema logging;
comment on schema logging is 'What ran, row counts included, and what runs next.';

-- ## Batches and steps

create table logging.batch_run (
  id uuid constraint batch_run_pk primary key,
  group_id uuid not null,
  group_name text not null,
  environment_id uuid not null,
  environment text not null,
  seq bigint not null,
  engine text not null,
  state text not null default 'pending'
    constraint batch_run_state_check check (
      state in ('pending', 'running', 'waiting', 'succeeded', 'failed', 'skipped', 'cancelled')
    ),
  reason text,
  warned boolean not null default false,
  trigger text not null
    constraint batch_run_trigger_check check (
      trigger in ('manual', 'schedule', 'webhook', 'file_arrival', 'table_update', 'replay', 'external')
    ),
  schedule_id uuid,
  due_at timestamptz(3),
  attempt integer not null default 1,
  plan_hash text not null
    constraint batch_run_plan_hash_fk references config.plan (hash),
  metadata_version bigint not null,
  replay_of uuid,
  requested_by text not null default config.actor(),
  idempotency_key text,
  handle text,
  cancel_requested_at timestamptz(3),
  cancel_requested_by text,
  error_code text,
  error_message text,
  error_hint text,
  created_at timestamptz(3) not null default now(),
  started_at timestamptz(3),
  finished_at timestamptz(3),
  constraint batch_run_seq_unique unique (group_id, environment_id, seq),
  constraint batch_run_finished_at_check check (
    (finished_at is not null) = (state in ('succeeded', 'failed', 'skipped', 'cancelled'))
  )
);
comment on table logging.batch_run is 'One run of a group in an environment. Its state follows from its steps.';
comment on column logging.batch_run.seq is 'Counts per group and environment; the version of every Delta txn of the batch.';
comment on column logging.batch_run.reason is 'What it waits for.';
comment on column logging.batch_run.warned is 'Some step has warnings; a succeeded batch with any shows as warned.';
comment on column logging.batch_run.due_at is 'The time of the schedule that it was started for: one batch each.';
comment on column logging.batch_run.attempt is 'Raised each time a finished batch is taken up again.';
comment on column logging.batch_run.handle is 'What the engine knows the run by; null until it has been started there.';
comment on column logging.batch_run.replay_of is 'The batch that a replay repeats.';
create unique index batch_run_due_at_unique on logging.batch_run (group_id, environment_id, due_at)
  where due_at is not null;
create unique index batch_run_idempotency_key_unique
  on logging.batch_run (group_id, requested_by, idempotency_key) where idempotency_key is not null;
create index batch_run_group on logging.batch_run (group_id, id desc);
create index batch_run_environment on logging.batch_run (environment_id, id desc);
create index batch_run_state on logging.batch_run (state, id desc);
create index batch_run_error on logging.batch_run (error_code, id desc) where error_code is not null;
create index batch_run_open on logging.batch_run (id)
  where state in ('pending', 'running', 'waiting');

create table logging.group_seq (
  group_id uuid not null,
  environment_id uuid not null,
  last_seq bigint not null,
  constraint group_seq_pk primary key (group_id, environment_id)
);
comment on table logging.group_seq is 'The last seq given out: it never falls, even if old batches are deleted.';

create table logging.run_input (
  batch_id uuid constraint run_input_pk primary key
    constraint run_input_batch_id_fk references logging.batch_run (id) on delete cascade,
  input json not null,
  created_at timestamptz(3) not null default now()
);
comment on table logging.run_input is 'What a batch adds to its plan. Written once; every attempt reads the same.';
create trigger run_input_immutable before update on logging.run_input
  for each row execute function config.refuse_change();

create table logging.step_run (
  id uuid constraint step_run_pk primary key,
  batch_id uuid not null
    constraint step_run_batch_id_fk references logging.batch_run (id) on delete cascade,
  group_id uuid not null,
  key text not null,
  zone text not null
    constraint step_run_zone_check check (zone in ('raw', 'bronze', 'silver', 'gold')),
  name text not null,
  config_id uuid not null,
  depends_on text[] not null default '{}',
  state text not null default 'pending'
    constraint step_run_state_check check (
      state in ('pending', 'running', 'waiting', 'succeeded', 'failed', 'skipped', 'cancelled')
    ),
  reason text,
  root_cause text,
  attempt integer not null default 0,
  max_attempts integer not null default 1,
  next_attempt_at timestamptz(3),
  rows_read bigint not null default 0,
  rows_written bigint not null default 0,
  rows_quarantined bigint not null default 0,
  rows_dropped bigint not null default 0,
  rows_filtered bigint not null default 0,
  rows_deduplicated bigint not null default 0,
  rows_late bigint not null default 0,
  rows_inserted bigint not null default 0,
  rows_updated bigint not null default 0,
  rows_deleted bigint not null default 0,
  rows_closed bigint not null default 0,
  files_rewritten bigint not null default 0,
  bytes_read bigint not null default 0,
  bytes_written bigint not null default 0,
  duration_ms bigint,
  delta_version_before bigint,
  delta_version_after bigint,
  content_hash text,
  hash_approximate boolean not null default false,
  watermark_from text,
  watermark_to text,
  input_versions jsonb,
  warnings text[] not null default '{}',
  progress jsonb,
  error_code text,
  error_message text,
  error_hint text,
  error_retry boolean,
  created_at timestamptz(3) not null default now(),
  started_at timestamptz(3),
  finished_at timestamptz(3),
  constraint step_run_key_unique unique (batch_id, key),
  constraint step_run_finished_at_check check (
    (finished_at is not null) = (state in ('succeeded', 'failed', 'skipped', 'cancelled'))
  )
);
comment on table logging.step_run is
  'One table in one batch. Its state is changed by logging.set_step_state alone.';
comment on column logging.step_run.key is 'As in the plan: bronze:sales.orders.';
comment on column logging.step_run.name is 'schema.table; raw: source.raw_config.';
comment on column logging.step_run.reason is 'What it waits for, or why it was skipped.';
comment on column logging.step_run.root_cause is
  'Of a skipped step: key of the step that failed first, or id of the batch that consumed its input.';
comment on column logging.step_run.attempt is '0 before the first; running with more than 1 shows as retrying.';
comment on column logging.step_run.duration_ms is 'Of the last attempt.';
comment on column logging.step_run.content_hash is 'Of the whole table after the step; decimal text of an unsigned 64-bit sum.';
comment on column logging.step_run.hash_approximate is 'The table has floating-point columns, rounded in the hash.';
comment on column logging.step_run.watermark_to is 'In the source''s own text and precision.';
comment on column logging.step_run.input_versions is 'Table to Delta version; recorded before the first commit, reused by each attempt.';
comment on column logging.step_run.progress is 'done, total, unit of the running attempt.';
-- ids are made in the order of time: id desc is newest first, and serves from and to
create index step_run_name on logging.step_run (name, id desc);
create index step_run_group on logging.step_run (group_id, id desc);
create index step_run_state on logging.step_run (state, id desc) where state <> 'succeeded';
create index step_run_batch_state on logging.step_run (batch_id, state);
create index step_run_error on logging.step_run (error_code, id desc) where error_code is not null;

create function logging.next_seq(p_group uuid, p_environment uuid) returns bigint language sql as $$
  insert into logging.group_seq (group_id, environment_id, last_seq) values (p_group, p_environment, 1)
  on conflict (group_id, environment_id) do update set last_seq = group_seq.last_seq + 1
  returning last_seq
$$;
comment on function logging.next_seq(uuid, uuid) is
  'The next seq of a group in an environment; its row lock holds until the batch is written.';

create function logging.guard_state() returns trigger language plpgsql as $$
begin
  if new.state is distinct from old.state
    and current_setting('lakeforge.state_door', true) is distinct from 'open' then
    raise exception 'states change through logging.set_step_state alone'
      using errcode = '23514', schema = 'logging', table = tg_table_name,
        constraint = tg_table_name || '_state_door_check';
  end if;
  return new;
end $$;
comment on function logging.guard_state() is 'Refuses a change of state by hand.';
create trigger batch_run_state_door before update of state on logging.batch_run
  for each row execute function logging.guard_state();
create trigger step_run_state_door before update of state on logging.step_run
  for each row execute function logging.guard_state();

create function logging.has_step(p_batch uuid, variadic p_states text[]) returns boolean
language sql stable as $$
  select exists (select from logging.step_run where batch_id = p_batch and state = any (p_states))
$$;
comment on function logging.has_step(uuid, text[]) is 'Whether some step of the batch is in one of the states.';

-- Probes of an index, not counts: each step of a batch of 10 000 comes by here several times.
create function logging.refresh_batch(p_batch uuid) returns text language plpgsql as $$
declare
  batch logging.batch_run;
  failed record;
  next_state text;
  next_reason text;
  is_final boolean;
begin
  select * into batch from logging.batch_run where id = p_batch for update;
  if not found then
    return null;
  end if;
  next_state := case
    when logging.has_step(p_batch, 'running') then 'running'
    when logging.has_step(p_batch, 'waiting') then 'waiting'
    when logging.has_step(p_batch, 'pending') then
      case
        when batch.started_at is not null
          or logging.has_step(p_batch, 'succeeded', 'failed', 'skipped', 'cancelled') then 'running'
        else 'pending'
      end
    when logging.has_step(p_batch, 'failed') then 'failed'
    when logging.has_step(p_batch, 'cancelled') then 'cancelled'
    when logging.has_step(p_batch, 'skipped') and not logging.has_step(p_batch, 'succeeded') then 'skipped'
    else 'succeeded'
  end;
  if next_state = 'waiting' then
    select min(reason) into next_reason
    from logging.step_run where batch_id = p_batch and state = 'waiting';
  end if;
  if next_state = batch.state and next_reason is not distinct from batch.reason then
    return next_state;
  end if;
  is_final := next_state in ('succeeded', 'failed', 'skipped', 'cancelled');
  select null::text as error_code, null::text as error_message, null::text as error_hint into failed;
  if next_state = 'failed' then
    select error_code, error_message, error_hint into failed
    from logging.step_run where batch_id = p_batch and state = 'failed'
    order by finished_at, id limit 1;
  end if;
  perform set_config('lakeforge.state_door', 'open', true);
  update logging.batch_run set
    state = next_state,
    reason = next_reason,
    warned = is_final and exists (
      select from logging.step_run where batch_id = p_batch and cardinality(warnings) > 0),
    attempt = attempt + case when batch.finished_at is not null and not is_final then 1 else 0 end,
    error_code = failed.error_code,
    error_message = failed.error_message,
    error_hint = failed.error_hint,
    started_at = coalesce(
      started_at, (select min(started_at) from logging.step_run where batch_id = p_batch)),
    finished_at = case when is_final then coalesce(finished_at, clock_timestamp()) end
  where id = p_batch;
  perform set_config('lakeforge.state_door', '', true);
  return next_state;
end $$;
comment on function logging.refresh_batch(uuid) is
  'Sets a batch''s state from its steps and returns it; null: there is no such batch. Without steps: succeeded.';

create function logging.set_step_state(
  p_batch uuid,
  p_key text,
  p_state text,
  p_attempt integer default null,
  p_reason text default null,
  p_at timestamptz default null
) returns text language plpgsql as $$
declare
  step logging.step_run;
  is_final boolean := p_state in ('succeeded', 'failed', 'skipped', 'cancelled');
  moment timestamptz := coalesce(p_at, clock_timestamp());
begin
  -- the batch first: two steps that end at once then see each other's end
  perform 1 from logging.batch_run where id = p_batch for update;
  select * into step from logging.step_run where batch_id = p_batch and key = p_key for update;
  if not found then
    raise exception 'batch % has no step %', p_batch, p_key
      using errcode = '23503', schema = 'logging', table = 'step_run', constraint = 'step_run_key_fk';
  end if;
  if not (
    case step.state
      when 'pending' then p_state <> 'succeeded'
      when 'running' then true
      when 'waiting' then p_state <> 'succeeded'
      when 'succeeded' then p_state = 'succeeded'
      else p_state in (step.state, 'pending')
    end
  ) then
    raise exception 'step % can''t go from % to %', p_key, step.state, p_state
      using errcode = '23514', schema = 'logging', table = 'step_run',
        constraint = 'step_run_transition_check';
  end if;
  perform set_config('lakeforge.state_door', 'open', true);
  update logging.step_run set
    state = p_state,
    reason = case when p_state in ('waiting', 'skipped', 'cancelled') then coalesce(p_reason, reason) end,
    root_cause = case when p_state = 'skipped' then root_cause end,
    attempt = coalesce(
      p_attempt, attempt + case when p_state = 'running' and step.state <> 'running' then 1 else 0 end),
    progress = case when p_state = 'running' then progress end,
    error_code = case when p_state in ('failed', 'pending', 'waiting') then error_code end,
    error_message = case when p_state in ('failed', 'pending', 'waiting') then error_message end,
    error_hint = case when p_state in ('failed', 'pending', 'waiting') then error_hint end,
    error_retry = case when p_state in ('failed', 'pending', 'waiting') then error_retry end,
    next_attempt_at = case when p_state = 'pending' then next_attempt_at end,
    started_at = case
      when p_state = 'running' then coalesce(started_at, moment)
      when p_state = 'pending' and step.finished_at is not null then null
      else started_at
    end,
    finished_at = case when is_final then coalesce(finished_at, moment) end
  where id = step.id;
  perform set_config('lakeforge.state_door', '', true);
  return logging.refresh_batch(p_batch);
end $$;
comment on function logging.set_step_state(uuid, text, text, integer, text, timestamptz) is
  'The only way in which a step changes its state; answers the state that its batch has now. Counts, errors and root_cause are
written before it, by an update in the same transaction.';

create view logging.table_run as
select
  batch_id,
  group_id,
  zone,
  name,
  case
    when bool_or(state = 'running') then 'running'
    when bool_or(state = 'waiting') then 'waiting'
    when bool_or(state = 'pending') then
      case when bool_or(attempt > 0 or finished_at is not null) then 'running' else 'pending' end
    when bool_or(state = 'failed') then 'failed'
    when bool_or(state = 'cancelled') then 'cancelled'
    when bool_and(state = 'skipped') then 'skipped'
    else 'succeeded'
  end as state,
  bool_or(cardinality(warnings) > 0) as warned,
  count(*)::integer as steps,
  max(attempt) as attempt,
  sum(rows_read)::bigint as rows_read,
  sum(rows_written)::bigint as rows_written,
  sum(rows_quarantined)::bigint as rows_quarantined,
  sum(rows_dropped)::bigint as rows_dropped,
  sum(rows_filtered)::bigint as rows_filtered,
  sum(rows_deduplicated)::bigint as rows_deduplicated,
  sum(rows_late)::bigint as rows_late,
  sum(rows_inserted)::bigint as rows_inserted,
  sum(rows_updated)::bigint as rows_updated,
  sum(rows_deleted)::bigint as rows_deleted,
  sum(rows_closed)::bigint as rows_closed,
  sum(files_rewritten)::bigint as files_rewritten,
  sum(bytes_read)::bigint as bytes_read,
  sum(bytes_written)::bigint as bytes_written,
  sum(duration_ms)::bigint as duration_ms,
  min(delta_version_before) as delta_version_before,
  max(delta_version_after) as delta_version_after,
  (array_agg(content_hash order by delta_version_after desc nulls last))[1] as content_hash,
  min(started_at) as started_at,
  case when bool_and(finished_at is not null) then max(finished_at) end as finished_at
from logging.step_run
group by batch_id, group_id, zone, name;
comment on view logging.table_run is 'Steps by table: more than one where several configs feed it.';

create view logging.zone_run as
select
  batch_id,
  group_id,
  zone,
  case
    when bool_or(state = 'running') then 'running'
    when bool_or(state = 'waiting') then 'waiting'
    when bool_or(state = 'pending') then
      case when bool_or(attempt > 0 or finished_at is not null) then 'running' else 'pending' end
    when bool_or(state = 'failed') then 'failed'
    when bool_or(state = 'cancelled') then 'cancelled'
    when bool_and(state = 'skipped') then 'skipped'
    else 'succeeded'
  end as state,
  bool_or(cardinality(warnings) > 0) as warned,
  count(*)::integer as steps,
  (count(*) filter (where finished_at is not null))::integer as steps_finished,
  sum(rows_read)::bigint as rows_read,
  sum(rows_written)::bigint as rows_written,
  sum(rows_quarantined)::bigint as rows_quarantined,
  sum(rows_dropped)::bigint as rows_dropped,
  sum(rows_filtered)::bigint as rows_filtered,
  sum(rows_deduplicated)::bigint as rows_deduplicated,
  sum(rows_late)::bigint as rows_late,
  sum(rows_inserted)::bigint as rows_inserted,
  sum(rows_updated)::bigint as rows_updated,
  sum(rows_deleted)::bigint as rows_deleted,
  sum(rows_closed)::bigint as rows_closed,
  sum(bytes_read)::bigint as bytes_read,
  sum(bytes_written)::bigint as bytes_written,
  sum(duration_ms)::bigint as duration_ms,
  min(started_at) as started_at,
  case when bool_and(finished_at is not null) then max(finished_at) end as finished_at
from logging.step_run
group by batch_id, group_id, zone;
comment on view logging.zone_run is 'Steps by zone.';

-- ## What the rules said

create table logging.dq_run (
  id uuid constraint dq_run_pk primary key,
  batch_id uuid not null
    constraint dq_run_batch_id_fk references logging.batch_run (id) on delete cascade,
  step_id uuid not null
    constraint dq_run_step_id_fk references logging.step_run (id) on delete cascade,
  rule_id text not null,
  name text not null,
  target text not null,
  "check" text not null,
  columns text[] not null default '{}',
  on_fail text not null
    constraint dq_run_on_fail_check check (on_fail in ('warn', 'drop', 'quarantine', 'fail')),
  rows_checked bigint not null,
  rows_failed bigint not null,
  threshold double precision not null default 0,
  applied boolean not null,
  fingerprint text not null,
  created_at timestamptz(3) not null default now(),
  constraint dq_run_rule_id_unique unique (step_id, rule_id),
  constraint dq_run_rows_failed_check check (rows_failed between 0 and rows_checked)
);
comment on table logging.dq_run is 'What one rule said in one step.';
comment on column logging.dq_run.rule_id is 'Id of the rule, or <id of the rule set>/<name of the rule>.';
comment on column logging.dq_run.applied is 'More rows failed than the threshold allows, so on_fail applied.';
create index dq_run_target on logging.dq_run (target, id desc);
create index dq_run_rule on logging.dq_run (rule_id, id desc);
create index dq_run_batch on logging.dq_run (batch_id);
create index dq_run_failed on logging.dq_run (id desc) where rows_failed > 0;

create table logging.dq_sample (
  dq_run_id uuid not null
    constraint dq_sample_dq_run_id_fk references logging.dq_run (id) on delete cascade,
  number integer not null,
  row jsonb not null,
  constraint dq_sample_pk primary key (dq_run_id, number)
);
comment on table logging.dq_sample is 'Some failing rows: values as text, capped, columns tagged pii masked.';

-- ## What came in

create table logging.file (
  id uuid constraint file_pk primary key,
  environment_id uuid not null,
  raw_id uuid not null,
  batch_id uuid not null,
  path text not null,
  source_path text not null,
  size bigint not null,
  sha256 text not null,
  rows bigint,
  source_modified_at timestamptz(3),
  created_at timestamptz(3) not null default now(),
  constraint file_path_unique unique (environment_id, raw_id, path, sha256)
);
comment on table logging.file is 'Ledger of what lies in raw: a copy of the manifests.';
comment on column logging.file.path is 'Relative to the folder of the raw object: seq=<n>/….';
comment on column logging.file.size is 'Bytes.';
create index file_source on logging.file (environment_id, raw_id, source_path, sha256);
create index file_batch on logging.file (batch_id);

create table logging.schema_change (
  id uuid constraint schema_change_pk primary key,
  batch_id uuid not null
    constraint schema_change_batch_id_fk references logging.batch_run (id) on delete cascade,
  step_id uuid not null
    constraint schema_change_step_id_fk references logging.step_run (id) on delete cascade,
  target text not null,
  kind text not null
    constraint schema_change_kind_check check (kind in ('added', 'missing', 'retyped', 'reordered')),
  "column" text not null,
  from_type text,
  to_type text,
  outcome text not null,
  affects text[] not null default '{}',
  created_at timestamptz(3) not null default now(),
  constraint schema_change_column_unique unique (step_id, kind, "column")
);
comment on table logging.schema_change is 'A column that came, went or changed, and what the schema policy did.';
comment on column logging.schema_change.affects is 'Tables that read it.';
create index schema_change_target on logging.schema_change (target, id desc);
create index schema_change_batch on logging.schema_change (batch_id);

create table logging.column_profile (
  step_id uuid not null
    constraint column_profile_step_id_fk references logging.step_run (id) on delete cascade,
  batch_id uuid not null
    constraint column_profile_batch_id_fk references logging.batch_run (id) on delete cascade,
  target text not null,
  "column" text not null,
  rows bigint not null,
  nulls bigint not null,
  "distinct" bigint,
  sampled bigint not null,
  min text,
  max text,
  created_at timestamptz(3) not null default now(),
  constraint column_profile_pk primary key (step_id, "column")
);
comment on table logging.column_profile is 'What each column looked like in each batch.';
comment on column logging.column_profile."distinct" is 'Estimated among the sampled rows; null: not looked at.';
create index column_profile_target on logging.column_profile (target, "column", batch_id desc);
create index column_profile_batch on logging.column_profile (batch_id);

create table logging.lineage (
  id bigint generated always as identity constraint lineage_pk primary key,
  environment_id uuid not null,
  from_table text not null,
  from_column text,
  to_table text not null,
  to_column text,
  group_id uuid not null,
  plan_hash text not null,
  first_batch_id uuid not null,
  last_batch_id uuid not null,
  constraint lineage_edge_unique
    unique nulls not distinct (environment_id, from_table, from_column, to_table, to_column)
);
comment on table logging.lineage is 'Which table, and with columns which column, was made from which. One row an edge.';
comment on column logging.lineage.from_table is 'schema.table; for raw: source.raw_config.';
comment on column logging.lineage.last_batch_id is 'The last batch in which the edge was there.';
create index lineage_to on logging.lineage (environment_id, to_table);

-- ## Progress and log lines

create table logging.event (
  batch_id uuid not null
    constraint event_batch_id_fk references logging.batch_run (id) on delete cascade,
  number bigint not null,
  step text,
  level text not null
    constraint event_level_check check (level in ('debug', 'info', 'warn', 'error')),
  text text not null,
  progress jsonb,
  at timestamptz(3) not null default now(),
  constraint event_pk primary key (batch_id, number)
);
comment on table logging.event is 'What happened in a batch, in order.';
comment on column logging.event.number is 'Counts from 1 in its batch without gaps: a reader goes on after the last it has seen.';
comment on column logging.event.step is 'Key of the step; null: of the batch.';
create index event_step on logging.event (batch_id, step, number);

create function logging.add_events(p_batch uuid, p_events jsonb) returns bigint language plpgsql as $$
declare
  last_number bigint;
begin
  -- numbers become visible in their order: a reader that has seen 7 will never find a new 6
  perform 1 from logging.batch_run where id = p_batch for update;
  select coalesce(max(number), 0) into last_number from logging.event where batch_id = p_batch;
  insert into logging.event (batch_id, number, step, level, text, progress, at)
  select
    p_batch,
    last_number + one.position,
    one.event ->> 'step',
    one.event ->> 'level',
    one.event ->> 'text',
    nullif(one.event -> 'progress', 'null'),
    coalesce((one.event ->> 'at')::timestamptz, clock_timestamp())
  from jsonb_array_elements(p_events) with ordinality as one (event, position);
  return last_number + jsonb_array_length(p_events);
end $$;
comment on function logging.add_events(uuid, jsonb) is
  'Appends events ({step, level, text, progress, at}, in order) and answers the last number.';

-- ## What runs next, and sync

create table logging.schedule_state (
  group_id uuid not null,
  environment_id uuid not null,
  schedule_id uuid not null,
  schedule_version integer not null,
  next_run_at timestamptz(3),
  last_due_at timestamptz(3),
  last_batch_id uuid,
  claimed_at timestamptz(3),
  claimed_by text,
  constraint schedule_state_pk primary key (group_id, environment_id)
);
comment on table logging.schedule_state is 'When a group is due next in an environment; a claim moves next_run_at on.';
comment on column logging.schedule_state.schedule_version is 'Of the schedule that next_run_at was computed from.';
comment on column logging.schedule_state.next_run_at is 'Null: never again by this schedule.';
create index schedule_state_next_run on logging.schedule_state (next_run_at) where next_run_at is not null;

create table logging.sync_run (
  id uuid constraint sync_run_pk primary key,
  environment_id uuid,
  environment text,
  sync_plan_id uuid,
  state text not null default 'pending'
    constraint sync_run_state_check check (
      state in ('pending', 'running', 'waiting', 'succeeded', 'failed', 'skipped', 'cancelled')
    ),
  reason text,
  trigger text not null
    constraint sync_run_trigger_check check (trigger in ('manual', 'schedule', 'workspace')),
  requested_by text not null default config.actor(),
  actions_planned integer not null default 0,
  actions_done integer not null default 0,
  batches_started integer not null default 0,
  cursor jsonb,
  report jsonb,
  error_code text,
  error_message text,
  error_hint text,
  created_at timestamptz(3) not null default now(),
  started_at timestamptz(3),
  finished_at timestamptz(3),
  constraint sync_run_finished_at_check check (
    (finished_at is not null) = (state in ('succeeded', 'failed', 'skipped', 'cancelled'))
  )
);
comment on table logging.sync_run is 'One round of SyncJobs.';
comment on column logging.sync_run.cursor is 'Where a round that was cut short goes on.';
create index sync_run_state on logging.sync_run (state, id desc);
