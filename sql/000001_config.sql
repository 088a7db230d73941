-- The metadata of LakeForge: what a team declares, who changed it, and what has been made of it elsewhere.
-- Names of constraints are part of the API: errors carry them. SQL of PostgreSQL 15: newer servers run it too.

comment on schema config is 'What is declared: sources, groups, schedules, tables, rules, compute; its audit; its plans.';

-- ## Metadata version, audit, stamps

create table config.metadata_version (
  only_row boolean constraint metadata_version_pk primary key default true
    constraint metadata_version_only_row_check check (only_row),
  value bigint not null default 0
);
comment on table config.metadata_version is
  'One row. Incremented once by each transaction that changes metadata; its row lock orders their commits.';
insert into config.metadata_version default values;

create table config.change (
  id bigint generated always as identity constraint change_pk primary key,
  actor text not null,
  table_name text not null,
  row_id text not null,
  operation text not null
    constraint change_operation_check check (operation in ('insert', 'update', 'delete')),
  before jsonb,
  after jsonb,
  metadata_version bigint not null,
  request_id text,
  changed_at timestamptz(3) not null default now()
);
comment on table config.change is 'Append-only audit of all metadata, written by triggers.';
comment on column config.change.actor is 'set_config(''lakeforge.actor'', …, true) of the transaction; else system.';
comment on column config.change.request_id is 'set_config(''lakeforge.request_id'', …, true), where there was a request.';
create index change_row on config.change (table_name, row_id, id desc);
create index change_actor on config.change (actor, id desc);

create function config.actor() returns text language sql stable as $$
  select coalesce(nullif(current_setting('lakeforge.actor', true), ''), 'system')
$$;
comment on function config.actor() is 'Who works in this transaction.';

-- The lock comes before any row of metadata is locked: two writers that lock rows first and this one after would deadlock.
create function config.take_turn() returns trigger language plpgsql as $$
begin
  perform 1 from config.metadata_version for update;
  return null;
end $$;
comment on function config.take_turn() is 'Before each statement that writes metadata: writers go one after another.';

create function config.next_metadata_version() returns bigint language plpgsql as $$
declare
  mine bigint := nullif(current_setting('lakeforge.metadata_version', true), '')::bigint;
begin
  if mine is null then
    update config.metadata_version set value = value + 1 returning value into mine;
    perform set_config('lakeforge.metadata_version', mine::text, true);
  end if;
  return mine;
end $$;
comment on function config.next_metadata_version() is 'The version that this transaction will have made; the same at each call.';

create function config.stamp() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    new.created_at := now();
    new.created_by := config.actor();
    new.version := 1;
  else
    new.id := old.id;
    new.created_at := old.created_at;
    new.created_by := old.created_by;
    new.version := old.version;
    new.updated_at := old.updated_at;
    new.updated_by := old.updated_by;
    -- what changes nothing is no change: no version, no audit
    if new is not distinct from old then
      return new;
    end if;
    new.version := old.version + 1;
  end if;
  new.updated_at := now();
  new.updated_by := config.actor();
  return new;
end $$;
comment on function config.stamp() is 'Sets version, created and updated; callers can''t.';

create function config.record() returns trigger language plpgsql as $$
declare
  was jsonb;
  is_now jsonb;
begin
  if tg_op <> 'INSERT' then was := to_jsonb(old) - 'hash'; end if;
  if tg_op <> 'DELETE' then is_now := to_jsonb(new) - 'hash'; end if;
  if was is not distinct from is_now then
    return null;
  end if;
  insert into config.change
    (actor, table_name, row_id, operation, before, after, metadata_version, request_id)
  values (
    config.actor(),
    tg_table_name,
    coalesce(is_now, was) ->> 'id',
    lower(tg_op),
    was,
    is_now,
    config.next_metadata_version(),
    nullif(current_setting('lakeforge.request_id', true), '')
  );
  return null;
end $$;
comment on function config.record() is 'Writes config.change. A token''s hash stays out of it.';

create function config.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is never changed', tg_table_name
    using errcode = '23514', constraint = tg_table_name || '_immutable_check';
end $$;
comment on function config.refuse_change() is 'For tables whose rows stay as written.';

create trigger change_immutable before update or delete on config.change
  for each row execute function config.refuse_change();

-- ## When, on what, where

create table config.schedule (
  id uuid constraint schedule_pk primary key,
  name text not null
    constraint schedule_name_check check (name ~ '^[a-z0-9_]{1,100}$'),
  description text not null default '',
  owner text not null default '',
  tags text[] not null default '{}',
  kind text not null default 'cron'
    constraint schedule_kind_check check (kind in ('cron', 'file_arrival', 'table_update')),
  quartz_cron text,
  timezone text not null default 'UTC',
  watch text[] not null default '{}',
  paused boolean not null default false,
  misfire text not null default 'run_once'
    constraint schedule_misfire_check check (misfire in ('skip', 'run_once')),
  overlap text not null default 'skip'
    constraint schedule_overlap_check check (overlap in ('queue', 'skip')),
  blackouts jsonb not null default '[]'
    constraint schedule_blackouts_check check (jsonb_typeof(blackouts) = 'array'),
  jitter_s integer not null default 0
    constraint schedule_jitter_s_check check (jitter_s between 0 and 86400),
  fired_by text not null default 'lakeforge'
    constraint schedule_fired_by_check check (fired_by in ('workspace', 'lakeforge')),
  constraint schedule_quartz_cron_check check ((kind = 'cron') = (quartz_cron is not null)),
  version integer not null default 1,
  created_at timestamptz(3) not null default now(),
  created_by text not null default '',
  updated_at timestamptz(3) not null default now(),
  updated_by text not null default '',
  constraint schedule_name_unique unique (name)
);
comment on table config.schedule is 'When a group runs.';
comment on column config.schedule.quartz_cron is
  'Six or seven fields, seconds first, as Quartz reads them; null unless kind is cron.';
comment on column config.schedule.timezone is 'IANA name in which quartz_cron and blackouts are read.';
comment on column config.schedule.watch is
  'Folders (file_arrival) or tables (table_update) whose change starts a run.';
comment on column config.schedule.misfire is
  'What happens to a run that was due while nothing could start it.';
comment on column config.schedule.overlap is
  'What happens to a run that is due while the group still runs.';
comment on column config.schedule.fired_by is
  'workspace: the schedule of the job itself; lakeforge: SyncJobs starts what is due.';
create trigger schedule_turn before insert or update or delete on config.schedule
  for each statement execute function config.take_turn();
create trigger schedule_stamp before insert or update on config.schedule
  for each row execute function config.stamp();
create trigger schedule_record after insert or update or delete on config.schedule
  for each row execute function config.record();

create table config.compute_profile (
  id uuid constraint compute_profile_pk primary key,
  name text not null
    constraint compute_profile_name_check check (name ~ '^[a-z0-9_]{1,100}$'),
  description text not null default '',
  owner text not null default '',
  tags text[] not null default '{}',
  parent_id uuid
    constraint compute_profile_parent_id_fk references config.compute_profile (id),
  mode text
    constraint compute_profile_mode_check check (mode in ('serverless', 'classic')),
  single_node boolean,
  node_type text,
  driver_node_type text,
  workers integer
    constraint compute_profile_workers_check check (workers between 0 and 100000),
  min_workers integer,
  max_workers integer,
  runtime text,
  photon boolean,
  libraries jsonb,
  spark_conf jsonb,
  policy text,
  cluster_tags jsonb,
  hourly_cost double precision
    constraint compute_profile_hourly_cost_check check (hourly_cost >= 0),
  constraint compute_profile_autoscale_check check (
    (min_workers is null) = (max_workers is null) and min_workers <= max_workers and workers is null
    or min_workers is null and max_workers is null
  ),
  constraint compute_profile_parent_id_check check (parent_id <> id),
  version integer not null default 1,
  created_at timestamptz(3) not null default now(),
  created_by text not null default '',
  updated_at timestamptz(3) not null default now(),
  updated_by text not null default '',
  constraint compute_profile_name_unique unique (name)
);
comment on table config.compute_profile is 'On what a group runs in a workspace. A null column is taken from the parent.';
comment on column config.compute_profile.single_node is
  'Null without a parent: true. Also for the clusters of pipelines.';
comment on column config.compute_profile.min_workers is 'With max_workers: autoscale, instead of workers.';
comment on column config.compute_profile.policy is 'Id of a cluster policy.';
comment on column config.compute_profile.hourly_cost is
  'Cost of one hour in the currency of the house, for estimates.';
create trigger compute_profile_turn before insert or update or delete on config.compute_profile
  for each statement execute function config.take_turn();
create trigger compute_profile_stamp before insert or update on config.compute_profile
  for each row execute function config.stamp();
create trigger compute_profile_record after insert or update or delete on config.compute_profile
  for each row execute function config.record();

create table config.environment (
  id uuid constraint environment_pk primary key,
  name text not null
    constraint environment_name_check check (name ~ '^[a-z0-9_]{1,100}$'),
  description text not null default '',
  owner text not null default '',
  tags text[] not null default '{}',
  engine text not null
    constraint environment_engine_check check (engine in ('local', 'spark', 'databricks')),
  is_default boolean not null default false,
  root text not null default '',
  home_id text,
  catalog text,
  prefix text not null default '',
  schedules_paused boolean not null default false,
  host text,
  run_as text,
  rules_need_approval boolean not null default false,
  extra_confirmation boolean not null default false,
  version integer not null default 1,
  created_at timestamptz(3) not null default now(),
  created_by text not null default '',
  updated_at timestamptz(3) not null default now(),
  updated_by text not null default '',
  constraint environment_name_unique unique (name)
);
comment on table config.environment is 'Where a group runs: laptop, dev, test, prod.';
comment on column config.environment.root is
  'Folder of the lake: raw/… and tables/<schema>/<table> lie below it. Empty: the folder lake in the home of its owner.';
comment on column config.environment.home_id is
  'Which LAKEFORGE_HOME drives a local environment; null until one has taken it.';
comment on column config.environment.prefix is
  'Put before schema names, so that several environments share a catalog.';
comment on column config.environment.extra_confirmation is 'Changes here ask once more: production.';
create unique index environment_is_default_unique on config.environment (is_default) where is_default;
create trigger environment_turn before insert or update or delete on config.environment
  for each statement execute function config.take_turn();
create trigger environment_stamp before insert or update on config.environment
  for each row execute function config.stamp();
create trigger environment_record after insert or update or delete on config.environment
  for each row execute function config.record();

-- ## What is read, and what is made of it

create table config.source (
  id uuid constraint source_pk primary key,
  name text not null
    constraint source_name_check check (name ~ '^[a-z0-9_]{1,100}$'),
  description text not null default '',
  owner text not null default '',
  tags text[] not null default '{}',
  kind text not null,
  options jsonb not null default '{}'
    constraint source_options_check check (jsonb_typeof(options) = 'object'),
  version integer not null default 1,
  created_at timestamptz(3) not null default now(),
  created_by text not null default '',
  updated_at timestamptz(3) not null default now(),
  updated_by text not null default '',
  constraint source_name_unique unique (name)
);
comment on table config.source is 'A system that is read from.';
comment on column config.source.kind is 'A key of EXTRACTORS.';
comment on column config.source.options is
  'Checked by the extractors schema. Secrets are references: secret://scope/key.';
create trigger source_turn before insert or update or delete on config.source
  for each statement execute function config.take_turn();
create trigger source_stamp before insert or update on config.source
  for each row execute function config.stamp();
create trigger source_record after insert or update or delete on config.source
  for each row execute function config.record();

create table config.source_group (
  id uuid constraint source_group_pk primary key,
  name text not null
    constraint source_group_name_check check (name ~ '^[a-z0-9_]{1,100}$'),
  description text not null default '',
  owner text not null default '',
  tags text[] not null default '{}',
  schedule_id uuid
    constraint source_group_schedule_id_fk references config.schedule (id),
  compute_profile_id uuid
    constraint source_group_compute_profile_id_fk references config.compute_profile (id),
  max_parallel integer not null default 4
    constraint source_group_max_parallel_check check (max_parallel between 1 and 1000),
  on_failure text not null default 'continue'
    constraint source_group_on_failure_check check (on_failure in ('stop', 'continue')),
  retries integer not null default 2
    constraint source_group_retries_check check (retries between 0 and 20),
  timeout_s integer
    constraint source_group_timeout_s_check check (timeout_s > 0),
  notify jsonb not null default '[]'
    constraint source_group_notify_check check (jsonb_typeof(notify) = 'array'),
  budget_month double precision
    constraint source_group_budget_month_check check (budget_month >= 0),
  version integer not null default 1,
  created_at timestamptz(3) not null default now(),
  created_by text not null default '',
  updated_at timestamptz(3) not null default now(),
  updated_by text not null default '',
  constraint source_group_name_unique unique (name)
);
comment on table config.source_group is 'Tables that run together as one batch; called group in API and UI.';
comment on column config.source_group.on_failure is
  'stop: no further step starts after a failed one; continue: only what depends on it is skipped.';
comment on column config.source_group.retries is 'Of each step, unless its table says otherwise.';
comment on column config.source_group.timeout_s is 'Seconds that an attempt of a step may take; null: no limit.';
comment on column config.source_group.budget_month is 'Cost of a month in the currency of the house; null: none.';
create index source_group_schedule on config.source_group (schedule_id);
create index source_group_compute_profile on config.source_group (compute_profile_id);
create trigger source_group_turn before insert or update or delete on config.source_group
  for each statement execute function config.take_turn();
create trigger source_group_stamp before insert or update on config.source_group
  for each row execute function config.stamp();
create trigger source_group_record after insert or update or delete on config.source_group
  for each row execute function config.record();

create table config.raw_config (
  id uuid constraint raw_config_pk primary key,
  name text not null
    constraint raw_config_name_check check (name ~ '^[a-z0-9_]{1,100}$'),
  description text not null default '',
  owner text not null default '',
  tags text[] not null default '{}',
  source_id uuid not null
    constraint raw_config_source_id_fk references config.source (id),
  group_id uuid not null
    constraint raw_config_group_id_fk references config.source_group (id),
  object text not null,
  format text,
  options jsonb not null default '{}'
    constraint raw_config_options_check check (jsonb_typeof(options) = 'object'),
  columns jsonb not null default '[]'
    constraint raw_config_columns_check check (jsonb_typeof(columns) = 'array'),
  keys text[] not null default '{}',
  read_mode text not null
    constraint raw_config_read_mode_check
      check (read_mode in ('full', 'incremental', 'cdc', 'files', 'push')),
  "cursor" jsonb,
  chunking jsonb,
  extractor text,
  retention_days integer
    constraint raw_config_retention_days_check check (retention_days > 0),
  retries integer
    constraint raw_config_retries_check check (retries between 0 and 20),
  timeout_s integer
    constraint raw_config_timeout_s_check check (timeout_s > 0),
  constraint raw_config_cursor_check check ((read_mode = 'incremental') = ("cursor" is not null)),
  version integer not null default 1,
  created_at timestamptz(3) not null default now(),
  created_by text not null default '',
  updated_at timestamptz(3) not null default now(),
  updated_by text not null default '',
  constraint raw_config_name_unique unique (source_id, name)
);
comment on table config.raw_config is 'One object of a source, taken to raw. May feed several bronze tables.';
comment on column config.raw_config.object is 'Path glob, table, query, endpoint or topic.';
comment on column config.raw_config.columns is
  'Pinned at onboarding: name, source_name, type (Spark), nullable.';
comment on column config.raw_config.keys is 'Columns that identify a row in the source.';
comment on column config.raw_config."cursor" is
  'column, start (text in the sources own precision or null), lag_s (or null).';
comment on column config.raw_config.chunking is
  'How a big object is read in parts: column, rows; null: whole.';
comment on column config.raw_config.extractor is 'A plug-in of the user; null: the one of the sources kind.';
create index raw_config_group on config.raw_config (group_id);
create index raw_config_list on config.raw_config (name, id);
create index raw_config_created on config.raw_config (created_at, id);
create index raw_config_updated on config.raw_config (updated_at, id);
create trigger raw_config_turn before insert or update or delete on config.raw_config
  for each statement execute function config.take_turn();
create trigger raw_config_stamp before insert or update on config.raw_config
  for each row execute function config.stamp();
create trigger raw_config_record after insert or update or delete on config.raw_config
  for each row execute function config.record();

create function config.default_name() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and new.name = old.name and old.name = split_part(old.target, '.', 2) then
    new.name := null;
  end if;
  new.name := coalesce(new.name, split_part(new.target, '.', 2));
  return new;
end $$;
comment on function config.default_name() is
  'The config of a table is named as its table unless it says otherwise, and follows a new name of it.';

create table config.target (
  name text constraint target_pk primary key,
  zone text not null
    constraint target_zone_check check (zone in ('bronze', 'silver', 'gold'))
);
comment on table config.target is
  'Each table that some config writes, kept by triggers: what rules and readers refer to. One table has one zone.';

create table config.input (
  reader_kind text not null,
  reader_id uuid not null,
  target text not null
    constraint input_target_fk references config.target (name) deferrable initially deferred,
  constraint input_pk primary key (reader_id, target)
);
comment on table config.input is
  'Which tables a silver or gold config, or a referential rule, reads; kept by triggers. Checked at commit.';
create index input_target on config.input (target);

create function config.keep_target() returns trigger language plpgsql as $$
declare
  left_behind boolean := false;
begin
  if tg_op <> 'INSERT' and (tg_op = 'DELETE' or old.target <> new.target) then
    left_behind := not exists (
      select from config.bronze_config where target = old.target
      union all
      select from config.silver_config where target = old.target
      union all
      select from config.gold_config where target = old.target
    );
  end if;
  if tg_op <> 'DELETE' then
    if left_behind and not exists (select from config.target where name = new.target) then
      -- a renamed table takes its rules along
      update config.target set name = new.target where name = old.target;
      left_behind := false;
    end if;
    insert into config.target (name, zone) values (new.target, tg_argv[0]) on conflict (name) do nothing;
    if (select zone from config.target where name = new.target) <> tg_argv[0] then
      raise exception 'another zone writes table %', new.target
        using errcode = '23505', schema = 'config', table = 'target', constraint = 'target_name_unique';
    end if;
  end if;
  if left_behind then
    delete from config.target where name = old.target;
  end if;
  return null;
end $$;
comment on function config.keep_target() is 'Keeps config.target. Its argument: the zone of the table it is for.';

create function config.keep_input() returns trigger language plpgsql as $$
begin
  if tg_op <> 'INSERT' then
    delete from config.input where reader_id = old.id;
  end if;
  if tg_op <> 'DELETE' then
    insert into config.input (reader_kind, reader_id, target)
    select distinct tg_table_name, new.id, read.target
    from unnest(
      case tg_table_name
        when 'silver_config' then
          array(select jsonb_array_elements_text(to_jsonb(new) -> 'from'))
          || array(select jsonb_array_elements(to_jsonb(new) -> 'joins') ->> 'table')
        when 'gold_config' then
          array(select jsonb_array_elements_text(
            coalesce(nullif(to_jsonb(new) -> 'derived', 'null'), '{}') -> 'inputs'))
        else array[to_jsonb(new) #>> '{options,table}']
      end
    ) as read (target)
    where read.target is not null;
  end if;
  return null;
end $$;
comment on function config.keep_input() is 'Keeps config.input for silver and gold configs and for rules.';

create table config.bronze_config (
  id uuid constraint bronze_config_pk primary key,
  name text not null
    constraint bronze_config_name_check check (name ~ '^[a-z0-9_]{1,100}$'),
  description text not null default '',
  owner text not null default '',
  tags text[] not null default '{}',
  raw_id uuid not null
    constraint bronze_config_raw_id_fk references config.raw_config (id),
  target text not null
    constraint bronze_config_target_check check (target ~ '^[a-z0-9_]{1,100}[.][a-z0-9_]{1,100}$'),
  source_tag text,
  schema_policy text not null default 'evolve'
    constraint bronze_config_schema_policy_check
      check (schema_policy in ('evolve', 'freeze', 'rescue', 'approve')),
  write text not null default 'append'
    constraint bronze_config_write_check check (write in ('append', 'replace')),
  quarantine boolean not null default true,
  column_policies jsonb not null default '[]'
    constraint bronze_config_column_policies_check check (jsonb_typeof(column_policies) = 'array'),
  cluster_by text[] not null default '{}',
  properties jsonb not null default '{}'
    constraint bronze_config_properties_check check (jsonb_typeof(properties) = 'object'),
  row_filter text,
  grants jsonb not null default '[]'
    constraint bronze_config_grants_check check (jsonb_typeof(grants) = 'array'),
  retries integer
    constraint bronze_config_retries_check check (retries between 0 and 20),
  timeout_s integer
    constraint bronze_config_timeout_s_check check (timeout_s > 0),
  version integer not null default 1,
  created_at timestamptz(3) not null default now(),
  created_by text not null default '',
  updated_at timestamptz(3) not null default now(),
  updated_by text not null default ''
);
comment on table config.bronze_config is 'Raw to bronze. Several may name one target: fan-in, told apart by _source.';
comment on column config.bronze_config.source_tag is
  'Value of _source where several configs feed the table; null: the name of the raw config.';
comment on column config.bronze_config.quarantine is
  'Whether rows may go to <table>_quarantine; without it no rule may quarantine.';
comment on column config.bronze_config.column_policies is
  'Per column: policy (mask, hash, exclude), rename, comment, pii.';
comment on column config.bronze_config.row_filter is
  'Databricks SQL; readers see rows where it is true. Null: all.';
comment on column config.bronze_config.grants is 'principal, privileges.';
create unique index bronze_config_name_unique on config.bronze_config (split_part(target, '.', 1), name);
create trigger bronze_config_default_name before insert or update on config.bronze_config
  for each row execute function config.default_name();
create trigger bronze_config_target after insert or update of target or delete on config.bronze_config
  for each row execute function config.keep_target('bronze');

create index bronze_config_raw on config.bronze_config (raw_id);
create index bronze_config_target on config.bronze_config (target);
create index bronze_config_list on config.bronze_config (name, id);
create index bronze_config_created on config.bronze_config (created_at, id);
create index bronze_config_updated on config.bronze_config (updated_at, id);
create trigger bronze_config_turn before insert or update or delete on config.bronze_config
  for each statement execute function config.take_turn();
create trigger bronze_config_stamp before insert or update on config.bronze_config
  for each row execute function config.stamp();
create trigger bronze_config_record after insert or update or delete on config.bronze_config
  for each row execute function config.record();

create function config.check_fan_in() returns trigger language plpgsql as $$
declare
  targets text[];
  bad text;
begin
  if tg_table_name = 'raw_config' then
    targets := array(select target from config.bronze_config where raw_id = new.id);
  else
    targets := array[new.target];
  end if;
  select b.target into bad
  from config.bronze_config b join config.raw_config r on r.id = b.raw_id
  where b.target = any (targets)
  group by b.target
  having count(distinct r.group_id) > 1
    or count(*) > 1 and bool_or(b.write = 'replace')
  limit 1;
  if bad is not null then
    raise exception 'configs that feed % must append and share one group', bad
      using errcode = '23514', schema = 'config', table = 'bronze_config',
        constraint = 'bronze_config_fan_in_check';
  end if;
  return null;
end $$;
comment on function config.check_fan_in() is
  'Configs that feed one table share a group, whose batches write it in order, and append to it.';
create constraint trigger bronze_config_fan_in after insert or update on config.bronze_config
  deferrable initially deferred
  for each row execute function config.check_fan_in();
create constraint trigger raw_config_fan_in after update of group_id on config.raw_config
  deferrable initially deferred
  for each row execute function config.check_fan_in();

create table config.silver_config (
  id uuid constraint silver_config_pk primary key,
  name text not null
    constraint silver_config_name_check check (name ~ '^[a-z0-9_]{1,100}$'),
  description text not null default '',
  owner text not null default '',
  tags text[] not null default '{}',
  group_id uuid not null
    constraint silver_config_group_id_fk references config.source_group (id),
  target text not null
    constraint silver_config_target_check check (target ~ '^[a-z0-9_]{1,100}[.][a-z0-9_]{1,100}$'),
  "from" text[] not null
    constraint silver_config_from_check check (cardinality("from") > 0),
  joins jsonb not null default '[]'
    constraint silver_config_joins_check check (jsonb_typeof(joins) = 'array'),
  "select" jsonb not null default '[]'
    constraint silver_config_select_check check (jsonb_typeof("select") = 'array'),
  "where" text,
  load_type text not null
    constraint silver_config_load_type_check
      check (load_type in ('append', 'replace', 'merge', 'scd2', 'cdc', 'snapshot')),
  keys text[] not null default '{}',
  sequence_by text,
  delete_when text,
  dedupe boolean not null default false,
  columns jsonb not null default '[]'
    constraint silver_config_columns_check check (jsonb_typeof(columns) = 'array'),
  derived jsonb,
  quarantine boolean not null default true,
  column_policies jsonb not null default '[]'
    constraint silver_config_column_policies_check check (jsonb_typeof(column_policies) = 'array'),
  cluster_by text[] not null default '{}',
  properties jsonb not null default '{}'
    constraint silver_config_properties_check check (jsonb_typeof(properties) = 'object'),
  row_filter text,
  grants jsonb not null default '[]'
    constraint silver_config_grants_check check (jsonb_typeof(grants) = 'array'),
  writer text
    constraint silver_config_writer_check check (writer in ('pipeline', 'lakeforge')),
  retries integer
    constraint silver_config_retries_check check (retries between 0 and 20),
  timeout_s integer
    constraint silver_config_timeout_s_check check (timeout_s > 0),
  constraint silver_config_keys_check
    check (load_type not in ('merge', 'scd2', 'cdc', 'snapshot') or cardinality(keys) > 0),
  constraint silver_config_sequence_by_check
    check (load_type not in ('scd2', 'cdc') or sequence_by is not null),
  version integer not null default 1,
  created_at timestamptz(3) not null default now(),
  created_by text not null default '',
  updated_at timestamptz(3) not null default now(),
  updated_by text not null default '',
  constraint silver_config_target_unique unique (target)
);
comment on table config.silver_config is 'Bronze to silver: cleaned, typed, keyed.';
comment on column config.silver_config."from" is
  'Tables read; the first one drives the load, each other one needs a join.';
comment on column config.silver_config.joins is 'table, alias, kind (inner, left), on (Databricks SQL).';
comment on column config.silver_config."select" is
  'name, expression (Databricks SQL), in order; empty: all columns of the first table.';
comment on column config.silver_config.sequence_by is 'Databricks SQL: which of two rows with equal keys is newer.';
comment on column config.silver_config.delete_when is 'Databricks SQL: rows that delete their key.';
comment on column config.silver_config.columns is
  'Derived at save from the SQL, then pinned: name, type (Spark), nullable.';
comment on column config.silver_config.derived is
  'What the SQL check found at save: dialect_version, inputs, lineage; null before it.';
comment on column config.silver_config.writer is
  'pipeline or lakeforge in a workspace; null: the one that keeps the tables promises.';
comment on column config.silver_config.quarantine is
  'Whether rows may go to <table>_quarantine; without it no rule may quarantine.';
comment on column config.silver_config.column_policies is
  'Per column: policy (mask, hash, exclude), rename, comment, pii.';
comment on column config.silver_config.row_filter is
  'Databricks SQL; readers see rows where it is true. Null: all.';
comment on column config.silver_config.grants is 'principal, privileges.';
create unique index silver_config_name_unique on config.silver_config (split_part(target, '.', 1), name);
create trigger silver_config_default_name before insert or update on config.silver_config
  for each row execute function config.default_name();
create trigger silver_config_target after insert or update of target or delete on config.silver_config
  for each row execute function config.keep_target('silver');

create trigger silver_config_input after insert or update or delete on config.silver_config
  for each row execute function config.keep_input();
create index silver_config_group on config.silver_config (group_id);
create index silver_config_list on config.silver_config (name, id);
create index silver_config_created on config.silver_config (created_at, id);
create index silver_config_updated on config.silver_config (updated_at, id);
create trigger silver_config_turn before insert or update or delete on config.silver_config
  for each statement execute function config.take_turn();
create trigger silver_config_stamp before insert or update on config.silver_config
  for each row execute function config.stamp();
create trigger silver_config_record after insert or update or delete on config.silver_config
  for each row execute function config.record();

create table config.gold_config (
  id uuid constraint gold_config_pk primary key,
  name text not null
    constraint gold_config_name_check check (name ~ '^[a-z0-9_]{1,100}$'),
  description text not null default '',
  owner text not null default '',
  tags text[] not null default '{}',
  group_id uuid not null
    constraint gold_config_group_id_fk references config.source_group (id),
  target text not null
    constraint gold_config_target_check check (target ~ '^[a-z0-9_]{1,100}[.][a-z0-9_]{1,100}$'),
  query text not null,
  materialisation text not null default 'replace'
    constraint gold_config_materialisation_check
      check (materialisation in ('replace', 'incremental')),
  columns jsonb not null default '[]'
    constraint gold_config_columns_check check (jsonb_typeof(columns) = 'array'),
  derived jsonb,
  quarantine boolean not null default true,
  column_policies jsonb not null default '[]'
    constraint gold_config_column_policies_check check (jsonb_typeof(column_policies) = 'array'),
  cluster_by text[] not null default '{}',
  properties jsonb not null default '{}'
    constraint gold_config_properties_check check (jsonb_typeof(properties) = 'object'),
  row_filter text,
  grants jsonb not null default '[]'
    constraint gold_config_grants_check check (jsonb_typeof(grants) = 'array'),
  writer text
    constraint gold_config_writer_check check (writer in ('pipeline', 'lakeforge')),
  retries integer
    constraint gold_config_retries_check check (retries between 0 and 20),
  timeout_s integer
    constraint gold_config_timeout_s_check check (timeout_s > 0),
  version integer not null default 1,
  created_at timestamptz(3) not null default now(),
  created_by text not null default '',
  updated_at timestamptz(3) not null default now(),
  updated_by text not null default '',
  constraint gold_config_target_unique unique (target)
);
comment on table config.gold_config is 'Silver to gold: a query that answers a question.';
comment on column config.gold_config.query is 'One select statement in Databricks SQL.';
comment on column config.gold_config.columns is
  'Derived at save from the SQL, then pinned: name, type (Spark), nullable.';
comment on column config.gold_config.derived is
  'What the SQL check found at save: dialect_version, inputs, lineage; null before it.';
comment on column config.gold_config.writer is
  'pipeline or lakeforge in a workspace; null: the one that keeps the tables promises.';
comment on column config.gold_config.quarantine is
  'Whether rows may go to <table>_quarantine; without it no rule may quarantine.';
comment on column config.gold_config.column_policies is
  'Per column: policy (mask, hash, exclude), rename, comment, pii.';
comment on column config.gold_config.row_filter is
  'Databricks SQL; readers see rows where it is true. Null: all.';
comment on column config.gold_config.grants is 'principal, privileges.';
create unique index gold_config_name_unique on config.gold_config (split_part(target, '.', 1), name);
create trigger gold_config_default_name before insert or update on config.gold_config
  for each row execute function config.default_name();
create trigger gold_config_target after insert or update of target or delete on config.gold_config
  for each row execute function config.keep_target('gold');

create trigger gold_config_input after insert or update or delete on config.gold_config
  for each row execute function config.keep_input();
create index gold_config_group on config.gold_config (group_id);
create index gold_config_list on config.gold_config (name, id);
create index gold_config_created on config.gold_config (created_at, id);
create index gold_config_updated on config.gold_config (updated_at, id);
create trigger gold_config_turn before insert or update or delete on config.gold_config
  for each statement execute function config.take_turn();
create trigger gold_config_stamp before insert or update on config.gold_config
  for each row execute function config.stamp();
create trigger gold_config_record after insert or update or delete on config.gold_config
  for each row execute function config.record();

-- ## Rules

create function config.fingerprint() returns trigger language plpgsql as $$
begin
  new.fingerprint := md5(jsonb_build_array(
    new.target, new."check", new.columns, new.options, new.filter, new.null_passes)::text);
  return new;
end $$;
comment on function config.fingerprint() is 'What a rule says, without its name and what follows from it.';

create table config.dq_rule (
  id uuid constraint dq_rule_pk primary key,
  name text not null
    constraint dq_rule_name_check check (name ~ '^[a-z0-9_]{1,100}$'),
  description text not null default '',
  owner text not null default '',
  tags text[] not null default '{}',
  target text not null
    constraint dq_rule_target_fk references config.target (name) on update cascade,
  "check" text not null,
  columns text[] not null default '{}',
  options jsonb not null default '{}'
    constraint dq_rule_options_check check (jsonb_typeof(options) = 'object'),
  filter text,
  on_fail text not null default 'warn'
    constraint dq_rule_on_fail_check check (on_fail in ('warn', 'drop', 'quarantine', 'fail')),
  threshold double precision not null default 0
    constraint dq_rule_threshold_check check (threshold >= 0 and threshold <= 1),
  null_passes boolean not null default false,
  status text not null default 'approved'
    constraint dq_rule_status_check
      check (status in ('draft', 'proposed', 'approved', 'rejected', 'disabled')),
  origin text not null default 'manual'
    constraint dq_rule_origin_check
      check (origin in ('manual', 'suggested', 'imported', 'assistant')),
  fingerprint text not null,
  version integer not null default 1,
  created_at timestamptz(3) not null default now(),
  created_by text not null default '',
  updated_at timestamptz(3) not null default now(),
  updated_by text not null default '',
  constraint dq_rule_name_unique unique (target, name)
);
comment on table config.dq_rule is 'A check on the rows of a table.';
comment on column config.dq_rule."check" is 'A key of CHECKS.';
comment on column config.dq_rule.columns is 'Columns that the rule looks at.';
comment on column config.dq_rule.filter is
  'Databricks SQL; the rule looks only at rows where it is true. Null: at all.';
comment on column config.dq_rule.threshold is
  'Share of failing rows, 0 to 1, up to which on_fail does not apply.';
comment on column config.dq_rule.null_passes is 'Whether a row passes for which the rule yields null.';
comment on column config.dq_rule.status is 'Only approved rules run.';
comment on column config.dq_rule.fingerprint is 'Of what the rule says; set by trigger.';
create trigger dq_rule_fingerprint before insert or update on config.dq_rule
  for each row execute function config.fingerprint();
create trigger dq_rule_input after insert or update or delete on config.dq_rule
  for each row execute function config.keep_input();
create index dq_rule_list on config.dq_rule (name, id);
create index dq_rule_created on config.dq_rule (created_at, id);
create index dq_rule_updated on config.dq_rule (updated_at, id);
create trigger dq_rule_turn before insert or update or delete on config.dq_rule
  for each statement execute function config.take_turn();
create trigger dq_rule_stamp before insert or update on config.dq_rule
  for each row execute function config.stamp();
create trigger dq_rule_record after insert or update or delete on config.dq_rule
  for each row execute function config.record();

create table config.rule_set (
  id uuid constraint rule_set_pk primary key,
  name text not null
    constraint rule_set_name_check check (name ~ '^[a-z0-9_]{1,100}$'),
  description text not null default '',
  owner text not null default '',
  tags text[] not null default '{}',
  rules jsonb not null default '[]'
    constraint rule_set_rules_check check (jsonb_typeof(rules) = 'array'),
  parameters jsonb not null default '{}'
    constraint rule_set_parameters_check check (jsonb_typeof(parameters) = 'object'),
  attach_tags text[] not null default '{}',
  attach_tables text[] not null default '{}',
  zones text[] not null default '{silver}',
  status text not null default 'approved'
    constraint rule_set_status_check
      check (status in ('draft', 'proposed', 'approved', 'rejected', 'disabled')),
  version integer not null default 1,
  created_at timestamptz(3) not null default now(),
  created_by text not null default '',
  updated_at timestamptz(3) not null default now(),
  updated_by text not null default '',
  constraint rule_set_name_unique unique (name)
);
comment on table config.rule_set is 'Rules with parameters, for every table that has one of its tags or names.';
comment on column config.rule_set.rules is
  'name, check, columns, options, filter, on_fail, threshold, null_passes; {{parameter}} stands for a value.';
comment on column config.rule_set.parameters is 'Name to default value.';
comment on column config.rule_set.attach_tables is 'schema.table, * for any part.';
create trigger rule_set_turn before insert or update or delete on config.rule_set
  for each statement execute function config.take_turn();
create trigger rule_set_stamp before insert or update on config.rule_set
  for each row execute function config.stamp();
create trigger rule_set_record after insert or update or delete on config.rule_set
  for each row execute function config.record();

-- ## Doors for others

create table config.webhook (
  id uuid constraint webhook_pk primary key,
  name text not null
    constraint webhook_name_check check (name ~ '^[a-z0-9_]{1,100}$'),
  description text not null default '',
  owner text not null default '',
  tags text[] not null default '{}',
  mode text not null
    constraint webhook_mode_check check (mode in ('trigger', 'push')),
  group_id uuid
    constraint webhook_group_id_fk references config.source_group (id),
  raw_id uuid
    constraint webhook_raw_id_fk references config.raw_config (id),
  secret text not null
    constraint webhook_secret_check check (secret like 'secret://%'),
  paused boolean not null default false,
  constraint webhook_mode_target_check check (
    mode = 'trigger' and group_id is not null and raw_id is null
    or mode = 'push' and raw_id is not null and group_id is null
  ),
  version integer not null default 1,
  created_at timestamptz(3) not null default now(),
  created_by text not null default '',
  updated_at timestamptz(3) not null default now(),
  updated_by text not null default '',
  constraint webhook_name_unique unique (name)
);
comment on table config.webhook is 'A door for a source system: starts a group, or takes rows for a raw object.';
comment on column config.webhook.secret is 'Reference of the signing secret.';
create trigger webhook_turn before insert or update or delete on config.webhook
  for each statement execute function config.take_turn();
create trigger webhook_stamp before insert or update on config.webhook
  for each row execute function config.stamp();
create trigger webhook_record after insert or update or delete on config.webhook
  for each row execute function config.record();

create table config.delivery (
  id uuid constraint delivery_pk primary key,
  webhook_id uuid not null
    constraint delivery_webhook_id_fk references config.webhook (id) on delete cascade,
  delivery_key text,
  body_sha256 text not null,
  body_bytes bigint not null,
  outcome text not null
    constraint delivery_outcome_check check (outcome in ('accepted', 'repeated', 'refused', 'failed')),
  batch_id uuid,
  error_code text,
  error_message text,
  received_at timestamptz(3) not null default now(),
  constraint delivery_delivery_key_unique unique (webhook_id, delivery_key)
);
comment on table config.delivery is 'What arrived at a webhook, and what came of it.';
comment on column config.delivery.delivery_key is 'The sender''s own id of the delivery: a repeated one is taken once.';
create index delivery_received on config.delivery (webhook_id, id desc);

create table config.token (
  id uuid constraint token_pk primary key,
  name text not null
    constraint token_name_check check (name ~ '^[a-z0-9_]{1,100}$'),
  description text not null default '',
  owner text not null default '',
  tags text[] not null default '{}',
  hash text not null,
  hint text not null,
  role text not null
    constraint token_role_check check (role in ('viewer', 'operator', 'editor', 'approver', 'admin')),
  group_id uuid
    constraint token_group_id_fk references config.source_group (id),
  expires_at timestamptz(3),
  revoked_at timestamptz(3),
  last_used_at timestamptz(3),
  version integer not null default 1,
  created_at timestamptz(3) not null default now(),
  created_by text not null default '',
  updated_at timestamptz(3) not null default now(),
  updated_by text not null default '',
  constraint token_name_unique unique (name),
  constraint token_hash_unique unique (hash)
);
comment on table config.token is 'API tokens. The token itself is shown once and never stored.';
comment on column config.token.hash is 'sha256 of the token, hex.';
comment on column config.token.hint is 'The tokens first characters, to tell tokens apart.';
comment on column config.token.group_id is 'The role holds for this group alone; null: everywhere.';
comment on column config.token.last_used_at is 'Written without audit or version.';
create trigger token_turn
  before insert or delete or
    update of name, description, owner, tags, hash, hint, role, group_id, expires_at, revoked_at
  on config.token
  for each statement execute function config.take_turn();
create trigger token_stamp
  before insert or
    update of name, description, owner, tags, hash, hint, role, group_id, expires_at, revoked_at
  on config.token
  for each row execute function config.stamp();
create trigger token_record
  after insert or delete or
    update of name, description, owner, tags, hash, hint, role, group_id, expires_at, revoked_at
  on config.token
  for each row execute function config.record();

create table config.idempotency_key (
  actor text not null,
  route text not null,
  key text not null,
  request_hash text not null,
  status integer,
  response jsonb,
  created_at timestamptz(3) not null default now(),
  constraint idempotency_key_pk primary key (actor, route, key)
);
comment on table config.idempotency_key is 'Answers that are given again when the same request comes again.';
comment on column config.idempotency_key.status is 'HTTP status of the answer; null while the first request is still at work.';
create index idempotency_key_created on config.idempotency_key (created_at);

-- ## What people and programs propose and decide

create table config.suggestion (
  id uuid constraint suggestion_pk primary key,
  kind text not null,
  target text not null,
  evidence jsonb not null default '{}',
  confidence double precision
    constraint suggestion_confidence_check check (confidence between 0 and 1),
  proposal jsonb not null,
  proposed_by text not null,
  decision text
    constraint suggestion_decision_check check (decision in ('accepted', 'rejected')),
  reason text,
  decided_by text,
  decided_at timestamptz(3),
  created_at timestamptz(3) not null default now(),
  constraint suggestion_decided_at_check check ((decision is null) = (decided_at is null))
);
comment on table config.suggestion is 'What a profiler or an assistant proposes; a person decides.';
create index suggestion_open on config.suggestion (id desc) where decision is null;
create index suggestion_target on config.suggestion (target, id desc);

create table config.schema_decision (
  id uuid constraint schema_decision_pk primary key,
  bronze_id uuid not null
    constraint schema_decision_bronze_id_fk references config.bronze_config (id) on delete cascade,
  batch_id uuid,
  change jsonb not null,
  decision text
    constraint schema_decision_decision_check check (decision in ('accepted', 'rejected')),
  reason text,
  decided_by text,
  decided_at timestamptz(3),
  created_at timestamptz(3) not null default now(),
  constraint schema_decision_decided_at_check check ((decision is null) = (decided_at is null))
);
comment on table config.schema_decision is 'A schema change that waits for a person, or what the person decided.';
create index schema_decision_bronze on config.schema_decision (bronze_id, id desc);

create table config.quarantine_action (
  id uuid constraint quarantine_action_pk primary key,
  target text not null,
  environment text not null,
  action text not null
    constraint quarantine_action_action_check check (action in ('release', 'repair', 'discard')),
  filter jsonb not null default '{}',
  changes jsonb not null default '{}',
  rows_affected bigint,
  batch_id uuid,
  reason text not null default '',
  requested_by text not null default config.actor(),
  created_at timestamptz(3) not null default now(),
  finished_at timestamptz(3)
);
comment on table config.quarantine_action is 'What was done with rows in quarantine: let through, repaired, thrown away.';
create index quarantine_action_target on config.quarantine_action (target, id desc);

-- ## Plans, and what has been made in a workspace

create table config.plan (
  hash text constraint plan_pk primary key,
  group_id uuid not null,
  plan json not null,
  created_at timestamptz(3) not null default now()
);
comment on table config.plan is 'Plans by content hash. Immutable; group_id has no reference, since a plan outlives its group.';
create index plan_group on config.plan (group_id, created_at desc);
create trigger plan_immutable before update on config.plan
  for each row execute function config.refuse_change();

create table config.placement (
  environment_id uuid not null
    constraint placement_environment_id_fk references config.environment (id),
  target text not null,
  pipeline_key text,
  job_key text not null,
  assigned_at timestamptz(3) not null default now(),
  constraint placement_pk primary key (environment_id, target)
);
comment on table config.placement is
  'Which table lives in which pipeline and job. Assigned once: a moved table would lose its streaming state.';
create index placement_job on config.placement (environment_id, job_key);

create table config.resource (
  id uuid constraint resource_pk primary key,
  environment_id uuid not null
    constraint resource_environment_id_fk references config.environment (id),
  kind text not null,
  key text not null,
  remote_id text,
  desired_hash text not null,
  applied jsonb,
  state text not null
    constraint resource_state_check check (state in ('creating', 'present', 'deleting', 'gone', 'drifted')),
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  constraint resource_key_unique unique (environment_id, kind, key)
);
comment on table config.resource is 'What sync has made in a workspace.';
comment on column config.resource.applied is 'The spec as last applied: the middle of the three-way comparison.';

create table config.sync_plan (
  id uuid constraint sync_plan_pk primary key,
  environment_id uuid not null
    constraint sync_plan_environment_id_fk references config.environment (id) on delete cascade,
  metadata_version bigint not null,
  base_hash text not null,
  actions jsonb not null
    constraint sync_plan_actions_check check (jsonb_typeof(actions) = 'array'),
  requested_by text not null default config.actor(),
  created_at timestamptz(3) not null default now()
);
comment on table config.sync_plan is 'Stored plans of sync; one is applied only while its base has not moved.';
create index sync_plan_environment on config.sync_plan (environment_id, id desc);

-- ## Who needs whom

create function config.dependants(p_table text, p_id uuid)
returns table (table_name text, id uuid, name text) language sql stable as $$
  -- a branch for each pair of tables, so that each can use its index
  with written as (
    select own.target from (
      select target from config.bronze_config where p_table = 'bronze_config' and id = p_id
      union all
      select target from config.silver_config where p_table = 'silver_config' and id = p_id
      union all
      select target from config.gold_config where p_table = 'gold_config' and id = p_id
    ) own
    -- while another config feeds the table too, nothing that reads it is left without
    where not exists (
      select from config.bronze_config other where other.target = own.target and other.id <> p_id
    )
  ),
  found (table_name, id, name) as (
    select 'raw_config', r.id, r.name from config.raw_config r
    where p_table = 'source' and r.source_id = p_id
    union all
    select 'raw_config', r.id, r.name from config.raw_config r
    where p_table = 'source_group' and r.group_id = p_id
    union all
    select 'source_group', g.id, g.name from config.source_group g
    where p_table = 'schedule' and g.schedule_id = p_id
    union all
    select 'source_group', g.id, g.name from config.source_group g
    where p_table = 'compute_profile' and g.compute_profile_id = p_id
    union all
    select 'compute_profile', c.id, c.name from config.compute_profile c
    where p_table = 'compute_profile' and c.parent_id = p_id
    union all
    select 'bronze_config', b.id, b.target from config.bronze_config b
    where p_table = 'raw_config' and b.raw_id = p_id
    union all
    select 'silver_config', s.id, s.target from config.silver_config s
    where p_table = 'source_group' and s.group_id = p_id
    union all
    select 'gold_config', g.id, g.target from config.gold_config g
    where p_table = 'source_group' and g.group_id = p_id
    union all
    select 'webhook', w.id, w.name from config.webhook w
    where p_table = 'source_group' and w.group_id = p_id or p_table = 'raw_config' and w.raw_id = p_id
    union all
    select 'token', t.id, t.name from config.token t
    where p_table = 'source_group' and t.group_id = p_id
    union all
    select 'dq_rule', d.id, d.name from config.dq_rule d join written on d.target = written.target
    union all
    select i.reader_kind, i.reader_id, coalesce(s.target, g.target, d.name)
    from config.input i
    join written on i.target = written.target
    left join config.silver_config s on s.id = i.reader_id
    left join config.gold_config g on g.id = i.reader_id
    left join config.dq_rule d on d.id = i.reader_id
    where i.reader_id <> p_id
    union all
    select 'resource', r.id, r.key from config.resource r
    where p_table = 'environment' and r.environment_id = p_id
    union all
    select 'placement', null::uuid, p.target from config.placement p
    where p_table = 'environment' and p.environment_id = p_id
  )
  select distinct found.table_name, found.id, found.name from found order by 1, 3
$$;
comment on function config.dependants(text, uuid) is
  'What must go before a row can be deleted: table, id and name of each thing that refers to it.';
