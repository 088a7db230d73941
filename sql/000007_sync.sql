-- Sync with a workspace: what it remembers of each thing that it made, what is left of a stored plan, and one sync at a time.

alter table config.resource
  add column name text not null default '',
  add column meta jsonb not null default '{}',
  add column ignored jsonb not null default '{}';
comment on column config.resource.name is 'As the workspace shows it.';
comment on column config.resource.meta is
  'What the workspace said right after our last write: its own additions to the spec, times of change.';
comment on column config.resource.ignored is
  'Fields (path -> value) that were changed in the workspace and that a person decided to leave so.';

alter table config.sync_plan
  add column state text not null default 'planned'
    constraint sync_plan_state_check check (state in ('planned', 'applying', 'done', 'replaced')),
  add column base_serial bigint not null default 0,
  add column flags jsonb not null default '[]',
  add column placement jsonb not null default '[]',
  add column cost jsonb not null default '[]',
  add column unchanged integer not null default 0;
comment on column config.sync_plan.base_serial is 'sync_lock.serial when it was made: another one has been applied since if that moved on.';
comment on column config.sync_plan.unchanged is 'How many things were as they should be.';
comment on column config.sync_plan.placement is 'Where new tables will live; kept once the plan is applied.';

create table config.sync_item (
  plan_id uuid not null
    constraint sync_item_plan_id_fk references config.sync_plan (id) on delete cascade,
  position integer not null,
  state text not null default 'pending'
    constraint sync_item_state_check check (state in ('pending', 'running', 'succeeded', 'failed', 'skipped')),
  error_code text,
  error_message text,
  error_hint text,
  started_at timestamptz(3),
  finished_at timestamptz(3),
  constraint sync_item_pk primary key (plan_id, position)
);
comment on table config.sync_item is 'How far each action of a stored plan has come; position is that in sync_plan.actions.';

create table config.sync_lock (
  environment_id uuid constraint sync_lock_pk primary key
    constraint sync_lock_environment_id_fk references config.environment (id) on delete cascade,
  holder uuid,
  held_until timestamptz(3),
  serial bigint not null default 0,
  plan_id uuid
);
comment on table config.sync_lock is
  'One sync an environment at a time. A holder that died is followed by the next one once held_until is past.';
comment on column config.sync_lock.serial is 'Grows with each plan that begins to be applied.';
comment on column config.sync_lock.plan_id is 'The plan that was begun last: it may go on.';
