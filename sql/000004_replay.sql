-- Replays that are applied: a group's tables are taken back to before a batch, and it and all later ones run again. Who looks at
-- a batch sees by which replay it ran last.

create table logging.replay_run (
  id uuid constraint replay_run_pk primary key,
  batch_id uuid not null
    constraint replay_run_batch_id_fk references logging.batch_run (id) on delete cascade,
  group_id uuid not null,
  environment_id uuid not null,
  requested_by text not null default config.actor(),
  restoring_at timestamptz(3),
  tables jsonb,
  restored_at timestamptz(3),
  error_code text,
  error_message text,
  error_hint text,
  created_at timestamptz(3) not null default now(),
  constraint replay_run_tables_check check ((tables is null) = (restoring_at is null))
);
comment on table logging.replay_run is 'A replay that is applied: first tables are restored, then batches run again, in order.';
comment on column logging.replay_run.batch_id is 'The first batch that runs again.';
comment on column logging.replay_run.restoring_at is 'From here on the tables change: it must be brought to its end.';
comment on column logging.replay_run.tables is 'Tables with the versions that they leave and go back to.';
comment on column logging.replay_run.restored_at is 'The batches run from here on.';
comment on column logging.replay_run.error_code is 'Why it was refused: nothing was changed. With restoring_at: what keeps it from going on.';
create function logging.is_open(r logging.replay_run) returns boolean language sql immutable as $$
  select r.restored_at is null and (r.error_code is null or r.restoring_at is not null)
$$;
comment on function logging.is_open(logging.replay_run) is
  'Whether its tables are not restored yet: until then no batch of the group begins.';
create index replay_run_batch on logging.replay_run (batch_id, id desc);
-- One at a time for a group in an environment
create unique index replay_run_open_unique on logging.replay_run (group_id, environment_id)
  where restored_at is null and (error_code is null or restoring_at is not null);

alter table logging.batch_run add column replay_run_id uuid;
comment on column logging.batch_run.replay_run_id is 'The applied replay by which it ran last.';
create index batch_run_replay on logging.batch_run (replay_run_id) where replay_run_id is not null;

create function logging.rerun_steps(p_batch uuid, p_keys text[]) returns text language plpgsql as $$
begin
  perform set_config('lakeforge.state_door', 'open', true);
  update logging.step_run set
    state = 'pending',
    reason = null,
    root_cause = null,
    attempt = 0,
    progress = null,
    warnings = '{}',
    error_code = null,
    error_message = null,
    error_hint = null,
    error_retry = null,
    started_at = null,
    finished_at = null
  where batch_id = p_batch and key = any (p_keys);
  perform set_config('lakeforge.state_door', '', true);
  return logging.refresh_batch(p_batch);
end $$;
comment on function logging.rerun_steps(uuid, text[]) is
  'Puts steps of a finished batch back to pending, succeeded ones too: their tables were taken back. Answers the batch''s state.';
