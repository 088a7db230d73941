-- Metadata files: which objects an apply has made, so that `--prune` deletes these alone; and which changes came from an apply,
-- so that one which came from elsewhere since a file's export is never overwritten unseen.

create table config.applied (
  table_name text not null,
  row_id uuid not null,
  applied_at timestamptz(3) not null default now(),
  applied_by text not null default config.actor(),
  constraint applied_pk primary key (table_name, row_id)
);
comment on table config.applied is
  'Objects that an apply of metadata files made. A row whose object is gone has no meaning.';

alter table config.change add column origin text
  constraint change_origin_check check (origin in ('apply'));
comment on column config.change.origin is
  'apply: set from metadata files; null: by the API otherwise. set_config(''lakeforge.origin'', …, true).';
create index change_version on config.change (metadata_version);

create or replace function config.record() returns trigger language plpgsql as $$
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
    (actor, table_name, row_id, operation, before, after, metadata_version, request_id, origin)
  values (
    config.actor(),
    tg_table_name,
    coalesce(is_now, was) ->> 'id',
    lower(tg_op),
    was,
    is_now,
    config.next_metadata_version(),
    nullif(current_setting('lakeforge.request_id', true), ''),
    nullif(current_setting('lakeforge.origin', true), '')
  );
  return null;
end $$;
