// Every failure of LakeForge by name: its HTTP status, whether trying again can help, what to say, what to do next.
// Codes are part of the API and stable. Messages and hints take parameters in braces; a caller gives values, never prose.

type Entry = { status: number; retry: boolean; message: string; hint: string }

/** Sorted by code. `retry`: the same request may succeed later without a change. */
export const ERRORS = {
  address_refused: {
    status: 422,
    retry: false,
    message: '{host} is not an address of the public internet.',
    hint: 'Use a public address, or set LAKEFORGE_ALLOW_PRIVATE_HTTP=1 if you trust your network.',
  },
  already_exists: {
    status: 409,
    retry: false,
    message: 'There is already such a {kind} ({constraint}).',
    hint: 'Choose another name, or change the one that is there.',
  },
  apply_conflict: {
    status: 409,
    retry: false,
    message: '{count} things have changed since the files were exported.',
    hint: 'Export again and take the changes over, or apply with force to overwrite them.',
  },
  auth_unknown: {
    status: 500,
    retry: false,
    message: 'LAKEFORGE_AUTH is "{mode}", which is no mode.',
    hint: 'Use local or token.',
  },
  backup_invalid: {
    status: 422,
    retry: false,
    message: "The backup can't be restored: {reason}.",
    hint: 'Take a file that `lakeforge backup` has written to its end; nothing was changed.',
  },
  backup_version: {
    status: 422,
    retry: false,
    message: 'The backup was made by a newer LakeForge ({what}).',
    hint: 'Restore it with that version or a later one.',
  },
  balance_open: {
    status: 500,
    retry: false,
    message: 'The balance of "{table}" does not close: {balance}.',
    hint: 'Nothing was committed. Report this with the batch: a row was lost or counted twice.',
  },
  batch_final: {
    status: 409,
    retry: false,
    message: 'The batch has ended: it {state}.',
    hint: 'Start a new one, or retry it.',
  },
  batch_not_final: {
    status: 409,
    retry: true,
    message: 'The batch is still {state}.',
    hint: 'Wait for its end, or cancel it first.',
  },
  batch_running: {
    status: 409,
    retry: true,
    message: 'A batch of the group runs or waits.',
    hint: 'Wait for its end, or cancel it first.',
  },
  bind_refused: {
    status: 500,
    retry: false,
    message: 'Listening on {host} would open LakeForge to the network without authentication.',
    hint: 'Set LAKEFORGE_AUTH=token, or leave HOST at 127.0.0.1.',
  },
  body_too_large: {
    status: 413,
    retry: false,
    message: 'The body is larger than 32 MiB.',
    hint: 'Send it in parts.',
  },
  breaks_dependant: {
    status: 409,
    retry: false,
    message: 'The table {table} would no longer work: {reason}',
    hint: 'Change that table first, or together with this in one apply.',
  },
  column_ambiguous: {
    status: 422,
    retry: false,
    message: 'The column "{column}" could be any of: {candidates}.',
    hint: 'Put the table’s name or alias before it.',
  },
  column_duplicate: {
    status: 422,
    retry: false,
    message: 'Two columns are named "{column}".',
    hint: 'Give one of them another name with AS.',
  },
  column_unknown: {
    status: 422,
    retry: false,
    message: 'There is no column "{column}" in {where}.',
    hint: 'Pick one of: {columns}.',
  },
  compute_profile_cycle: {
    status: 422,
    retry: false,
    message: 'The compute profile "{name}" is its own ancestor.',
    hint: 'Give one of the profiles another parent.',
  },
  constraint_violated: {
    status: 422,
    retry: false,
    message: 'The {kind} breaks the rule {constraint}.',
    hint: 'Look at the reference of this resource for what is allowed.',
  },
  content_hash_invalid: {
    status: 422,
    retry: false,
    message: '"{text}" is not a content hash.',
    hint: 'A content hash has 16 lower-case hex digits, with a leading ~ when it is approximate.',
  },
  cron_invalid: {
    status: 422,
    retry: false,
    message: 'The cron expression is not valid: its {field} cannot be "{value}".',
    hint: 'Allowed: {allowed}.',
  },
  csv_malformed: {
    status: 422,
    retry: false,
    message: '"{file}" is not well-formed: {reason}.',
    hint: 'Check delimiter, quote and encoding; with bad_rows = rescue, ragged rows are kept in _rescued_data.',
  },
  cursor_invalid: {
    status: 422,
    retry: false,
    message: 'The page cursor is not one that LakeForge gave.',
    hint: 'Start again without `after`.',
  },
  database_url_missing: {
    status: 503,
    retry: false,
    message: 'This Worker has no database: its secret DATABASE_URL is not set.',
    hint: 'Run `npx wrangler secret put DATABASE_URL` and give postgres://user:password@host:port/database.',
  },
  delta_conflict: {
    status: 409,
    retry: true,
    message: 'Another writer committed version {version} of {table} first.',
    hint: 'Retry the step; let one program at a time write to a table.',
  },
  delta_corrupt: {
    status: 500,
    retry: false,
    message: 'The Delta log of {table} is damaged: {reason}.',
    hint: 'Restore the table folder from a backup, or rebuild the table by a replay.',
  },
  delta_file_refused: {
    status: 500,
    retry: true,
    message: 'The file "{path}" can not be committed to {table}: {reason}.',
    hint: 'Retry the batch; if it happens again, look whether something else changes the table folder.',
  },
  delta_files_gone: {
    status: 410,
    retry: false,
    message: 'Files that {table} got between versions {after} and {up_to} were vacuumed.',
    hint: 'Run a full refresh of the tables that read from it, and keep files longer.',
  },
  delta_schema_refused: {
    status: 422,
    retry: false,
    message: 'Column "{column}" of {table} can not be written so: {reason}.',
    hint: 'Choose another name or type, or replace the whole table (full refresh).',
  },
  delta_txn_repeated: {
    status: 409,
    retry: false,
    message: 'Table {table} already holds batch {version} of "{app_id}".',
    hint: 'Nothing was written; look at the history of the table.',
  },
  delta_unsupported: {
    status: 422,
    retry: false,
    message: 'Table {table} uses a feature of Delta Lake that LakeForge lacks: {feature}.',
    hint: 'Turn the feature off in the program that writes the table, or let that program copy it.',
  },
  delta_version_unknown: {
    status: 404,
    retry: false,
    message: 'Table {table} has no version {version}.',
    hint: 'The newest version is {last}.',
  },
  disk_full: {
    status: 507,
    retry: true,
    message: 'The disk that holds "{path}" is full.',
    hint: 'Free some space and retry; nothing half-written was committed.',
  },
  disk_unsupported: {
    status: 422,
    retry: false,
    message: 'The file system of "{path}" has no hard links, which commits need.',
    hint: 'Put LAKEFORGE_HOME on a local disk (ext4, xfs, btrfs, APFS, NTFS).',
  },
  encoding_invalid: {
    status: 422,
    retry: false,
    message: '"{file}" holds {reason}.',
    hint: 'Set the encoding of the raw config to what the file is written in; the raw copy is kept as it came.',
  },
  engine_failed: {
    status: 500,
    retry: true,
    message: 'The engine failed: {reason}',
    hint: 'Retry the step; nothing half-written was committed.',
  },
  engine_killed: {
    status: 500,
    retry: true,
    message: 'The engine process ended in the middle of the step ({reason}).',
    hint: 'Most often the machine ran out of memory: lower the memory setting or max_parallel, then retry.',
  },
  engine_lacks: {
    status: 409,
    retry: false,
    message: 'The engine {engine} can not {what} yet.',
    hint: 'Refresh the tables fully, or work in a local environment.',
  },
  engine_unavailable: {
    status: 503,
    retry: false,
    message: 'There is no engine here for {what}.',
    hint: 'Ask a LakeForge that runs on Node and owns the lake.',
  },
  engine_unsupported: {
    status: 422,
    retry: false,
    message: 'The {engine} engine does not support {what}.',
    hint: 'Choose another one, or run this group in an environment whose engine has it.',
  },
  environment_unknown: {
    status: 422,
    retry: false,
    message: 'There is no environment {name}.',
    hint: 'Pick one that GET /api/environments lists.',
  },
  file_denied: {
    status: 422,
    retry: false,
    message: 'The engine may not touch a file: {reason}',
    hint: "Check the file's permissions; an engine reads and writes only below the lake's root.",
  },
  file_missing: {
    status: 422,
    retry: false,
    message: 'A file is gone: {path}',
    hint: 'Restore the file, or replay the batch that wrote it.',
  },
  file_truncated: {
    status: 422,
    retry: true,
    message: '"{file}" ends in the middle: it is not a whole {kind} file.',
    hint: 'Wait until the delivery is complete, or deliver the file again; nothing of it was taken.',
  },
  file_unreadable: {
    status: 422,
    retry: false,
    message: 'A file can not be read: {reason}',
    hint: 'Deliver the file again; the raw copy is kept as it came.',
  },
  forbidden: {
    status: 403,
    retry: false,
    message: 'This needs the role {role}.',
    hint: 'Ask an admin for the role, or use a token that has it.',
  },
  history_gone: {
    status: 409,
    retry: false,
    message: 'The log of "{table}" no longer says which rows of "{input}" it holds.',
    hint: 'Refresh the table fully, or replay with --apply.',
  },
  home_in_use: {
    status: 409,
    retry: true,
    message: 'Another LakeForge owns the home "{dir}"{where}.',
    hint: 'Use the one that runs, stop it, or set LAKEFORGE_HOME to another folder.',
  },
  host_refused: {
    status: 403,
    retry: false,
    message: 'This host or origin is not allowed here.',
    hint: 'Open LakeForge by the address that it printed at its start.',
  },
  idempotency_key_invalid: {
    status: 422,
    retry: false,
    message: 'Idempotency-Key must be 1 to 255 characters.',
    hint: 'Send a uuid, the same one with each repetition of the request.',
  },
  if_match_invalid: {
    status: 422,
    retry: false,
    message: 'If-Match must hold the version as a quoted number.',
    hint: 'Send the ETag of the object as you read it, e.g. "3".',
  },
  in_use: {
    status: 409,
    retry: false,
    message: '{count} things depend on the {kind} "{name}": {first}.',
    hint: 'Delete or change them first; the answer lists all of them under dependants.',
  },
  input_missing: {
    status: 422,
    retry: true,
    message: 'Step "{step}" reads "{table}", which no batch has written yet.',
    hint: 'Run the group that writes it first.',
  },
  input_replaced: {
    status: 409,
    retry: false,
    message: '"{table}" was made anew since "{target}" has read it.',
    hint: 'Refresh "{target}" fully, or replay with --apply; nothing was read from the new table.',
  },
  input_rewound: {
    status: 409,
    retry: false,
    message:
      '"{table}" stands at version {version}, before version {consumed} that "{target}" has consumed.',
    hint: 'The input was restored or made anew: replay with --apply, or refresh the table fully.',
  },
  internal: {
    status: 500,
    retry: true,
    message: 'Something went wrong inside LakeForge.',
    hint: 'Try again; if it happens again, report it with the request id.',
  },
  json_invalid: {
    status: 400,
    retry: false,
    message: 'The body is not valid JSON.',
    hint: 'Send a JSON object with content-type application/json.',
  },
  json_malformed: {
    status: 422,
    retry: false,
    message: '"{file}" is not JSON: {reason}.',
    hint: 'Deliver the file again; the raw copy is kept as it came.',
  },
  key_null: {
    status: 422,
    retry: false,
    message: '{rows} rows of "{table}" have no value in their key ({keys}).',
    hint: 'Send them away with a not_null rule on the key columns, or choose keys that are always there.',
  },
  lakebase_host_missing: {
    status: 500,
    retry: false,
    message: 'LAKEBASE_ENDPOINT is set, but PGHOST is not.',
    hint: 'Add the database as a resource of the app, or set PGHOST, PGDATABASE and PGUSER.',
  },
  lakebase_unknown: {
    status: 404,
    retry: false,
    message: 'The workspace has no Lakebase instance at "{host}".',
    hint: 'Name it in LAKEBASE_ENDPOINT: the path of an endpoint, or the name of a provisioned instance.',
  },
  load_type_unsupported: {
    status: 422,
    retry: false,
    message: 'The local engine does not write the load type "{load_type}".',
    hint: 'Use append, replace, merge or scd2, or another engine.',
  },
  manifest_corrupt: {
    status: 500,
    retry: false,
    message: 'The manifest "{path}" can not be read.',
    hint: 'Restore it from a backup: it says which raw files belong to its batch.',
  },
  metadata_invalid: {
    status: 422,
    retry: false,
    message: 'The metadata files have {count} faults; nothing was changed.',
    hint: 'Mend what is listed under errors; each names its file and line.',
  },
  migration_changed: {
    status: 500,
    retry: false,
    message: 'Migration "{name}" differs from the one that this store was made with.',
    hint: 'Use the released version of LakeForge that goes with this store; a released migration never changes.',
  },
  name_invalid: {
    status: 422,
    retry: false,
    message: '"{name}" is not a legal name.',
    hint: 'Use a-z, 0-9 and _, at most 100 characters; tables are schema.table.',
  },
  not_found: {
    status: 404,
    retry: false,
    message: 'There is no {kind} "{name}".',
    hint: 'Check the spelling; the list shows what there is.',
  },
  nothing_to_replay: {
    status: 409,
    retry: false,
    message: 'No step of the batch succeeded, or it is a replay itself.',
    hint: 'Replay a batch that wrote something.',
  },
  nothing_to_retry: {
    status: 409,
    retry: false,
    message: 'No step of the batch failed, was skipped or cancelled.',
    hint: 'Start a new batch instead.',
  },
  notify_failed: {
    status: 502,
    retry: true,
    message: '{host} did not take the message: {what}.',
    hint: "Check the address in the group's notify list.",
  },
  object_unknown: {
    status: 422,
    retry: false,
    message: 'The source "{source}" has nothing called {object}.',
    hint: 'Discover the source again, and pick one of its objects.',
  },
  object_unreadable: {
    status: 422,
    retry: false,
    message: "{object} can't be read as it is: {reason}",
    hint: 'Mend the object in the source, or leave it out.',
  },
  out_of_memory: {
    status: 507,
    retry: true,
    message: 'The engine ran out of the memory that it may use.',
    hint: 'Raise the memory setting, or lower max_parallel of the group.',
  },
  path_outside: {
    status: 422,
    retry: false,
    message: '"{path}" leads out of the folder of its source.',
    hint: 'Give a path below the folder, without .. and without links that leave it.',
  },
  plan_broken: {
    status: 422,
    retry: false,
    message: '{where} names something that is not there: {what}.',
    hint: 'Mend the config, or create what it names.',
  },
  plan_cycle: {
    status: 422,
    retry: false,
    message: 'These tables wait for each other: {cycle}.',
    hint: 'Let one of them read something else, so that there is a first one.',
  },
  plan_invalid: {
    status: 422,
    retry: false,
    message: 'This is no {what} that LakeForge can run: {reason}.',
    hint: 'Take the plan from `lakeforge plan <group> --json` of the same version.',
  },
  plugin_missing: {
    status: 422,
    retry: false,
    message: 'There is no plug-in "{name}" with a function {door}.',
    hint: 'Put {name}.py beside the notebooks, or into the folder that LAKEFORGE_PLUGINS names.',
  },
  port_in_use: {
    status: 500,
    retry: false,
    message: 'Port {port} is taken by another program.',
    hint: 'Set PORT to another number; 0 takes a free one.',
  },
  query_timeout: {
    status: 504,
    retry: true,
    message: 'The query took longer than {timeout_s} s.',
    hint: 'Narrow it down with a where clause, or read fewer columns.',
  },
  raw_changed: {
    status: 409,
    retry: false,
    message: 'The raw file "{path}" is not what its manifest says.',
    hint: 'Restore it from a backup; raw files never change.',
  },
  raw_gone: {
    status: 409,
    retry: false,
    message:
      'Batch {seq} of {raw} is in {table}, but no longer whole in raw: it can not be run again.',
    hint: 'Refresh the table fully, or replay from a later batch.',
  },
  raw_value_invalid: {
    status: 422,
    retry: false,
    message: 'A value does not fit: {reason}.',
    hint: 'Pin a wider type, or set bad_rows to rescue: then the row is kept and the value goes to _rescued_data.',
  },
  record_too_long: {
    status: 422,
    retry: false,
    message: '"{file}" holds {reason}.',
    hint: 'For JSON name the array of rows in record_path; for CSV check the quote character.',
  },
  reference_unknown: {
    status: 422,
    retry: false,
    message: 'The {kind} names something that does not exist or is in use ({constraint}).',
    hint: 'Create what it refers to first, or pick an existing one.',
  },
  replay_differs: {
    status: 409,
    retry: false,
    message: 'Run again, "{table}" comes to something else: {differences}.',
    hint: 'Look at the batch: a source of change that is neither raw, plan nor recorded version went into it.',
  },
  replay_open: {
    status: 409,
    retry: true,
    message: 'A replay of the group is not done yet.',
    hint: 'Wait for its end.',
  },
  restore_not_empty: {
    status: 409,
    retry: false,
    message: 'The store is not empty: it has {what}.',
    hint: 'Restore into a new store: another LAKEFORGE_HOME, or an empty database.',
  },
  root_refused: {
    status: 422,
    retry: false,
    message: 'The folder {root} has one of *, ? and [ in its path.',
    hint: 'Use a path without them: they would be read as patterns.',
  },
  route_unknown: {
    status: 404,
    retry: false,
    message: 'There is no {method} {path}.',
    hint: 'GET /api/openapi.json lists every route.',
  },
  rule_broken: {
    status: 422,
    retry: false,
    message: 'The rule "{rule}" can not be evaluated: {reason}',
    hint: 'Mend its expression or filter; try_cast gives NULL where a cast would fail.',
  },
  rule_failed: {
    status: 422,
    retry: false,
    message: 'Rule "{rule}" failed for {failed} of {checked} rows of "{table}".',
    hint: 'Nothing was committed. Mend the rows in the source or change the rule, then run again.',
  },
  rule_invalid: {
    status: 422,
    retry: false,
    message: 'The rule "{rule}" is not valid: {reason}.',
    hint: 'Correct its options or columns.',
  },
  run_lost: {
    status: 410,
    retry: true,
    message: 'The process that ran this batch is gone.',
    hint: 'Start the batch again: what it has committed is found and kept.',
  },
  schema_frozen: {
    status: 422,
    retry: false,
    message: 'The columns of "{table}" are frozen, and the new data differs: {changes}.',
    hint: 'The raw data is kept. Accept the change in the bronze config, or mend the source; the next batch takes it.',
  },
  schema_newer: {
    status: 500,
    retry: false,
    message: 'This store was changed by a newer LakeForge (migration "{name}").',
    hint: 'Start that version or a later one; to go back, restore a backup made before the upgrade.',
  },
  secret_exposed: {
    status: 422,
    retry: false,
    message: 'Others may read the secrets in "{path}".',
    hint: 'Take the right from them: chmod 600.',
  },
  secret_file_invalid: {
    status: 422,
    retry: false,
    message: 'The file of secrets "{path}" is not JSON.',
    hint: 'It holds one object: {"scope/key": "value"}.',
  },
  secret_missing: {
    status: 422,
    retry: false,
    message: 'There is no secret {reference}.',
    hint: 'Set the variable {variable}, or add the secret to secrets.json in the home folder.',
  },
  seq_order: {
    status: 409,
    retry: false,
    message:
      '"{table}" is past batch number {seq} (at {last}), and its log does not say by which batch.',
    hint: 'Batches of a table run in order: run the group again as a new batch.',
  },
  sequence_not_in_columns: {
    status: 422,
    retry: false,
    message: '"{table}" is merged by a sequence that is not one of its columns.',
    hint: 'Add the sequence_by column to the selected columns: the table must know the sequence of each row that it holds.',
  },
  sequence_null: {
    status: 422,
    retry: false,
    message: '{rows} rows of "{table}" have no value in their sequence.',
    hint: 'Send them away with a not_null rule on the sequence_by column.',
  },
  source_cursor_invalid: {
    status: 422,
    retry: false,
    message: 'The cursor "{column}" can not be used: {reason}.',
    hint: 'Choose another cursor column, or leave the lag out.',
  },
  source_denied: {
    status: 422,
    retry: false,
    message: 'Source "{source}" does not let us read: {reason}.',
    hint: 'Grant the user of the source: grant usage on schema …; grant select on … .',
  },
  source_empty: {
    status: 422,
    retry: true,
    message: 'There are no files in "{path}".',
    hint: 'Check that this is the right folder, or wait for the first delivery.',
  },
  source_failed: {
    status: 502,
    retry: false,
    message: 'Source "{source}" refused the read of {object}: {reason}',
    hint: 'Check the object and its columns in the source.',
  },
  source_folder_missing: {
    status: 422,
    retry: true,
    message: 'There is no folder "{path}".',
    hint: 'Check the root of the source; it must be an absolute path of a folder on the machine that runs LakeForge.',
  },
  source_login_failed: {
    status: 422,
    retry: false,
    message: 'Source "{source}" at {server} did not let user "{user}" in: {reason}.',
    hint: 'Check user, database and the secret that the password refers to.',
  },
  source_lost: {
    status: 503,
    retry: true,
    message: 'The connection to source "{source}" at {server} was lost: {reason}.',
    hint: 'Run again when the server is back; nothing half-read was committed.',
  },
  source_object_missing: {
    status: 422,
    retry: false,
    message: 'There is no "{object}" in the source.',
    hint: 'Discover the source again; names are schema.table, in double quotes where they hold a dot.',
  },
  source_timeout: {
    status: 504,
    retry: true,
    message: 'Looking into the source "{source}" took longer than {seconds} s.',
    hint: 'Narrow it down (schemas, formats, a folder below), or try again when it is less busy.',
  },
  source_tls_failed: {
    status: 422,
    retry: false,
    message: 'No safe connection to source "{source}" at {server}: {reason}.',
    hint: 'Choose the TLS mode that the server offers; verify-full needs a certificate that this machine trusts.',
  },
  source_unreachable: {
    status: 503,
    retry: true,
    message: 'Source "{source}" at {server} can not be reached ({reason}).',
    hint: 'Check host and port, and that a firewall lets this machine through.',
  },
  spark_missing: {
    status: 500,
    retry: false,
    message: 'Spark can not be started: {reason}.',
    hint: 'Install Python 3.11 with venv, Java 17 and Maven, or name a Python that has pyspark in LAKEFORGE_SPARK_PYTHON.',
  },
  sql_check_unavailable: {
    status: 503,
    retry: false,
    message: "SQL can't be checked here, so nothing was stored.",
    hint: 'Save it through a LakeForge that runs on Node.',
  },
  sql_failed: {
    status: 422,
    retry: false,
    message: 'The SQL can not run: {reason}',
    hint: 'Check the columns and types that it names against the tables as they are now.',
  },
  sql_invalid: {
    status: 422,
    retry: false,
    message: 'The SQL can not be read at line {line}, column {column}: {reason}',
    hint: 'Correct it there; names that are words of SQL go in backticks.',
  },
  sql_type: {
    status: 422,
    retry: false,
    message: 'The types do not fit at line {line}, column {column}: {what}.',
    hint: 'Cast a value to the type that is meant.',
  },
  sql_unsupported: {
    status: 422,
    retry: false,
    message: '{what} is not supported (line {line}, column {column}).',
    hint: 'Use what the list of functions and constructs has; it is the same on every engine.',
  },
  step_displaced: {
    status: 503,
    retry: true,
    message: 'The step ended because another step of the source "{source}" was stopped.',
    hint: 'It begins again by itself; this costs it no retry.',
  },
  step_interrupted: {
    status: 409,
    retry: false,
    message: 'The step was stopped.',
    hint: 'Nothing half-written was committed; retry it when you like.',
  },
  step_timeout: {
    status: 504,
    retry: false,
    message: 'The step took longer than its {timeout_s} s.',
    hint: 'Raise timeout_s of the table, or give the engine more memory and threads.',
  },
  step_unknown: {
    status: 404,
    retry: false,
    message: 'The batch has no step {name}.',
    hint: 'Look at its steps: GET /api/batches/<id>.',
  },
  store_busy: {
    status: 503,
    retry: true,
    message: 'Another write got in the way.',
    hint: 'Send the same request again.',
  },
  store_not_migrated: {
    status: 503,
    retry: false,
    message: 'The metadata store does not have the tables that LakeForge needs.',
    hint: 'Run `npx lakeforge migrate` with the same DATABASE_URL.',
  },
  store_refused: {
    status: 503,
    retry: false,
    message: 'The metadata store does not let LakeForge in.',
    hint: 'Check the user, the password and the database name of DATABASE_URL.',
  },
  store_tls_required: {
    status: 500,
    retry: false,
    message: 'PGSSLMODE is "{mode}": the database\'s token would cross the network in the clear.',
    hint: 'Set PGSSLMODE to require or verify-full.',
  },
  store_unavailable: {
    status: 503,
    retry: true,
    message: 'The metadata store does not answer.',
    hint: 'Check that the database runs and DATABASE_URL is right; then try again.',
  },
  sync_action_unknown: {
    status: 422,
    retry: false,
    message: 'The plan has no action called {name}.',
    hint: 'Use the names that the plan shows: job:sales, pipeline:sales, file:plans/sales.json.',
  },
  sync_ambiguous: {
    status: 409,
    retry: false,
    message: 'There are {count} things called {name} that carry our mark.',
    hint: 'Delete all but one of them in the workspace, then plan again.',
  },
  sync_base_moved: {
    status: 409,
    retry: false,
    message: 'The plan was made before {what}.',
    hint: 'Plan again and look at what it would do now.',
  },
  sync_drift_foreign: {
    status: 422,
    retry: false,
    message: 'The metadata has no word for {path}.',
    hint: 'Overwrite the change, or let it be with ignore.',
  },
  sync_item_moved: {
    status: 409,
    retry: false,
    message: '{name} was changed in the workspace since the plan was made.',
    hint: 'Plan again: the change shows as drift.',
  },
  sync_needs_databricks: {
    status: 422,
    retry: false,
    message: 'The environment "{name}" is no workspace.',
    hint: 'Choose an environment whose engine is databricks.',
  },
  sync_no_workspace: {
    status: 501,
    retry: false,
    message: 'This host can not reach a workspace.',
    hint: 'Run the sync on a host that has the login: lakeforge sync, or npm start.',
  },
  sync_not_confirmed: {
    status: 409,
    retry: false,
    message: '{count} actions need your word: {names}.',
    hint: 'Confirm them by name, or leave them out with only.',
  },
  sync_running: {
    status: 409,
    retry: true,
    message: 'Another sync of "{environment}" is under way.',
    hint: 'Wait for its end.',
  },
  table_missing: {
    status: 404,
    retry: false,
    message: 'There is no table "{table}" in the lake yet.',
    hint: 'Run the group that writes it first.',
  },
  table_unknown: {
    status: 422,
    retry: false,
    message: 'There is no table "{table}" to read here.',
    hint: 'Pick one of: {tables}.',
  },
  timezone_unknown: {
    status: 422,
    retry: false,
    message: '"{timezone}" is not a time zone.',
    hint: 'Use an id of the IANA list, written exactly: Europe/Berlin, America/New_York, UTC.',
  },
  transaction_ended: {
    status: 500,
    retry: false,
    message: 'A query was sent to a transaction that has ended.',
    hint: 'Await every query inside the function given to begin.',
  },
  transaction_outer_sql: {
    status: 500,
    retry: false,
    message: 'A query inside a transaction went to the outer client.',
    hint: 'Use the client that begin hands to its function.',
  },
  transaction_too_long: {
    status: 503,
    retry: true,
    message: 'A transaction took longer than {seconds} s and was rolled back.',
    hint: 'Try again; inside a transaction there may be nothing but SQL.',
  },
  type_unknown: {
    status: 422,
    retry: false,
    message: '"{type}" is not a column type.',
    hint: 'Use a Spark type: string, bigint, decimal(10,2), timestamp, array<int>, struct<a:int>, …',
  },
  unauthenticated: {
    status: 401,
    retry: false,
    message: 'This needs a token.',
    hint: 'Send `Authorization: Bearer <token>`; `lakeforge token create` makes one.',
  },
  validation_failed: {
    status: 422,
    retry: false,
    message: 'Some fields are not valid.',
    hint: 'Mend the fields listed under errors.',
  },
  value_invalid: {
    status: 422,
    retry: false,
    message: 'A value does not fit: {reason}',
    hint: 'Use try_cast or a rule where a column holds such values.',
  },
  value_malformed: {
    status: 400,
    retry: false,
    message: 'A value in the request has the wrong form, such as an id that is not a UUID.',
    hint: 'Take ids from a list or from the address of a page; give times as 2027-01-31T00:00:00Z.',
  },
  version_conflict: {
    status: 412,
    retry: false,
    message: 'Somebody changed this {kind} in the meantime.',
    hint: 'Read it again, look at what changed, and send your change with the new version.',
  },
  warehouse_missing: {
    status: 422,
    retry: false,
    message: 'There is no SQL warehouse for what Unity Catalog has to be told.',
    hint: 'Set DATABRICKS_WAREHOUSE_ID, or make a warehouse that our principal may use.',
  },
  workspace_answer_unreadable: {
    status: 502,
    retry: false,
    message: 'The workspace answered something that is no JSON ({call}).',
    hint: 'See whether a proxy stands between.',
  },
  workspace_busy: {
    status: 503,
    retry: true,
    message: 'The workspace asks us to slow down: {said}',
    hint: 'Try again in a minute.',
  },
  workspace_conflict: {
    status: 502,
    retry: true,
    message: 'Something else changed the same thing in the workspace: {said}',
    hint: 'Plan the sync again.',
  },
  workspace_credentials_missing: {
    status: 422,
    retry: false,
    message: 'There is no login for the workspace {host}.',
    hint: 'Set DATABRICKS_HOST with DATABRICKS_TOKEN, or with DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET, or add a profile of that host to ~/.databrickscfg.',
  },
  workspace_denied: {
    status: 502,
    retry: false,
    message: 'The workspace forbids it: {said}',
    hint: 'Give our principal the right; lakeforge doctor names what is missing.',
  },
  workspace_host_invalid: {
    status: 422,
    retry: false,
    message: '"{host}" is no address of a workspace.',
    hint: 'Give https:// and the host; plain http only for this machine.',
  },
  workspace_host_missing: {
    status: 500,
    retry: false,
    message: "DATABRICKS_HOST is not set, so nobody can be asked for the database's password.",
    hint: 'Set DATABRICKS_HOST, or PGPASSWORD where the database has passwords of its own.',
  },
  workspace_login_failed: {
    status: 502,
    retry: false,
    message: 'The workspace gave no token to our service principal: {said}',
    hint: 'Check DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET.',
  },
  workspace_missing: {
    status: 502,
    retry: false,
    message: 'The workspace does not have it: {said}',
    hint: 'Plan the sync again: what was deleted there is made anew.',
  },
  workspace_outcome_unknown: {
    status: 503,
    retry: true,
    message: 'Nobody knows whether the workspace did it: {call}',
    hint: 'Run the sync again: it looks first, and goes on from what is there.',
  },
  workspace_refused: {
    status: 502,
    retry: false,
    message: 'The workspace refused the request: {said}',
    hint: 'Change what it names, then plan the sync again.',
  },
  workspace_unauthenticated: {
    status: 502,
    retry: false,
    message: 'The workspace does not accept our login: {said}',
    hint: 'Renew the token or the secret of the service principal.',
  },
  workspace_unavailable: {
    status: 503,
    retry: true,
    message: 'The workspace does not answer: {said}',
    hint: 'Try again in a minute; check the host and the network.',
  },
} as const satisfies Record<string, Entry>

export type ErrorCode = keyof typeof ERRORS

/** One field's fault in a request or a metadata file. `path` is dotted: `options.path`; the value is never repeated. */
export type FieldError = {
  path: string
  message: string
  code?: ErrorCode
  file?: string
  line?: number
  /** Position in the line, from 1; only with `line`. */
  column?: number
}

export type ErrorOptions = { hint?: string; cause?: unknown; errors?: FieldError[] }

/** The one error type. `detail` are the parameters of the catalogue's message; no secret may stand in it. */
export class LakeForgeError extends Error {
  override name = 'LakeForgeError'
  code: ErrorCode
  hint: string
  detail: Record<string, unknown>
  errors: FieldError[]

  constructor(code: ErrorCode, detail: Record<string, unknown> = {}, options: ErrorOptions = {}) {
    const entry: Entry = ERRORS[code]
    super(fill(entry.message, detail), { cause: options.cause })
    this.code = code
    this.hint = options.hint ?? fill(entry.hint, detail)
    this.detail = detail
    this.errors = options.errors ?? []
  }

  get status(): number {
    return ERRORS[this.code].status
  }

  get retry(): boolean {
    return ERRORS[this.code].retry
  }
}

/** Throws the error `code` of the catalogue. */
export function fail(
  code: ErrorCode,
  detail: Record<string, unknown> = {},
  options: ErrorOptions = {},
): never {
  throw new LakeForgeError(code, detail, options)
}

/** Any thrown value as what a log row or a report holds: code, message, hint. Foreign errors become `internal`. */
export function describeError(error: unknown): { code: ErrorCode; message: string; hint: string } {
  if (error instanceof LakeForgeError)
    return { code: error.code, message: error.message, hint: error.hint }
  return { code: 'internal', message: ERRORS.internal.message, hint: ERRORS.internal.hint }
}

function fill(template: string, detail: Record<string, unknown>): string {
  return template.replace(/\{(\w+)\}/g, (_, key: string) => String(detail[key] ?? `{${key}}`))
}
