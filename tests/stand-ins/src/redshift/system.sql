-- What Redshift has in its catalogue and PostgreSQL has not. All of it lies in pg_catalog, as there: it is found under
-- any search path and before anything of the user's.
SET allow_system_table_mods = on;

CREATE SCHEMA redshift_journal;

CREATE TABLE redshift_journal.load_errors (
    query_id bigint, session_id bigint, start_time timestamp DEFAULT (clock_timestamp() AT TIME ZONE 'utc'), table_name text,
    file_name text, line_number bigint, column_name text, column_type text, column_length text, position int DEFAULT 0,
    error_code int, error_message text, raw_line text, raw_field_value text
);

CREATE TABLE redshift_journal.loads (
    query_id bigint, session_id bigint, table_name text, data_source text, loaded_rows bigint, loaded_bytes bigint,
    source_file_count bigint, source_file_bytes bigint, end_time timestamp DEFAULT (clock_timestamp() AT TIME ZONE 'utc')
);

-- Loads: what went wrong, what went right.
CREATE VIEW pg_catalog.sys_load_error_detail AS
    SELECT 100 AS user_id, query_id, query_id AS transaction_id, session_id,
        current_setting('redshift.database', true) AS database_name, 0 AS table_id, start_time, file_name, line_number,
        column_name, column_type, column_length, position, error_code, error_message
    FROM redshift_journal.load_errors;

CREATE VIEW pg_catalog.stl_load_errors AS
    SELECT 100 AS userid, 0 AS slice, 0 AS tbl, start_time AS starttime, session_id AS session, query_id AS query,
        file_name AS filename, line_number, column_name AS colname, column_type AS type, column_length AS col_length, position,
        raw_line, raw_field_value, error_code AS err_code, error_message AS err_reason, 0 AS is_partial, 0 AS start_offset
    FROM redshift_journal.load_errors;

CREATE VIEW pg_catalog.sys_load_history AS
    SELECT 100 AS user_id, query_id, query_id AS transaction_id, session_id,
        current_setting('redshift.database', true) AS database_name, table_name, 'completed' AS status, end_time,
        data_source, loaded_rows, loaded_bytes, source_file_count, source_file_bytes, 0 AS error_count
    FROM redshift_journal.loads;

CREATE FUNCTION pg_catalog.pg_last_copy_count() RETURNS bigint LANGUAGE sql STABLE AS
    $$ SELECT coalesce(nullif(current_setting('redshift.last_copy_count', true), ''), '0')::bigint $$;

CREATE FUNCTION pg_catalog.pg_last_copy_id() RETURNS bigint LANGUAGE sql STABLE AS
    $$ SELECT coalesce(nullif(current_setting('redshift.last_copy_id', true), ''), '-1')::bigint $$;

-- Tables and columns.
CREATE FUNCTION pg_catalog.redshift_type(oid, int) RETURNS text LANGUAGE sql STABLE AS
    $$ SELECT CASE $1 WHEN 'jsonb'::regtype THEN 'super' WHEN 'bytea'::regtype THEN 'varbyte' ELSE format_type($1, $2) END $$;

CREATE VIEW pg_catalog.redshift_columns AS
    SELECT n.nspname AS schema_name, c.relname AS table_name, c.oid AS table_oid, a.attname AS column_name,
        a.attnum AS ordinal_position, redshift_type(a.atttypid, a.atttypmod) AS data_type, NOT a.attnotnull AS is_nullable,
        pg_get_expr(d.adbin, d.adrelid) AS column_default, col_description(c.oid, a.attnum) AS remarks, a.atttypid, a.atttypmod
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'redshift_journal', 'pg_toast')
        AND NOT pg_is_other_temp_schema(n.oid);

CREATE VIEW pg_catalog.svv_columns AS
    SELECT current_setting('redshift.database', true) AS table_catalog, schema_name AS table_schema, table_name, column_name,
        ordinal_position, column_default, CASE WHEN is_nullable THEN 'YES' ELSE 'NO' END AS is_nullable,
        redshift_type(atttypid, -1) AS data_type,
        information_schema._pg_char_max_length(atttypid, atttypmod) AS character_maximum_length,
        information_schema._pg_numeric_precision(atttypid, atttypmod) AS numeric_precision,
        information_schema._pg_numeric_scale(atttypid, atttypmod) AS numeric_scale, remarks
    FROM pg_catalog.redshift_columns;

CREATE VIEW pg_catalog.svv_redshift_columns AS
    SELECT current_setting('redshift.database', true) AS database_name, schema_name, table_name, column_name, ordinal_position,
        data_type, column_default, CASE WHEN is_nullable THEN 'YES' ELSE 'NO' END AS is_nullable, 'none' AS encoding,
        false AS distkey, 0 AS sortkey, NULL::text AS column_acl, remarks
    FROM pg_catalog.redshift_columns;

CREATE VIEW pg_catalog.pg_table_def AS
    SELECT schema_name AS schemaname, table_name AS tablename, column_name AS "column", data_type AS type, 'none' AS encoding,
        false AS distkey, 0 AS sortkey, NOT is_nullable AS "notnull"
    FROM pg_catalog.redshift_columns WHERE schema_name = ANY (current_schemas(true));

CREATE VIEW pg_catalog.svv_tables AS
    SELECT current_setting('redshift.database', true) AS table_catalog, n.nspname AS table_schema, c.relname AS table_name,
        CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'BASE TABLE' END AS table_type, obj_description(c.oid, 'pg_class') AS remarks
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'v')
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'redshift_journal', 'pg_toast')
        AND NOT pg_is_other_temp_schema(n.oid);

CREATE FUNCTION pg_catalog.redshift_rows(oid) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
    DECLARE n bigint;
    BEGIN EXECUTE format('SELECT count(*) FROM %s', $1::regclass) INTO n; RETURN n; END $$;

-- As there, a table without rows is not in it.
CREATE VIEW pg_catalog.svv_table_info AS
    SELECT current_setting('redshift.database', true) AS "database", n.nspname AS schema, c.oid AS table_id,
        c.relname AS "table", 'Y' AS encoded, 'AUTO(ALL)' AS diststyle, 'AUTO(SORTKEY)' AS sortkey1, NULL::int AS max_varchar,
        0 AS sortkey_num, 1 + pg_relation_size(c.oid) / 1048576 AS size, 0::numeric(10, 4) AS pct_used, 0 AS empty,
        0::numeric(5, 2) AS unsorted, 0::numeric(5, 2) AS stats_off,
        redshift_rows(c.oid)::numeric(38, 0) AS tbl_rows
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND pg_relation_size(c.oid) > 0
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'redshift_journal', 'pg_toast')
        AND NOT pg_is_other_temp_schema(n.oid);

CREATE VIEW pg_catalog.stv_db_isolation_level AS
    SELECT d.oid AS db_id, current_setting('redshift.database', true) AS db_name,
        current_setting('redshift.isolation', true) AS isolation_level
    FROM pg_database d WHERE d.datname = current_database();

-- Other ways into a table. Empty here; a test that looks for competitors puts rows in.
CREATE TABLE pg_catalog.sys_copy_job (
    user_id int, job_id bigint, job_name text, job_owner text, database_name text, schema_name text, table_name text,
    data_source text, copy_query text, job_text text, is_auto int, job_state text, created_at timestamp
);
CREATE TABLE pg_catalog.svv_copy_job_integrations (
    integration_id text, database_id bigint, data_source text, status text, job_id bigint, job_name text, job_owner text
);
CREATE TABLE pg_catalog.svv_integration (
    integration_id text, target_database text, source text, state text, current_lag bigint, last_replicated_checkpoint text,
    total_tables_replicated int, total_tables_failed int, creation_time timestamp, refresh_interval int,
    source_database text, is_history_mode boolean
);
CREATE TABLE pg_catalog.svv_integration_table_state (
    integration_id text, target_database text, schema_name text, table_name text, table_state text,
    table_last_replicated_checkpoint text, reason text, last_updated_timestamp timestamp, table_rows bigint, table_size bigint
);

-- Functions.
CREATE FUNCTION pg_catalog.getdate() RETURNS timestamp LANGUAGE sql VOLATILE AS
    $$ SELECT date_trunc('second', clock_timestamp() AT TIME ZONE 'utc') $$;
CREATE FUNCTION pg_catalog.sysdate() RETURNS timestamp LANGUAGE sql STABLE AS $$ SELECT transaction_timestamp() AT TIME ZONE 'utc' $$;
CREATE FUNCTION pg_catalog.json_parse(text) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT $1::jsonb $$;
CREATE FUNCTION pg_catalog.json_serialize(jsonb) RETURNS varchar LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT $1::text $$;
CREATE FUNCTION pg_catalog.json_typeof(jsonb) RETURNS varchar LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT jsonb_typeof($1) $$;
CREATE FUNCTION pg_catalog.json_extract_path_text(text, VARIADIC text[]) RETURNS varchar LANGUAGE sql IMMUTABLE STRICT AS
    $$ SELECT json_extract_path_text($1::json, VARIADIC $2) $$;
CREATE FUNCTION pg_catalog.is_valid_json(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT AS
    $$ BEGIN RETURN json_typeof($1::json) = 'object'; EXCEPTION WHEN OTHERS THEN RETURN false; END $$;
CREATE FUNCTION pg_catalog.is_valid_json_array(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT AS
    $$ BEGIN RETURN json_typeof($1::json) = 'array'; EXCEPTION WHEN OTHERS THEN RETURN false; END $$;
CREATE FUNCTION pg_catalog.len(text) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT length($1) $$;
CREATE FUNCTION pg_catalog.charindex(text, text) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT strpos($2, $1) $$;
CREATE FUNCTION pg_catalog.sha2(text, int) RETURNS varchar LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT encode(CASE $2 WHEN 224 THEN sha224(convert_to($1, 'utf8')) WHEN 384 THEN sha384(convert_to($1, 'utf8'))
        WHEN 512 THEN sha512(convert_to($1, 'utf8')) ELSE sha256(convert_to($1, 'utf8')) END, 'hex') $$;
CREATE FUNCTION pg_catalog.to_varbyte(text, text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT AS
    $$ SELECT CASE lower($2) WHEN 'hex' THEN decode($1, 'hex') WHEN 'base64' THEN decode($1, 'base64') ELSE convert_to($1, 'utf8') END $$;
CREATE FUNCTION pg_catalog.convert_timezone(text, text, timestamp) RETURNS timestamp LANGUAGE sql STABLE STRICT AS
    $$ SELECT $3 AT TIME ZONE $1 AT TIME ZONE $2 $$;
CREATE FUNCTION pg_catalog.last_day(timestamp) RETURNS date LANGUAGE sql IMMUTABLE STRICT AS
    $$ SELECT (date_trunc('month', $1) + interval '1 month' - interval '1 day')::date $$;
CREATE FUNCTION pg_catalog.add_months(timestamp, int) RETURNS timestamp LANGUAGE sql IMMUTABLE STRICT AS
    $$ SELECT $1 + $2 * interval '1 month' $$;
CREATE FUNCTION pg_catalog.dateadd(text, bigint, timestamp) RETURNS timestamp LANGUAGE sql IMMUTABLE STRICT AS
    $$ SELECT $3 + $2 * CASE lower($1) WHEN 'quarter' THEN interval '3 months' ELSE ('1 ' || $1)::interval END $$;
CREATE FUNCTION pg_catalog.datediff(text, timestamp, timestamp) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT CASE lower($1)
        WHEN 'year' THEN date_part('year', $3) - date_part('year', $2)
        WHEN 'quarter' THEN (date_part('year', $3) - date_part('year', $2)) * 4 + date_part('quarter', $3) - date_part('quarter', $2)
        WHEN 'month' THEN (date_part('year', $3) - date_part('year', $2)) * 12 + date_part('month', $3) - date_part('month', $2)
        WHEN 'microsecond' THEN extract(epoch FROM $3 - $2) * 1000000
        WHEN 'millisecond' THEN extract(epoch FROM date_trunc('millisecond', $3) - date_trunc('millisecond', $2)) * 1000
        ELSE extract(epoch FROM date_trunc($1, $3) - date_trunc($1, $2)) / extract(epoch FROM ('1 ' || $1)::interval)
    END::bigint $$;
CREATE AGGREGATE pg_catalog.listagg(text, text) (SFUNC = string_agg_transfn, STYPE = internal, FINALFUNC = string_agg_finalfn);
