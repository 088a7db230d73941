// Functions that people look for and that are refused, each with its reason: it is the hint when metadata is saved, and the
// help pages list it. What stands in functions.ts can't stand here (verdicts.test.ts).
import type { Category } from './catalogue.ts'

export type RefusedFunction = { name: string; category: Category; reason: string }

const REASONS: [category: Category, names: string, reason: string][] = [
  [
    'number',
    'rand random randn uniform',
    'It gives other numbers at each run, so a replay could never make the same table.',
  ],
  [
    'string',
    'uuid randstr',
    'It gives other texts at each run, so a replay could never make the same table. Make keys by md5 or sha2 of the columns.',
  ],
  ['array', 'shuffle', 'Its order is random.'],
  [
    'conversion',
    'monotonically_increasing_id spark_partition_id input_file_name input_file_block_start input_file_block_length',
    'It depends on how Spark has cut the files. Bronze tables have _source_file and _row_id.',
  ],
  [
    'conversion',
    'current_user user session_user current_catalog current_database current_schema version',
    'It depends on where and by whom the query is run.',
  ],
  [
    'aggregate',
    'any_value',
    'Which of the values comes depends on the order of the rows, and Spark defines none. Use min, max, min_by or max_by.',
  ],
  [
    'aggregate',
    'approx_count_distinct approx_percentile percentile_approx histogram_numeric approx_top_k count_min_sketch',
    'It estimates, and each engine by its own sketch. Use count(DISTINCT …) or percentile.',
  ],
  [
    'aggregate',
    'hll_sketch_agg hll_union_agg hll_sketch_estimate hll_union kll_sketch_agg_bigint kll_sketch_agg_double theta_sketch_agg theta_sketch_estimate',
    'The bytes of a sketch belong to one engine.',
  ],
  [
    'aggregate',
    'bitmap_construct_agg bitmap_or_agg bitmap_and_agg bitmap_count',
    'DuckDB has no bitmaps. Use count(DISTINCT …).',
  ],
  [
    'hash',
    'hash xxhash64 crc32',
    'DuckDB has no such hash. md5, sha1 and sha2 are the same on both engines.',
  ],
  [
    'hash',
    'aes_encrypt aes_decrypt try_aes_decrypt',
    'DuckDB has no such cipher, and a key has no place in metadata. Column policies mask and hash.',
  ],
  [
    'json',
    'parse_json try_parse_json variant_get try_variant_get variant_explode variant_explode_outer is_variant_null schema_of_variant schema_of_variant_agg to_variant_object',
    'Its type VARIANT exists in Spark alone. Use get_json_object.',
  ],
  [
    'json',
    'from_xml to_xml schema_of_xml xpath xpath_boolean xpath_double xpath_float xpath_int xpath_long xpath_number xpath_short xpath_string',
    'DuckDB doesn’t read XML.',
  ],
  [
    'json',
    'from_csv to_csv schema_of_csv',
    'Their corner cases of quotes differ. Read the file as csv, or use split.',
  ],
  [
    'json',
    'schema_of_json schema_of_json_agg json_tuple',
    'Take single values with get_json_object, or a struct with from_json and its schema.',
  ],
  ['conversion', 'java_method reflect try_reflect', 'It calls Java.'],
  [
    'conversion',
    'raise_error assert_true',
    'A rule of a table says better what must hold, and what happens to rows where it doesn’t.',
  ],
  [
    'date and time',
    'make_interval make_dt_interval make_ym_interval try_make_interval',
    'An interval of computed length has no type here. Use timestampadd, date_add or add_months.',
  ],
  [
    'date and time',
    'current_time make_time to_time try_to_time time_diff time_trunc',
    'No table format here has the type TIME.',
  ],
  [
    'date and time',
    'window session_window window_time',
    'It belongs to streams. Use date_trunc, or a bucket made by unix_seconds.',
  ],
  [
    'number',
    'to_number try_to_number',
    'Its patterns aren’t rebuilt here. Remove what is no digit (regexp_replace) and cast to a decimal.',
  ],
  [
    'string',
    'sentences',
    'How a text falls into sentences depends on tables of each engine. Use split or regexp_extract_all.',
  ],
  [
    'string',
    'parse_url try_parse_url',
    'What Java takes for a valid URL can’t be made equal. Use regexp_extract.',
  ],
  [
    'string',
    'collate collation collations',
    'Text is compared byte by byte on both engines. Compare lower(…) instead.',
  ],
  ['string', 'quote', 'It exists in the newest Spark alone. Use concat and replace.'],
  [
    'string',
    'is_valid_utf8 make_valid_utf8 validate_utf8 try_validate_utf8',
    'DuckDB’s text is always valid; other bytes are an error where they are read.',
  ],
  [
    'string',
    'ai_query ai_analyze_sentiment ai_classify ai_extract ai_fix_grammar ai_gen ai_mask ai_similarity ai_summarize ai_translate http_request',
    'It calls a service, which answers differently each time.',
  ],
  ['string', 'secret try_secret', 'A secret has no place in a table.'],
  [
    'table',
    'read_files read_kafka read_kinesis read_pubsub read_state cloud_files_state table_changes event_log',
    'What is read is declared as a raw table, so that each batch knows its files.',
  ],
  [
    'number',
    'h3_longlatash3 h3_latlongash3 h3_kring h3_toparent st_point st_distance st_contains st_geomfromtext',
    'DuckDB has no such function without an extension that is fetched at run time.',
  ],
]

/** By name, lower case. */
export const REFUSED = new Map<string, RefusedFunction>(
  REASONS.flatMap(([category, names, reason]) =>
    names.split(' ').map((name) => [name, { name, category, reason }] as const),
  ),
)
